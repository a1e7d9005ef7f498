"""Products of int16 matrices on the int7 engine: each matrix is a sum of int7 limbs (protocol, section 2)."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import DType
from inos.work.strips import InvalidMatrix, check_shape

LIMB_BITS: Final = 7
LIMBS: Final = 3
"""Signed digits -64..63 to base 128: two reach 8127, three over a million."""
EXACT_DEPTH: Final = 4096
"""64 * 64 * 4096 = 2^24: this many terms are exact in float32."""

MultiplyLimb: TypeAlias = Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[Any]]


def split_int16(array: NDArray[Any]) -> tuple[NDArray[np.int8], ...]:
    """Return three operands d0, d1, d2 with array = d0 + 128 d1 + 128^2 d2 and entries -64..63, for any int16.

    Raises:
        InvalidMatrix: "bad-dtype".
    """
    if array.dtype != np.int16:
        raise InvalidMatrix("bad-dtype", f"limbs are split from an int16 array, not {array.dtype}")
    rest = array.astype(np.int32)
    limbs = []
    for _ in range(LIMBS):
        limb = ((rest + 64) & 127) - 64
        rest = (rest - limb) >> LIMB_BITS
        limbs.append(limb.astype(np.int8))
    return tuple(limbs)


def multiply_int7(x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return X * W^T of int7 operands, int32 m x n, exactly."""
    product = np.zeros((len(x), len(w)), dtype=np.int32)
    for left in range(0, x.shape[1], EXACT_DEPTH):
        part = x[:, left : left + EXACT_DEPTH].astype(np.float32) @ w[:, left : left + EXACT_DEPTH].astype(np.float32).T
        product += part.astype(np.int32)
    return product


def multiply_limbs(
    x: NDArray[np.int16], w: NDArray[np.int16], multiply: MultiplyLimb = multiply_int7
) -> NDArray[np.int64]:
    """Return X * W^T of int16 operands, int64 m x n, exactly: it takes nine products of int7 limbs.

    Args:
        multiply: makes one limb product, int8 m x k by int8 n x k to int32 m x n.
            If it mines, every limb product draws tickets.

    Raises:
        InvalidMatrix: "bad-dtype", "bad-shape", "depth-mismatch".
    """
    for name, array in (("X", x), ("W", w)):
        if array.ndim != 2:
            raise InvalidMatrix("bad-shape", f"{name} has two dimensions, not {array.ndim}")
        check_shape(DType.INT7, *array.shape)
    if x.shape[1] != w.shape[1]:
        raise InvalidMatrix("depth-mismatch", f"X has {x.shape[1]} columns and W has {w.shape[1]}")
    total = np.zeros((len(x), len(w)), dtype=np.int64)
    limbs_w = split_int16(w)
    for a, limb_x in enumerate(split_int16(x)):
        for b, limb_w in enumerate(limbs_w):
            total += multiply(limb_x, limb_w).astype(np.int64) << LIMB_BITS * (a + b)
    return total
