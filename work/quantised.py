"""Layers on int7 operands: rows of float32 become int7 entries with one scale each, and products float32 again."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.work.backends.native.library import find_best, load
from inos.work.backends.native.memory import cast
from inos.work.backends.native.running import Flag, get_default_threads, run_all

LARGEST: Final = 63
"""The largest entry of an int7 operand that exists with both signs."""
SMALLEST: Final = np.float32(1e-30)
"""A row whose entries are all smaller is scaled as if one of them were this large."""
ENTRIES_PER_THREAD: Final = 1 << 16


def quantise_rows(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return entries -63..63 and the value of one unit for each row, float32: rows are about entries * unit.

    Args:
        rows: float32, in row order.
    """
    entries, units = np.empty(rows.shape, np.int8), np.empty(len(rows), np.float32)
    if (compiled := _find_compiled("inos_run_quantise_rows")) is None:
        units[...] = np.maximum(np.abs(rows).max(axis=1, initial=0), SMALLEST) / np.float32(LARGEST)
        with np.errstate(invalid="ignore"):
            entries[...] = np.rint(np.fmax(np.fmin(rows / units[:, None], LARGEST), -LARGEST))  # 63 for NaN too
        return entries, units
    ffi, lib, kernel = compiled
    job = ffi.new("inos_quantised *")
    job.entries, (job.rows, job.cols) = cast(ffi, "float *", rows), rows.shape
    job.out, job.scales = cast(ffi, "int8_t *", entries), cast(ffi, "float *", units)
    _share(lambda: lib.inos_run_quantise_rows(kernel, job), rows.size)
    return entries, units


def scale_product(
    product: NDArray[np.int32],
    row_units: NDArray[np.float32],
    col_units: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return product * (unit of its row * unit of its column) + the column's bias, float32."""
    if (compiled := _find_compiled("inos_run_scale_product")) is None:
        return product.astype(np.float32) * (row_units[:, None] * col_units) + bias
    ffi, lib, kernel = compiled
    out, job = np.empty(product.shape, np.float32), ffi.new("inos_scaled *")
    job.product, (job.rows, job.cols) = cast(ffi, "int32_t *", product), product.shape
    job.row_scales, job.col_scales, job.bias = (cast(ffi, "float *", array) for array in (row_units, col_units, bias))
    job.out = cast(ffi, "float *", out)
    _share(lambda: lib.inos_run_scale_product(kernel, job), product.size)
    return out


def _find_compiled(function: str) -> tuple[Any, Any, int] | None:
    """Return (ffi, lib, number of the best kernel), or None; kernels of an older version lack the function."""
    loaded, kernel = load(), find_best()
    if loaded is None or kernel is None or not hasattr(loaded[1], function):
        return None
    return (*loaded, kernel.number)


def _share(function: Any, entries: int) -> None:
    run_all(function, max(1, min(get_default_threads(), entries // ENTRIES_PER_THREAD)), None, Flag())
