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
    loaded, kernel = load(), kernel or find_best()
    if loaded is None or kernel is None or not y.flags.c_contiguous:
        return None
    ffi, lib = loaded
    (m, n), k, number = y.shape, x.shape[1], kernel.number
    x, w, vectors = (np.ascontiguousarray(array) for array in (x, w, vectors))
    projected = np.zeros((k, VECTORS), dtype=np.int64)
    form_r, form_p = allocate(lib.inos_r_row_bytes(number) * (n + 3)), allocate(lib.inos_p_row_bytes(number) * (k + 3))
    job = ffi.new("inos_check *")
    job.x, job.w, job.y = cast(ffi, "int8_t *", x), cast(ffi, "int8_t *", w), cast(ffi, "int32_t *", y)
    job.m, job.n, job.k = m, n, k
    job.vectors, job.projected = cast(ffi, "uint8_t *", vectors), cast(ffi, "int64_t *", projected)
    job.form_r, job.form_p = cast(ffi, "uint8_t *", form_r), cast(ffi, "uint8_t *", form_p)
    lib.inos_run_start_check(number, job)
    _share(lambda: lib.inos_run_project(number, job), w.nbytes)
    lib.inos_run_form_p(number, job)
    job.next = 0
    _share(lambda: lib.inos_run_compare(number, job), x.nbytes + y.nbytes)
    return not job.is_wrong


def _share(work: Callable[[], None], size: int) -> None:
    run_all(work, max(1, min(get_default_threads(), -(-size // PIECE))), None, Flag())
