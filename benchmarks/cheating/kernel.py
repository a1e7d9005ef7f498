"""The engine's kernels without peeling and without hashing of operands, and with the shortcuts of each cheat."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cheating.compiled import NoCheat, load_cheat
from inos.primitives.matrices import STRIP_BYTES
from inos.primitives.units import HASH_BYTES
from inos.work import Operand, compute_seed_w, compute_seed_x
from inos.work.backends.base import OnWin, Slice
from inos.work.backends.native.library import find_kernels
from inos.work.backends.native.memory import allocate, cast
from inos.work.backends.native.prepared import Permutations, draw_permutations, fill_sides
from inos.work.backends.native.running import Flag, run_all

PLAIN: Final = 0
FACTORS: Final = 1
SEVEN_BITS: Final = 2
REUSE: Final = 3
"""The values are those of csrc/cheat_api.h."""
FACTORED: Final = (FACTORS, SEVEN_BITS)

TILE: Final = 16
WIN_WORDS: Final = 11
STEPS: Final = 16
STEP_BYTES: Final = 1024


class Deal(Struct, frozen=True, eq=False):
    """All tickets of X and W under an anchor, drawn without computing the product."""

    x: Operand
    w: Operand
    anchor: bytes
    target: int
    way: int = PLAIN
    """FACTORS requires zeros, SEVEN_BITS requires X of -64 and W of zeros, and REUSE requires `sums`; none of this is
    checked.
    """
    sums: NDArray[np.int32] | None = None
    """REUSE: X * W' of one panel after each step, as x strips x w strips x 16 steps x 16 x 16. If it has fewer strips
    than X, only the tickets of those are drawn.
    """


class Cheat:
    """One kernel with a number of threads.

    Args:
        name: as in `inos work backends`, without "native-".

    Raises:
        NoCheat: this processor cannot run the kernel, or there is no compiler.
    """

    def __init__(self, name: str, threads: int) -> None:
        if name not in find_kernels():
            raise NoCheat(f"no kernel {name!r} here; there are: {', '.join(find_kernels()) or 'none'}")
        self._kernel, self._threads = find_kernels()[name], threads
        self._ffi, self._lib = load_cheat(name)
        self._memory: list[NDArray[np.uint8]] = []
        self._rooms = [self._make_room() for _ in range(threads)]
        self._packed = allocate(0)

    def has(self, way: int) -> bool:
        """Return whether this kernel has its own code for a cheat; every kernel has PLAIN."""
        return bool(self._lib.cheat_has(way))

    def draw(self, deal: Deal, on_win: OnWin) -> int:
        """Draw tickets panel by panel and return their number."""
        slab, plan, kept_alive = self._prepare(deal)
        for panel in range(deal.x.panels):
            for side in (slab.x, slab.w):
                side.first_panel, side.last_panel = panel, panel + 1
            if panel == 0 or deal.way not in FACTORED:
                self._keep(slab)
            if plan.way in FACTORED and not plan.factors:
                packed = self._packed[: deal.w.strips * STRIP_BYTES].reshape(-1, STEPS, STEP_BYTES)
                kept_alive.append(factors := np.ascontiguousarray(packed[:, 0]))
                plan.factors = cast(self._ffi, "int8_t *", factors)
            self._multiply(slab, plan, on_win)
        tickets = sum(int(worker.tickets) for worker, _ in self._rooms)
        for worker, _ in self._rooms:
            worker.tickets = 0
        return tickets

    def _prepare(self, deal: Deal) -> tuple[Any, Any, list[Any]]:
        """Return a slab, its plan, and the arrays to which they point."""
        seed_w = compute_seed_w(deal.anchor, deal.w.ref.id)
        seed_x = compute_seed_x(seed_w, deal.x.ref.id)
        perms_x, perms_w = (draw_permutations(self._kernel, seed, deal.x.panels) for seed in (seed_x, seed_w))
        if deal.way in FACTORED:
            perms_x, perms_w = _move_to_x(perms_x, perms_w)
        slab, plan = self._ffi.new("inos_slab *"), self._ffi.new("cheat_plan *")
        strips = deal.x.strips if deal.sums is None else len(deal.sums)
        piece = Slice(deal.x, deal.w, seed_x, seed_w, deal.target, 0, strips, self._threads)
        fill_sides(self._ffi, slab, piece, perms_x, perms_w, is_bare=False)
        slab.kept_last, slab.streamed_last = deal.w.strips, strips
        slab.tile_kept = slab.tile_streamed = TILE
        slab.threads = self._threads
        slab.target = np.frombuffer(deal.target.to_bytes(HASH_BYTES, "big"), dtype=">u4").tolist()
        if len(self._packed) < deal.w.strips * STRIP_BYTES:
            self._packed = allocate(deal.w.strips * STRIP_BYTES)
        slab.kept = cast(self._ffi, "uint8_t *", self._packed)
        plan.way, plan.w_strips = deal.way if self.has(deal.way) else PLAIN, deal.w.strips
        if deal.sums is not None:
            plan.sums = cast(self._ffi, "int32_t *", deal.sums)
        return slab, plan, [piece, perms_x, perms_w, self._replace_operands(slab, plan.way, deal)]

    def _replace_operands(self, slab: Any, way: int, deal: Deal) -> object:
        """Replace operands that a cheat does not read: rows beyond the matrix are zeros that are never read."""
        if deal.way in FACTORED:
            slab.w.rows = 0
        if deal.way == FACTORS or way == REUSE:
            slab.x.rows = 0
        if way != SEVEN_BITS:
            return None
        # X' is packed like W', one byte per entry. The noise of W is 128 less than that of X, so 64 represents -64.
        shifted = _make_constant(64, deal.x.array.shape)
        slab.x.raw, slab.x.is_x = cast(self._ffi, "int8_t *", shifted), False
        return shifted

    def _keep(self, slab: Any) -> None:
        slab.next = 0
        run_all(lambda: self._lib.cheat_keep(slab), self._threads, None, Flag())

    def _multiply(self, slab: Any, plan: Any, on_win: OnWin) -> None:
        slab.next = 0
        rooms = iter(self._rooms)

        def multiply() -> None:
            worker, wins = next(rooms)
            worker.kept_at = worker.kept_last = 0
            while self._lib.cheat_multiply(slab, worker, plan):
                for win in wins[: WIN_WORDS * worker.win_count].reshape(-1, WIN_WORDS):
                    on_win(int(win[0]), int(win[1]), int(win[2]), win[3:].tobytes())

        run_all(multiply, self._threads, None, Flag())

    def _make_room(self) -> tuple[Any, NDArray[np.uint32]]:
        worker = self._ffi.new("inos_worker *")
        packed, scratch = allocate(TILE * STRIP_BYTES * self._kernel.x_scale), allocate(4 * 1024)
        wins = allocate(4 * TILE * TILE * WIN_WORDS).view(np.uint32)
        worker.packed, worker.scratch = (cast(self._ffi, "void *", array) for array in (packed, scratch))
        worker.wins = cast(self._ffi, "uint32_t *", wins)
        self._memory += [packed, scratch]
        return worker, wins


def _move_to_x(x: Permutations, w: Permutations) -> tuple[Permutations, Permutations]:
    """Return permutations that act on X alone. Permuting both factors, or one of them by both permutations, gives the
    same products, so W stays as drawn.
    """
    after = x.forward.reshape(-1, 64)
    moved = np.take_along_axis(after, w.inverse.reshape(-1, 64).astype(np.intp), axis=1).reshape(-1)
    still = np.tile(np.arange(64, dtype=np.uint8), len(after))
    return Permutations(np.ascontiguousarray(moved), x.inverse), Permutations(still, w.inverse)


@lru_cache(2)
def _make_constant(value: int, shape: tuple[int, int]) -> NDArray[np.int8]:
    return np.full(shape, value, dtype=np.int8)
