"""Small products by the kernels: all blocks of one in few calls, each of which hashes, multiplies and draws tickets."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.primitives.units import HASH_BYTES
from inos.work.backends.native.library import Kernel, load
from inos.work.backends.native.memory import allocate, cast
from inos.work.backends.native.plan import MAX_SLAB_PANELS, plan_small

MAX_MACS: Final = 1 << 26
"""A block of fewer multiplications is small; one call makes at most so many, which take a few milliseconds."""
MAX_KEPT_BYTES: Final = 48 << 20
"""The ids and the noise of W's are kept for the next product, up to so many bytes of all of them."""
_NOTHING, _IDS, _NOISE = range(3)
"""What is known of W: w_known of the kernels."""


class SmallProducts:
    """Makes small products under one anchor, with one thread. It is used by one thread at a time.

    Args:
        anchor, target: as of `inos.work.Lottery`.
    """

    def __init__(self, kernel: Kernel, anchor: bytes, target: int) -> None:
        loaded = load()
        assert loaded is not None, "only backends that can run are run"
        self._ffi, self._lib = loaded
        self._kernel = kernel
        self._jobs: dict[tuple[int, int, int, int], _Job | None] = {}
        self._kept_bytes = 0
        self._memory = allocate(1)
        self.set_template(anchor, target)

    def set_template(self, anchor: bytes, target: int) -> None:
        """Draw the tickets of all later products under another anchor."""
        self._anchor = self._ffi.from_buffer("uint8_t[]", anchor)
        self._target = np.frombuffer(target.to_bytes(HASH_BYTES, "big"), dtype=">u4").tolist()
        for job in self._jobs.values():
            if job is not None:
                self._set_template(job)

    def prepare(self, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int, *, is_kept: bool) -> "_Job | None":
        """Return what `multiply` needs for operands of these shapes, or None if they are not small or not contiguous.

        Args:
            is_kept: the array `w` stays as it is and alive, so that it is hashed once.
        """
        key = id(w) if is_kept else -w.shape[1], len(x), len(w), blocks
        if key not in self._jobs:
            if self._kept_bytes > MAX_KEPT_BYTES:
                self._jobs.clear()
                self._kept_bytes = 0
            self._jobs[key] = self._make_job(x, w, blocks, is_kept=is_kept)
        is_readable = x.flags.c_contiguous and w.flags.c_contiguous
        return self._jobs[key] if is_readable else None

    def multiply(
        self, job: "_Job", x: NDArray[np.int8], w: NDArray[np.int8], out: NDArray[np.int32], first: int
    ) -> tuple[int, list[int]] | None:
        """Write the products of some blocks from `first` on, as many as `job.together`.

        Returns:
            The number of tickets, and the blocks that have a winning one; None if an entry is outside -64 .. 63.
        """
        call = job.call
        call.x, call.w, call.out = (
            cast(self._ffi, "int8_t *", x),
            cast(self._ffi, "int8_t *", w),
            cast(self._ffi, "int32_t *", out),
        )
        call.first, call.last = first, min(first + job.together, job.blocks)
        call.memory = self._ffi.from_buffer("uint8_t *", self._memory)
        if not self._lib.inos_run_products(self._kernel.number, call):
            return None
        if job.is_kept and call.last == job.blocks:
            call.w_known = _NOISE
        won = [at for at in range(first, call.last) if job.has_won[at]] if 1 in job.has_won else []
        return call.tickets, won

    def _make_job(self, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int, *, is_kept: bool) -> "_Job | None":
        rows, cols, depth = len(x) // blocks, len(w) // blocks, x.shape[1]
        panels, macs = -(-depth // PANEL_BYTES), rows * cols * depth
        if panels > MAX_SLAB_PANELS or macs >= MAX_MACS:
            return None
        plan = plan_small(-(-rows // STRIP_ROWS), -(-cols // STRIP_ROWS), panels, self._kernel.x_scale)
        if plan is None:
            return None
        job = _Job(self._ffi, blocks, panels, is_kept, min(blocks, max(1, MAX_MACS // macs)))
        call = job.call
        call.x_rows, call.w_rows, call.cols = rows, cols, depth
        call.keeps_x, call.tile_streamed = plan
        self._set_template(job)
        size = self._lib.inos_products_bytes(self._kernel.number, call)
        if size > len(self._memory):
            self._memory = allocate(size)
        self._kept_bytes += job.nbytes
        return job

    def _set_template(self, job: "_Job") -> None:
        job.call.anchor, job.call.target = self._anchor, self._target
        job.call.w_known = min(job.call.w_known, _IDS)


class _Job:
    """The kernels' struct for operands of one shape, or for one W, and the memory that it points to."""

    def __init__(self, ffi: Any, blocks: int, panels: int, is_kept: bool, together: int) -> None:
        self.blocks, self.is_kept, self.together = blocks, is_kept, together
        self.has_won = bytearray(blocks)
        hashes = [allocate(blocks * HASH_BYTES) for _ in range(2)]
        noise = [allocate(blocks * panels * PANEL_BYTES) for _ in range(2)]
        self._arrays = [*hashes, *noise]
        self.nbytes = blocks + sum(each.nbytes for each in self._arrays)
        self.call = ffi.new("inos_products *")
        self.call.w_ids, self.call.w_seeds = (ffi.from_buffer("uint8_t *", each) for each in hashes)
        self.call.w_perms, self.call.w_inverse = (ffi.from_buffer("uint8_t *", each) for each in noise)
        self._won_pointer = ffi.from_buffer("uint8_t[]", self.has_won)
        self.call.has_won = self._won_pointer
