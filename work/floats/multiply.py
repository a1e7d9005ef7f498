"""The product of two matrices of floats, by the fastest way that keeps its bound."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.work.floats.engines import Engine
from inos.work.floats.residues import multiply_residues
from inos.work.floats.slices import multiply_exactly, multiply_slices


def multiply_floats(
    a: NDArray[Any],
    b: NDArray[Any],
    engine: Engine,
    *,
    accuracy: float,
    scout: Engine | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return A * B^T of finite matrices, m x k by n x k, rounded to the type of `out`.

    The error is at most accuracy * (|A| * |B|^T) and one rounding, entry by entry. It is the rounding alone for small
    products whose entries do not lie too far apart (`slices.EXACT_WORK`, `EXACT_DEPTH`, `EXACT_SLICES`).

    Args:
        a, b: float32 or float64, in any order of memory.
        engine: makes the products that the result is put together from.
        scout: makes the product that shows how many slices are needed, if residues do not serve; the engine by default.
        out: float32 or float64, m x n, rows in order; by default float64.
    """
    if out is None:
        out = np.empty((len(a), len(b)))
    scout = scout or engine
    parts = multiply_exactly(a, b, engine)
    if parts is None and multiply_residues(a, b, engine, accuracy, out):
        return out
    hi, lo = parts or multiply_slices(a, b, engine, accuracy, scout)
    with np.errstate(over="ignore"):
        out[...] = hi + lo
    return out
