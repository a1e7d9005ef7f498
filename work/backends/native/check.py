"""Freivalds' check by the kernels: one pass over Y, in exact integers (protocol, section 5)."""

from collections.abc import Callable
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from work.backends.native.library import Kernel, find_best, load
from work.backends.native.running import Flag, get_default_threads, run_all

VECTORS: Final = 16
COLUMNS: Final = 128
"""Columns of W, or rows of X and Y, in one call."""
ROWS: Final = 64
LIMB_BITS: Final = 16
LIMBS: Final = 3
"""W^T R stays below 2^35 + 2^27, which three signed 16-bit limbs hold."""


def check_natively(
    x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], vectors: NDArray[np.uint8], kernel: Kernel | None = None
) -> bool | None:
    """Whether Y R = X (W^T R), or None where no kernel can say.

    Args:
        x: int8, m x k; w: int8, n x k; y: int32, m x n; vectors: R, n x 16 bytes.
        kernel: None for the best.
    """
    loaded, kernel = load(), kernel or find_best()
    if loaded is None or kernel is None or not y.flags.c_contiguous:
        return None
    return _Check(loaded, kernel, np.ascontiguousarray(x), np.ascontiguousarray(w), y, vectors).run()


def pair_rows(rows: NDArray[np.int16]) -> NDArray[np.int16]:
    """rows x 16 as [pair of rows][16][2], a missing last row zero."""
    even = np.zeros((len(rows) + len(rows) % 2, VECTORS), dtype=np.int16)
    even[: len(rows)] = rows
    return np.ascontiguousarray(even.reshape(-1, 2, VECTORS).transpose(0, 2, 1))


def split_limbs(total: NDArray[np.int64]) -> list[NDArray[np.int16]]:
    """Signed 16-bit limbs, lowest first, no more than are needed."""
    limbs: list[NDArray[np.int16]] = []
    while len(limbs) < LIMBS and (not limbs or total.any()):
        low = total.astype(np.int16)
        limbs.append(low)
        total = (total - low) >> LIMB_BITS
    return limbs


class _Check:
    def __init__(
        self,
        loaded: tuple[Any, Any],
        kernel: Kernel,
        x: NDArray[np.int8],
        w: NDArray[np.int8],
        y: NDArray[np.int32],
        vectors: NDArray[np.uint8],
    ) -> None:
        self._ffi, self._lib = loaded
        self._kernel, self._x, self._w, self._y = kernel, x, w, y
        self._vectors = pair_rows(vectors.astype(np.int16))
        self._columns = np.zeros((VECTORS, len(vectors) + len(vectors) % 2), dtype=np.int16)
        self._columns[:, : len(vectors)] = vectors.T
        # Y's low half is made signed by taking 2^15 off every entry; this puts it back.
        self._sums = vectors.sum(axis=0, dtype=np.int64) << (LIMB_BITS - 1)
        self._flag = Flag()
        self._is_right = True

    def run(self) -> bool:
        projected = self._project()
        limbs = split_limbs(projected)
        self._limbs = np.concatenate([pair_rows(limb) for limb in limbs])
        job = self._ffi.new("inos_check *")
        job.x, job.y = self._cast("int8_t *", self._x), self._cast("int32_t *", self._y)
        job.k, job.n, job.limb_count = self._x.shape[1], self._y.shape[1], len(limbs)
        job.vectors, job.limbs = self._cast("int16_t *", self._vectors), self._cast("int16_t *", self._limbs)
        job.sums = self._cast("int64_t *", self._sums)
        rows = len(self._x)

        def check(first: int) -> None:
            if self._is_right and not self._lib.inos_run_check(
                self._kernel.number, job, first, min(first + ROWS, rows)
            ):
                self._is_right = False

        self._share(check, range(0, rows, ROWS))
        return self._is_right

    def _project(self) -> NDArray[np.int64]:
        """W^T R: k x 16."""
        n, k = self._w.shape
        stride = self._columns.shape[1]
        total = np.zeros((k, VECTORS), dtype=np.int64)
        w, vectors, out = (
            self._cast("int8_t *", self._w),
            self._cast("int16_t *", self._columns),
            self._cast("int64_t *", total),
        )

        def project(first: int) -> None:
            self._lib.inos_run_project(
                self._kernel.number, w, n, k, vectors, stride, first, min(first + COLUMNS, k), out
            )

        self._share(project, range(0, k, COLUMNS))
        return total

    def _share(self, work: Callable[[int], None], pieces: range) -> None:
        shared, lock = iter(pieces), Lock()

        def drain() -> None:
            while True:
                with lock:
                    piece = next(shared, None)
                if piece is None:
                    return
                work(piece)

        run_all(drain, min(get_default_threads(), len(pieces)), None, self._flag)

    def _cast(self, kind: str, array: NDArray[Any]) -> Any:
        return self._ffi.cast(kind, array.ctypes.data)
