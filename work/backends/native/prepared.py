"""W packed under its noise, once per anchor; its sums under X's noise, once per X."""

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from primitives.matrices import STRIP_BYTES, STRIP_ROWS
from work.backends.native.library import Kernel, load
from work.backends.native.running import Flag, run_all
from work.matrices import Operand
from work.noise import STEP, compute_noise_w, compute_permutations

MAX_KEPT_BYTES: Final = 256 << 20
"""W' is kept whole up to this size, and packed again for every tile of X above it."""
PIECE: Final = 16
"""Strips packed in one call."""
PEEL_BYTES: Final = 4096
"""One side of the peeling of one strip, per chunk of 16 panels: 16 rows x 128 int16."""
CHUNK_PANELS: Final = 16
STEPS: Final = 16


def compute_chunks(panels: int) -> int:
    """Parts of k that are peeled apart, so that sums of columns fit int16."""
    return -(-panels // CHUNK_PANELS)


def compute_perms(seed: bytes, panels: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The permutations of all steps and their inverses: steps x 64 each."""
    perms = compute_permutations(seed, 0, panels * STEPS)
    return perms.astype(np.uint8), np.argsort(perms, axis=1).astype(np.uint8)


def allocate(count: int) -> NDArray[np.uint8]:
    """`count` bytes on a cache line of their own: a load across two lines costs twice."""
    memory = np.empty(count + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + count]


class PreparedW:
    """W under one anchor, for any number of X."""

    def __init__(self, kernel: Kernel, w: Operand, seed_w: bytes) -> None:
        loaded = load()
        assert loaded is not None, "only backends that can run are run"
        self._ffi, self._lib = loaded
        self._kernel, self._w, self._seed = kernel, w, seed_w
        self.perms, self.inverse = compute_perms(seed_w, w.panels)
        self.stride = w.panels * STRIP_BYTES
        """Bytes of one packed strip."""
        self._kept: NDArray[np.uint8] | None = None
        self._sums: tuple[bytes, NDArray[np.uint8]] | None = None

    def pack_all(self, threads: int, stop: threading.Event | None) -> None:
        """Pack W whole where it is to be kept. Raises `Stopped`."""
        if self._w.strips * self.stride > MAX_KEPT_BYTES:
            return
        kept, flag = allocate(self._w.strips * self.stride), Flag()
        run_all(lambda first: self._pack_piece(first, kept, flag), self._pieces(), threads, stop, flag)
        self._kept = kept

    def get_packed(self, first: int, last: int, flag: Flag) -> NDArray[np.uint8]:
        """W' of strips [first, last), packed."""
        if self._kept is not None:
            return self._kept[first * self.stride : last * self.stride]
        packed = allocate((last - first) * self.stride)
        self._pack(first, last, packed, flag)
        return packed

    def compute_sums(
        self, seed_x: bytes, inverse_x: NDArray[np.uint8], threads: int, stop: threading.Event | None
    ) -> NDArray[np.uint8]:
        """W's side of the peeling: strips x chunks x 4096 bytes. Kept for the last X. Raises `Stopped`."""
        kept = self._sums
        if kept is not None and kept[0] == seed_x:
            return kept[1]
        stride = compute_chunks(self._w.panels) * PEEL_BYTES
        sums, flag = allocate(self._w.strips * stride), Flag()

        def run(first: int) -> None:
            last = min(first + PIECE, self._w.strips)
            # Named, so that they live until the call is over: a cast keeps nothing alive.
            packed, noise = self.get_packed(first, last, flag), self._get_noise(first, last)
            self._lib.inos_run_sum_w(
                self._kernel.number,
                self._cast("int8_t *", packed),
                last - first,
                self._w.panels,
                self._cast("uint8_t *", noise),
                self._cast("uint8_t *", inverse_x),
                self._cast("int16_t *", sums[first * stride :]),
                flag.pointer,
            )

        run_all(run, self._pieces(), threads, stop, flag)
        self._sums = (seed_x, sums)
        return sums

    def _pieces(self) -> range:
        return range(0, self._w.strips, PIECE)

    def _pack_piece(self, first: int, kept: NDArray[np.uint8], flag: Flag) -> None:
        self._pack(first, min(first + PIECE, self._w.strips), kept[first * self.stride :], flag)

    def _get_noise(self, first: int, last: int) -> NDArray[np.uint8]:
        return compute_noise_w(self._seed, first * STRIP_ROWS, last * STRIP_ROWS).view(np.uint8)

    def _pack(self, first: int, last: int, out: NDArray[np.uint8], flag: Flag) -> None:
        noise = self._get_noise(first, last)
        job = self._ffi.new("inos_pack *")
        job.raw = self._cast("int8_t *", self._w.array)
        job.rows, job.cols, job.panels = self._w.ref.rows, self._w.ref.cols, self._w.panels
        job.first, job.last = first, last
        job.noise, job.perms = self._cast("uint8_t *", noise), self._cast("uint8_t *", self.perms)
        job.packed, job.stop = self._cast("uint8_t *", out), flag.pointer
        self._lib.inos_run_pack(self._kernel.number, job)

    def _cast(self, kind: str, array: NDArray[Any]) -> Any:
        return self._ffi.cast(kind, array.ctypes.data)


assert STEP * STEPS * STRIP_ROWS == STRIP_BYTES
