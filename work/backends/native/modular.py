"""Certified products of residues, reduced as soon as they are made: one call per thread makes all of them."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.primitives.units import HASH_BYTES
from inos.work.backends.native.library import Kernel, find_best, load
from inos.work.backends.native.memory import borrow, cast
from inos.work.backends.native.plan import MAX_BLOCK_BYTES, MAX_SLAB_PANELS, plan_small
from inos.work.backends.native.running import Flag, get_default_threads, run_all
from inos.work.strips import InvalidMatrix

MAX_THREAD_BYTES: Final = MAX_BLOCK_BYTES + (8 << 20)
"""Each thread packs one side of its product as a whole, and 16 strips of the other one."""
SHARED_WORK: Final = 1 << 33
"""Where there are more threads than products, products of so many multiplications are better shared by all."""
MACS_PER_THREAD: Final = 1 << 24
"""A thread is not woken for fewer multiplications."""
ANCHOR: Final = bytes(HASH_BYTES)
"""No header has it: the tickets count for nothing."""


def multiply_modulo(
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    moduli: tuple[int, ...],
    out: NDArray[np.int8],
    *,
    kernel: Kernel | None = None,
    threads: int | None = None,
) -> int | None:
    """Write X_b * W_b^T modulo m_b for each block, and return the number of tickets drawn; None if no kernel here does
    that for such shapes.

    The products are certified: operands are hashed, multiplied under noise, and tickets are drawn.

    Args:
        x, w: blocks x m x k and blocks x n x k, each block contiguous.
        moduli: 37 .. 128 each.
        out: blocks x m x n, each block contiguous. It gets congruent numbers of at most 112 in magnitude.
        kernel: by default the best one.
        threads: at most so many; by default one per processor, and fewer for little work.

    Raises:
        InvalidMatrix: "entry-out-of-range".
    """
    loaded, kernel = load(), kernel or find_best()
    (blocks, m, k), n, panels = x.shape, w.shape[1], -(-x.shape[2] // PANEL_BYTES)
    if loaded is None or kernel is None or panels > MAX_SLAB_PANELS:
        return None
    plan = plan_small(-(-m // STRIP_ROWS), -(-n // STRIP_ROWS), panels, kernel.x_scale, MAX_THREAD_BYTES)
    if plan is None:
        return None
    if threads is None:
        threads = min(get_default_threads(), blocks * m * n * k // MACS_PER_THREAD)
        if threads > blocks and m * n * k >= SHARED_WORK:
            return None
    ffi, lib = loaded
    team = ffi.new("inos_products[]", max(1, min(threads, blocks)))
    if not hasattr(team[0], "x_plane"):  # The kernels were compiled before they could reduce.
        return None
    first = team[0]
    first.last, first.x_rows, first.w_rows, first.cols = blocks, m, n, k
    first.x, first.w, first.reduced = (cast(ffi, "int8_t *", array) for array in (x, w, out))
    first.x_plane, first.w_plane, first.out_plane = (array.strides[0] for array in (x, w, out))
    first.keeps_x, first.tile_streamed = plan
    numbers, has_won = np.array(moduli, np.int32), np.zeros(blocks, np.uint8)
    first.anchor = ffi.from_buffer("uint8_t[]", ANCHOR)
    first.moduli, first.has_won = cast(ffi, "int32_t *", numbers), cast(ffi, "uint8_t *", has_won)
    first.team, first.threads = team, len(team)
    of_w = [HASH_BYTES, HASH_BYTES, panels * PANEL_BYTES, panels * PANEL_BYTES]
    size = lib.inos_products_bytes(kernel.number, team)
    with borrow([blocks * each for each in of_w] + len(team) * [size]) as arrays:
        pointers = [cast(ffi, "uint8_t *", array) for array in arrays]
        first.w_ids, first.w_seeds, first.w_perms, first.w_inverse = pointers[: len(of_w)]
        for at, memory in enumerate(pointers[len(of_w) :]):
            team[at] = first
            team[at].memory = memory
        _run(lib, kernel.number, team)
    return sum(int(job.tickets) for job in team)


def _run(lib: Any, kernel: int, team: Any) -> None:
    """Let each thread multiply in its own struct."""
    waiting = iter(range(len(team)))

    def multiply() -> None:
        if not lib.inos_run_products(kernel, team + next(waiting)):
            raise InvalidMatrix("entry-out-of-range", "an entry is outside -64 .. 63")

    run_all(multiply, len(team), None, Flag())
