"""Numbers modulo which products are made, and how a number is put together again from its residues.

For moduli m_1 .. m_L with the product M, a number c with |c| < M / 2 is the sum of its residues r_l times
w_l = (M / m_l) * ((M / m_l)^-1 mod m_l), less the nearest multiple of M. The residues may be any numbers congruent to
c. All sums are exact in float64, since weights are cut into limbs of 42 bits.
"""

from fractions import Fraction
from functools import cache
from math import prod
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

MODULI: Final = (
    128, 127, 125, 123, 121, 119, 113, 109, 107, 103, 101, 97, 89, 83, 79, 73, 71, 67, 61, 59, 53, 47, 43, 37
)  # fmt: skip
"""Pairwise coprime numbers whose residues are int7 entries, the largest first."""
LIMB_BITS: Final = 42
MOST_LIMBS: Final = 4
LARGEST_RESIDUE: Final = 112
"""A product that was reduced with float32's precision is congruent, and at most this large in magnitude."""


class Basis(Struct, frozen=True, eq=False):
    """The first moduli, and what a number is put together with."""

    moduli: tuple[int, ...]
    product: int
    limbs: int
    weights: NDArray[np.float64]
    """Signed limbs of each w_l, the lowest first: one row of four per modulus."""
    product_limbs: NDArray[np.float64]
    inverse: float
    """2^(42 * (limbs - 1)) / M."""


@cache
def make_basis(count: int) -> Basis:
    """Return the basis of the first `count` moduli."""
    moduli = MODULI[:count]
    product = prod(moduli)
    weights = [product // m * pow(product // m, -1, m) for m in moduli]
    weights = [w - product if 2 * w > product else w for w in weights]
    room = (1 << 53) // (LARGEST_RESIDUE * count)
    limbs = next(n for n in range(2, MOST_LIMBS + 1) if product >> LIMB_BITS * (n - 1) < room)
    return Basis(
        moduli,
        product,
        limbs,
        np.array([_cut(w, limbs) for w in weights]),
        np.array(_cut(product, limbs)),
        float(Fraction(1 << LIMB_BITS * (limbs - 1), product)),
    )


def find_basis(bound: float) -> Basis | None:
    """Return the smallest basis for numbers of magnitude up to `bound`; None if there is none."""
    return next((basis for n in range(1, len(MODULI) + 1) if 2 * bound < (basis := make_basis(n)).product), None)


def _cut(value: int, limbs: int) -> list[float]:
    """Return signed limbs of 42 bits, the lowest first; the last one takes what is beyond."""
    digits = []
    for _ in range(limbs - 1):
        low = (value + (1 << LIMB_BITS - 1)) % (1 << LIMB_BITS) - (1 << LIMB_BITS - 1)
        digits.append(float(low))
        value = value - low >> LIMB_BITS
    return [*digits, float(value), *[0.0] * (MOST_LIMBS - limbs)]
