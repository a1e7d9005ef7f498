"""Scaling, rounded division and the square root."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.programs.builder import Value

SCALE_BITS: Final = 30


def compute_multiplier(scale: Any, bits: int = SCALE_BITS) -> tuple[NDArray[np.int64], int]:
    """Return (m, shift) with m / 2^shift close to the scales: the parameters of TOSA's RESCALE.

    All scales share one shift; the largest m has `bits` bits at most.
    """
    scales = np.atleast_2d(np.asarray(scale, dtype=np.float64))
    top = float(np.abs(scales).max())
    shift = int(np.clip(np.floor(bits - 1 - np.log2(max(top, 2.0**-60))), 0, 62))
    return np.round(scales * 2.0**shift).astype(np.int64), shift


def rescale(x: Value, scale: Any, lo: int | None = None, hi: int | None = None, bits: int = SCALE_BITS) -> Value:
    """Return x * scale, rounded to the nearest, and clamped if bounds are given.

    Args:
        scale: a float, one for each column (1 x n), or one for each row (m x 1).
        bits: of the scale's integer; fewer if x is so large that the product would leave 62 bits.
    """
    room = 61 - x.largest.bit_length()
    m, shift = compute_multiplier(scale, max(1, min(bits, room)))
    y = x.builder.mul(x, m, shift)
    return y if lo is None or hi is None else x.builder.clamp(y, lo, hi)


def divide_rounded(a: Value, b: Value) -> Value:
    """Return a / b rounded to the nearest, ties up; a is at least 0 and b at least 1."""
    builder = a.builder
    return builder.intdiv(a * 2 + b, b * 2)


def square_root(v: Value) -> Value:
    """Return the integer part of the square root; v lies in 0 .. 2^60.

    Newton's iteration from above: half of the bits are lost one a round while it is far away, and the last rounds
    double the right digits.
    """
    builder, bits = v.builder, v.type.hi.bit_length()
    top = 1 << (bits + 1) // 2

    def step(carried: list[Value], _: list[Value]) -> tuple[list[Value], list[Value]]:
        root = carried[0]
        return [builder.clamp(builder.shift(root + builder.intdiv(v, root), 1), 1, top)], []

    start = builder.clamp(v, top, top)
    (root,), _ = builder.repeat((bits + 1) // 2 + 6, [(start, 1, top)], [], step)
    return builder.clamp(root - builder.clamp(root * root - v, 0, 1), 0, top)
