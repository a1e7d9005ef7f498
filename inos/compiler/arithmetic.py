"""Fixed-point arithmetic in the operations of the language.

Between layers a real number r is the integer round(r * 2^bits), with `bits` chosen for each tensor such that the range
seen in calibration takes 18 bits. Values are clamped at 2^21, eight times that range.
"""

from collections.abc import Callable
from math import ceil, log2
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inos.compiler.tensors import Tensor, replace_value
from inos.programs.builder import Value
from inos.programs.library.arithmetic import SCALE_BITS, compute_multiplier, rescale
from inos.programs.limits import MAX_SHIFT

RANGE_BITS: Final = 18
LIMIT: Final = 1 << RANGE_BITS + 3
MIN_BITS: Final = -16
MAX_BITS: Final = 30


def choose_bits(peak: float) -> int:
    """Return the fraction bits with which the largest magnitude takes RANGE_BITS bits."""
    if not peak > 0:
        return RANGE_BITS
    return int(np.clip(RANGE_BITS - ceil(log2(peak)), MIN_BITS, MAX_BITS))


def to_fixed(array: ArrayLike, bits: int) -> NDArray[np.int64]:
    """Return real numbers as fixed-point integers, clamped at the limit."""
    scaled = np.nan_to_num(np.asarray(array, np.float64) * 2.0**bits, nan=0.0)
    return np.clip(np.round(scaled), -LIMIT, LIMIT).astype(np.int64)


def limit(x: Value) -> Value:
    """Return the value clamped at the limit, if its type leaves it."""
    return x if x.largest <= LIMIT else x.builder.clamp(x, -LIMIT, LIMIT)


def scale(x: Value, factor: ArrayLike, place: Callable[[Value], Value] | None = None) -> Value:
    """Return round(x * factor). Powers of two are shifts alone, which work on int32 where a multiplier needs int64.

    Args:
        factor: a number, a row or a column.
        place: repeats the multipliers such that they broadcast with x, if they do not already.
    """
    factors = np.atleast_2d(np.asarray(factor, np.float64))
    if factors.size == 1:
        exponent = log2(abs(factors.item())) if factors.item() else 1.0
        if factors.item() > 0 and exponent.is_integer() and -MAX_SHIFT <= exponent <= 0:
            return x.builder.shift(x, -int(exponent)) if exponent else x
    if place is None:
        return rescale(x, factors)
    room = 61 - x.largest.bit_length()
    multipliers, shift = compute_multiplier(factors, max(1, min(SCALE_BITS, room)))
    return x.builder.mul(x, place(x.builder.constant(multipliers)), shift)


def to_bits(x: Tensor, bits: int) -> Tensor:
    """Return the tensor with another number of fraction bits."""
    assert x.bits is not None
    return x if x.bits == bits else replace_value(x, limit(scale(x.value, 2.0 ** (bits - x.bits))), bits)


def find_root(v: Value, start: int, rounds: int) -> Value:
    """Return about the square root of v, at least 1, by rounds of Newton's iteration from a start near them all."""
    b, top = v.builder, 1 << (v.type.hi.bit_length() + 1) // 2
    root = b.clamp(b.shift(b.intdiv(v, start) + start, 1), 1, top)
    for _ in range(rounds - 1):
        root = b.clamp(b.shift(root + b.intdiv(v, root), 1), 1, top)
    return root
