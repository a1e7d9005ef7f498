"""Products of quantised layers, and of numbers of two int7 limbs."""

from typing import Any, Final

import numpy as np

from inos.programs.builder import Value
from inos.programs.library.arithmetic import rescale
from inos.programs.library.shapes import rows_of

LIMB_BITS: Final = 7
LEVELS: Final = 63
"""Weights are quantised to -63 .. 63."""


def split_limbs(x: Value) -> tuple[Value, Value]:
    """Return (low, high), both int7, with x = low + 128 * high; x lies in -8256 .. 8127."""
    b = x.builder
    high = b.clamp(b.shift(x, LIMB_BITS), -64, 63)
    return b.clamp(x - high * 128, -64, 63), high


def matmul_limbs(x: Value, w: Value) -> Value:
    """Return X * W^T for X in two limbs and W int7, as one product of twice the rows."""
    b = x.builder
    y = b.matmul(b.concat(split_limbs(x)), w)
    return rows_of(y, 0, x.rows) + rows_of(y, x.rows, x.rows) * 128


def linear(x: Value, weight: Any, *, scale: float, unit: int, bias: Any = None, zero: int = 0) -> Value:
    """Return a float layer's result in fixed point, `unit` to 1.

    Args:
        x: the input, quantised: the number is (x - zero) * scale. In two limbs if it is wider than int7.
        weight: out x in floats, quantised for each output channel.
        bias: `out` floats, or None.
    """
    b = x.builder
    weights = np.asarray(weight, dtype=np.float64)
    steps = np.maximum(np.abs(weights).max(axis=1), 1e-12) / LEVELS
    quantised = np.round(weights / steps[:, None]).astype(np.int8)
    stored = b.operand(quantised)
    y = b.matmul(x, stored) if x.type.is_int7 else matmul_limbs(x, stored)
    offset = -zero * scale * steps * quantised.sum(axis=1, dtype=np.int64) + (0 if bias is None else np.asarray(bias))
    return rescale(y, steps[None] * scale * unit) + b.constant(np.round(offset * unit).astype(np.int64))
