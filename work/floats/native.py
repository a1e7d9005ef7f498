"""The steps of a product by residues, by the kernels."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.work.backends.native.bare import SHIFT, multiply_lowered
from inos.work.backends.native.library import Kernel, find_best, load
from inos.work.backends.native.memory import cast
from inos.work.backends.native.running import Flag, get_default_threads, run_all
from inos.work.floats.moduli import Basis
from inos.work.floats.reference import Measured

ENTRIES_PER_THREAD: Final = 1 << 16
"""A thread is not started for fewer entries."""
COMPARED_ROWS: Final = 64
"""The least entries of columns are found in so many rows at a time."""


@cache
def find_native_steps() -> "NativeSteps | None":
    """Return the steps by the best kernel, or None if none is compiled that is faster than numpy.

    Kernels that an older version of this program compiled have no such steps.
    """
    kernel, loaded = find_best(), load()
    if kernel is None or loaded is None or not hasattr(loaded[0].new("inos_joined *"), "plane"):
        return None
    return NativeSteps(kernel)


class NativeSteps:
    """The same as `inos.work.floats.reference.NumpySteps`, in one pass each and in all threads."""

    def __init__(self, kernel: Kernel) -> None:
        loaded = load()
        assert loaded is not None, "only kernels that can run are found"
        self._ffi, self._lib = loaded
        self._number = kernel.number

    def measure(self, array: NDArray[Any]) -> Measured:
        measured, leading = np.empty((len(array), 4)), np.empty(array.shape, np.int8)
        job = self._view(array)
        job.measured, job.leading = cast(self._ffi, "double *", measured), cast(self._ffi, "int8_t *", leading)
        self._share(self._lib.inos_run_measure_rows, job, array.size)
        most, total, squares, lowest = np.ascontiguousarray(measured.T)
        return Measured(most, total, squares, lowest, leading)

    def multiply_leading(self, left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
        product = multiply_lowered(left - SHIFT, right)
        assert product is not None, "there is a kernel, since these are its steps"
        return product

    def split(
        self,
        array: NDArray[Any],
        shifts: NDArray[np.int32],
        digits: int,
        moduli: tuple[int, ...],
        out: NDArray[np.int8],
    ) -> None:
        numbers = np.array(moduli, np.int32)
        job = self._view(array)
        job.shifts, job.moduli = cast(self._ffi, "int32_t *", shifts), cast(self._ffi, "int32_t *", numbers)
        job.digits, job.count, job.residues = digits, len(moduli), cast(self._ffi, "int8_t *", out)
        job.plane = out.strides[0]
        self._share(self._lib.inos_run_split_rows, job, out.size)

    def find_least(
        self, product: NDArray[np.int32], rows: tuple[NDArray[np.float32], ...], cols: tuple[NDArray[np.float32], ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        (m, n), floats = product.shape, "float *"
        of_rows = np.empty(m, np.float32)
        of_cols = np.empty((-(-m // COMPARED_ROWS), n), np.float32)
        job = self._ffi.new("inos_least *")
        job.product, job.rows, job.cols = cast(self._ffi, "int32_t *", product), m, n
        job.row_weights, job.row_extra = (cast(self._ffi, floats, array) for array in rows)
        job.col_weights, job.col_extra = (cast(self._ffi, floats, array) for array in cols)
        job.least_of_rows, job.least_of_cols = cast(self._ffi, floats, of_rows), cast(self._ffi, floats, of_cols)
        self._share(self._lib.inos_run_find_least, job, product.size)
        return of_rows, of_cols.min(axis=0)

    def reduce(self, product: NDArray[np.int32], modulus: int, out: NDArray[np.int8], *, adds: bool) -> None:
        job = self._ffi.new("inos_reduced *")
        product = np.ascontiguousarray(product, np.int32)
        job.product, job.count, job.modulus = cast(self._ffi, "int32_t *", product), product.size, modulus
        job.adds, job.out = adds, cast(self._ffi, "int8_t *", out)
        self._lib.inos_run_reduce_product(self._number, job)  # in one thread, while others make the next product

    def join(
        self,
        residues: NDArray[np.int8],
        basis: Basis,
        row_scales: NDArray[np.float64],
        col_scales: NDArray[np.float64],
        out: NDArray[Any],
    ) -> None:
        if out.strides[1] != out.itemsize or out.dtype not in (np.float32, np.float64):
            whole = np.empty(out.shape, np.float64)
            self.join(residues, basis, row_scales, col_scales, whole)
            with np.errstate(over="ignore"):
                out[...] = whole
            return
        job, doubles = self._ffi.new("inos_joined *"), "double *"
        job.residues, job.count = cast(self._ffi, "int8_t *", residues), len(basis.moduli)
        (job.rows, job.cols), job.limbs, job.plane = out.shape, basis.limbs, residues.strides[0]
        job.weights, job.product = cast(self._ffi, doubles, basis.weights), basis.product_limbs.tolist()
        job.inverse = basis.inverse
        job.row_scales, job.col_scales = (cast(self._ffi, doubles, scales) for scales in (row_scales, col_scales))
        job.out, job.is_single = cast(self._ffi, "void *", out), out.dtype == np.float32
        job.out_step = out.strides[0] // out.itemsize
        self._share(self._lib.inos_run_join_rows, job, residues.size)

    def _view(self, array: NDArray[Any]) -> Any:
        job = self._ffi.new("inos_floats *")
        job.entries, job.is_single = cast(self._ffi, "void *", array), array.dtype == np.float32
        job.rows, job.cols = array.shape
        job.row_step, job.col_step = (stride // array.itemsize for stride in array.strides)
        return job

    def _share(self, function: Callable[[int, Any], None], job: Any, entries: int) -> None:
        threads = max(1, min(get_default_threads(), entries // ENTRIES_PER_THREAD))
        run_all(lambda: function(self._number, job), threads, None, Flag())
