"""Operands of products have 7 or 14 bits, and one scale for the whole matrix, which is found at run time.

A matrix x in fixed point becomes the integers round(x / (top / levels)), where top is its largest magnitude. Their sum
of products times both scales is the product in fixed point again. Only the scales are numbers of run time, 1 x 1 each;
shifts follow from the static bounds of both operands, so that nothing overflows.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from msgspec import Struct

from inos.programs.builder import Value
from inos.programs.library import split_limbs, transpose
from inos.programs.library.arithmetic import compute_multiplier

STEP_BITS: Final = 12
"""Fraction bits of an operand's scale."""
SEVEN: Final = 63
FOURTEEN: Final = 8127
"""Levels of an operand of one limb, and of one of two limbs of seven bits."""
_ROOM: Final = 61
"""Bits of an entry and of each intermediate, without its sign."""
_FACTOR_BITS: Final = 14


class Operand(Struct, frozen=True, eq=False):
    """Holds a matrix for products.

    Attributes:
        limbs: int7 matrices, the n-th counted 128^n times.
        step: 1 x 1; one level is step / 2^STEP_BITS units of the number's fixed point.
        bits: fraction bits of that fixed point.
    """

    limbs: tuple[Value, ...]
    step: Value
    bits: int

    def map(self, view: Callable[[Value], Value]) -> "Operand":
        """Return the operand whose limbs are views of these ones."""
        return Operand(tuple([view(limb) for limb in self.limbs]), self.step, self.bits)

    def transpose(self) -> "Operand":
        return self.map(transpose)


def quantise(x: Value, bits: int, levels: int) -> Operand:
    """Return a fixed-point matrix as an operand; the division is one of scalars, entries are multiplied."""
    b = x.builder
    top = b.clamp(find_top(x), 1, max(x.largest, 1))
    shift = _ROOM - x.largest.bit_length() - levels.bit_length()
    inverse = b.intdiv(levels << shift, top)
    found = b.clamp(b.mul(x, inverse, shift), -levels, levels)
    step = b.intdiv(1 << min(shift + STEP_BITS, _ROOM), inverse)
    if shift + STEP_BITS > _ROOM:
        step = step * (1 << shift + STEP_BITS - _ROOM)
    return Operand((found,) if levels == SEVEN else split_limbs(found), step, bits)


def find_top(x: Value) -> Value:
    """Return the largest magnitude of a matrix, 1 x 1."""
    b = x.builder
    top = b.max(b.max(x), 0)
    if x.type.lo >= 0:
        return top
    return b.max(b.concat([top, b.max(b.max(-x), 0)]), 0)


def make_exact(x: Value) -> Operand:
    """Return an int7 matrix of integers as the operand that it is."""
    return Operand((x,), x.builder.constant(1 << STEP_BITS), 0)


def multiply(x: Operand, w: Operand, bits: int, most: int, *, factor: float = 1.0, blocks: int = 1) -> Value:
    """Return X * W^T * factor with so many fraction bits, clamped to -most .. most, for each of `blocks` blocks."""
    b, product = x.step.builder, _add_limbs(x, w, blocks)
    multiplier, bits_of_factor = compute_multiplier(factor, _FACTOR_BITS)
    first = max(0, x.step.largest.bit_length() + w.step.largest.bit_length() + _FACTOR_BITS - _ROOM)
    scale = b.mul(b.mul(x.step, w.step, first), int(np.ravel(multiplier)[0]), 0)
    second = max(0, scale.largest.bit_length() + product.largest.bit_length() - _ROOM)
    shift = x.bits + w.bits + 2 * STEP_BITS + bits_of_factor - first - second - bits
    if second:
        scale = b.shift(scale, second)
    if shift < 0:
        scale, shift = scale * (1 << -shift), 0
    return b.clamp(b.mul(product, scale, shift), -most, most)


def _add_limbs(x: Operand, w: Operand, blocks: int) -> Value:
    """Return the product of the integers, over all pairs of limbs."""
    b, total = x.step.builder, None
    for n, left in enumerate(x.limbs):
        for m, right in enumerate(w.limbs):
            part = b.matmul(left, right, blocks) * (1 << 7 * (n + m)) if n + m else b.matmul(left, right, blocks)
            total = part if total is None else total + part
    assert total is not None
    return total
