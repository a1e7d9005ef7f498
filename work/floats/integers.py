"""Integers of any width on the int7 engine, by limbs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.work.floats.engines import Engine
from inos.work.floats.slices import DIGIT_BITS, multiply_pairs
from inos.work.strips import InvalidMatrix


def multiply_integers(a: NDArray[Any], b: NDArray[Any], engine: Engine) -> NDArray[np.int64]:
    """Return A * B^T of integer matrices, m x k by n x k, exactly, int64 m x n.

    Raises:
        InvalidMatrix: "product-too-large" if an entry might not fit 64 bits.
    """
    if not a.size or not b.size:
        return np.zeros((len(a), len(b)), np.int64)
    most = _sum_magnitudes(a) * max(abs(int(b.min())), abs(int(b.max())))
    if most >= 1 << 63:
        raise InvalidMatrix(
            "product-too-large",
            f"entries of the product may reach {float(most):.3g}, beyond 64-bit integers",
            hint="scale an operand down, or pass float64",
        )
    left, right = _split_integers(a), _split_integers(b)
    total = np.zeros((len(a), len(b)), np.int64)
    for d, part in multiply_pairs(left, right, len(left) + len(right) - 1, engine):
        total += part << DIGIT_BITS * d  # Partial sums may wrap; the sum is right modulo 2^64, and fits.
    return total


def _split_integers(array: NDArray[Any]) -> list[NDArray[np.int8]]:
    """Return signed digits -64..63 to base 128, lowest first, as many as the largest entry needs."""
    rest = array.astype(np.int64)
    slices: list[NDArray[np.int8]] = []
    while not slices or rest.any():
        digits = ((rest + 64) & 127) - 64
        rest = (rest - digits) >> DIGIT_BITS
        slices.append(digits.astype(np.int8))
    return slices


def _sum_magnitudes(array: NDArray[Any]) -> int:
    """Return the largest sum of magnitudes of one row, without rounding."""
    magnitudes = np.abs(array.astype(np.int64)).astype(np.uint64)  # -2^63 included, which abs keeps
    high, low = magnitudes >> np.uint64(32), magnitudes & np.uint64(0xFFFF_FFFF)
    sums = high.sum(axis=1).astype(object) * (1 << 32) + low.sum(axis=1).astype(object)
    return int(sums.max())
