"""Freivalds' check by the kernels: one pass over Y, in exact integers (protocol, section 5)."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.work.backends.native.library import Kernel, find_best, load
from inos.work.backends.native.memory import allocate, cast
from inos.work.backends.native.running import Flag, get_default_threads, run_all

VECTORS: Final = 16
PIECE: Final = 1 << 20
"""A thread is started for at least this many bytes of operands and product."""


def check_natively(
    x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], vectors: NDArray[np.uint8], kernel: Kernel | None = None
) -> bool | None:
    """Return True if Y R = X (W^T R), or None if no kernel can check it.

    Args:
        x: int8, m x k; w: int8, n x k; y: int32, m x n; vectors: R, n x 16 bytes.
        kernel: None selects the best one.
    """
    if load() is None or (kernel or find_best()) is None or not y.flags.c_contiguous:
        return None
    return NativeCheck(w, vectors, kernel).check(x, y)


class NativeCheck:
    """W projected onto the vectors once, for any number of blocks of rows of X and Y. Several threads may check.

    Raises:
        RuntimeError: there are no kernels; see `is_available`.
    """

    def __init__(self, w: NDArray[Any], vectors: NDArray[np.uint8], kernel: Kernel | None = None) -> None:
        loaded, kernel = load(), kernel or find_best()
        if loaded is None or kernel is None:
            raise RuntimeError("no kernel runs here")
        self._ffi, self._lib = loaded
        ffi, lib, (n, k), self._number = self._ffi, self._lib, w.shape, kernel.number
        w, vectors = np.ascontiguousarray(w), np.ascontiguousarray(vectors)
        projected = np.zeros((k, VECTORS), dtype=np.int64)
        form_r = allocate(lib.inos_r_row_bytes(self._number) * (n + 63))
        form_p = allocate(lib.inos_p_row_bytes(self._number) * (k + 63))
        self._alive = vectors, projected, form_r, form_p
        job = self._job = ffi.new("inos_check *")
        job.w, job.n, job.k = cast(ffi, "int8_t *", w), n, k
        job.vectors, job.projected = cast(ffi, "uint8_t *", vectors), cast(ffi, "int64_t *", projected)
        job.form_r, job.form_p = cast(ffi, "uint8_t *", form_r), cast(ffi, "uint8_t *", form_p)
        lib.inos_run_start_check(self._number, job)
        _share(lambda: lib.inos_run_project(self._number, job), w.nbytes)
        lib.inos_run_form_p(self._number, job)

    @staticmethod
    def is_available() -> bool:
        return load() is not None and find_best() is not None

    def check(self, x: NDArray[Any], y: NDArray[Any], source: NDArray[np.int32] | None = None) -> bool:
        """Return True if Y R = X (W^T R); `y` is contiguous.

        Args:
            source: `y` is first copied from there, a few rows at a time, which are then checked in the cache. Another
                process may write to it meanwhile. It is contiguous.
        """
        x = np.ascontiguousarray(x)
        job = self._ffi.new("inos_check *", self._job[0])
        job.x, job.y, job.m = cast(self._ffi, "int8_t *", x), cast(self._ffi, "int32_t *", y), len(y)
        if source is not None and hasattr(job, "source"):
            job.source = cast(self._ffi, "int32_t *", source)
        elif source is not None:  # The kernels were compiled before they could copy.
            np.copyto(y, source)
        job.next = job.is_wrong = 0
        _share(lambda: self._lib.inos_run_compare(self._number, job), x.nbytes + y.nbytes)
        return not job.is_wrong


def _share(work: Callable[[], None], size: int) -> None:
    run_all(work, max(1, min(get_default_threads(), -(-size // PIECE))), None, Flag())
