"""Floats as slices of int7 digits, by the Ozaki scheme.

A row of A is written as 2^w (d0 + d1/128 + d2/128^2 + ...) with int7 digits and an exponent w of its own, and so is a
row of B.
The split has no error and the products of digits are exact, so the only error is what is left out: the digits beyond
the last slice, and products of digits p, q with p + q beyond it. K. Ozaki, T. Ogita, S. Oishi, S. M. Rump,
"Error-free transformations of matrix multiplication by using fast routines of matrix multiplication and its
applications", Numerical Algorithms 59 (2012); with int8 engines: H. Ootomo, K. Ozaki, R. Yokota, "DGEMM on integer
matrix multiplication unit" (2024).
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.work.floats.engines import Engine, cut_depth, multiply_deep, sum_pieces

DIGIT_BITS: Final = 7
LEAD: Final = 62
"""The largest leading digit is one less than int7 has, so that a carry from the digit below still fits."""
LONG_BITS: Final = 900
"""With more bits the last diagonals would underflow beside the first."""
HUGE: Final = 900
"""Halving an entry with at least this exponent never loses a bit of it."""
TINY: Final = 2.0**-960
"""Numbers above this have all their bits, down to 2^-53 of them."""
LEVEL_BITS: Final = 500
"""Entries are compared in levels of this many bits, since a product of two may lie below the smallest float."""
CACHED: Final = 1 << 15
"""So many entries are processed at a time, so that intermediate results stay in cache."""
EXACT_WORK: Final = 1 << 20
"""Products of at most this many multiplications keep every pair of digits: their result is exact, rounded once."""
STACKED_ENTRIES: Final = 1 << 20
"""Small products make all pairs of slices in one product of at most so many entries."""
EXACT_DEPTH: Final = 16
"""Products of at most this many terms are exact too, since numpy itself rounds hardly more than once there."""
EXACT_SLICES: Final = 12
"""A product that would need more slices than this is not kept exact."""


class Split:
    """The digits of one matrix, as many slices as were requested so far.

    Args:
        array: float32 or float64, rows x k, finite.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        array = array.astype(np.float64, copy=False)
        self._magnitudes = np.abs(array)
        _, exponents = np.frexp(self._magnitudes.max(axis=1, initial=0.0))
        self.exponents = exponents.astype(np.int64) - (DIGIT_BITS - 1)
        lead = np.rint(np.ldexp(array, -self.exponents[:, None]))
        self.exponents += np.abs(lead).max(axis=1, initial=0.0) > LEAD
        self.scaled: NDArray[np.float64] = np.ldexp(array, -self.exponents[:, None])
        """The entries divided by 2^w are at most LEAD + 0.5 in magnitude; those far below the largest may underflow."""
        self._digits: list[NDArray[np.int8]] = []
        smallest = np.abs(self.scaled).min(where=array != 0, initial=1.0)
        self._is_scaled = bool(smallest > TINY)
        """True if the remainder is kept in units of the next digit, exact and fast; else it is kept as it was given."""
        self._rest = self.scaled.copy() if self._is_scaled else array.copy()

    @property
    def count(self) -> int:
        return len(self._digits)

    @property
    def is_exact(self) -> bool:
        """Return True if nothing is left beyond the slices."""
        return not self._rest.any()

    def extend(self, count: int) -> None:
        """Make `count` slices, or fewer if these hold everything."""
        while self.count < count and not (self.count and self.is_exact):
            if self._is_scaled:
                digits = np.rint(self._rest)
                self._rest -= digits
                self._rest *= 1 << DIGIT_BITS
                self._digits.append(digits.astype(np.int8))
                continue
            weight = (self.exponents - DIGIT_BITS * self.count)[:, None]
            digits = np.rint(np.ldexp(self._rest, -weight))
            # Digits of the largest floats may round up to 2^1024: they are subtracted in halves, which is exact there.
            half = np.where((weight > HUGE) & (digits != 0), 1, 0)
            rest = np.ldexp(self._rest, -half) - np.ldexp(digits, weight - half)
            self._rest = np.ldexp(rest, half)
            self._digits.append(digits.astype(np.int8))

    def make_slices(self) -> list[NDArray[np.int8]]:
        """Return the slices with every entry in -64..63: digits that round to 64 carry into the slice above."""
        slices = [digits.copy() for digits in self._digits]
        for p in range(len(slices) - 1, 0, -1):
            is_over = slices[p] > 63
            slices[p][is_over] = -64
            slices[p - 1] += is_over
        return slices

    def make_levels(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield (p, the magnitudes divided by 2^(w - 500 p)) of the entries for which these lie in 2^-493 .. 2^7.

        No product of two of them underflows, however far the entries of a row lie apart.
        """
        fractions, exponents = np.frexp(self._magnitudes)
        bits = exponents.astype(np.int64) - self.exponents[:, None]
        levels = np.where(fractions > 0, (DIGIT_BITS - bits) // LEVEL_BITS, -1)
        for p in np.unique(levels[levels >= 0]):
            is_here = levels == p
            yield int(p), np.where(is_here, np.ldexp(fractions, np.where(is_here, bits + LEVEL_BITS * p, 0)), 0.0)

    def sum_digits(self) -> float:
        """Return the largest sum of all digits' magnitudes of one row."""
        total = np.zeros(len(self.exponents))
        for digits in self.make_slices():
            total += np.abs(digits.astype(np.int16)).sum(axis=1)
        return float(total.max(initial=0.0))


def multiply_exactly(
    a: NDArray[Any], b: NDArray[Any], engine: Engine
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return A * B^T as hi + lo without any error before the rounding to hi + lo (106 bits).

    It returns None if the product is not small (EXACT_WORK, EXACT_DEPTH), or EXACT_SLICES slices do not hold it.
    """
    (m, k), n = a.shape, len(b)
    if k > EXACT_DEPTH and m * n * k > EXACT_WORK:
        return None
    left, right = Split(a), Split(b)
    for side in (left, right):
        side.extend(EXACT_SLICES)
    if not (left.is_exact and right.is_exact):
        return None
    return _multiply_split(left, right, left.count + right.count - 1, engine)


def multiply_slices(
    a: NDArray[Any], b: NDArray[Any], engine: Engine, accuracy: float, scout: Engine
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A * B^T of finite matrices, m x k by n x k, as hi + lo, each float64 m x n.

    The error before the rounding to hi + lo (106 bits) is at most accuracy * (|A| * |B|^T), entry by entry, however far
    the entries lie apart.

    Args:
        engine: makes the products of digits: one per diagonal, or one of all if they are small.
        scout: makes the product that shows how many slices are needed.
    """
    left, right = Split(a), Split(b)
    return _multiply_split(left, right, _choose_kept(left, right, scout, accuracy), engine)


def _multiply_split(
    left: Split, right: Split, kept: int, engine: Engine
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    diagonals = multiply_pairs(left.make_slices(), right.make_slices(), kept, engine)
    weights = left.exponents[:, None] + right.exponents[None, :]
    if kept * DIGIT_BITS > LONG_BITS:
        return _sum_long(diagonals, weights)
    hi, lo = np.zeros(weights.shape), np.zeros(weights.shape)
    for d, part in _join(diagonals, left.scaled.shape[1] * min(left.count, right.count)):
        _accumulate(hi, lo, part, 2.0 ** (-DIGIT_BITS * d))
    with np.errstate(over="ignore", under="ignore"):
        hi, lo = np.ldexp(hi, weights), np.ldexp(lo, weights)
    return hi, np.where(np.isfinite(hi), lo, 0.0)


def _choose_kept(left: Split, right: Split, scout: Engine, accuracy: float) -> int:
    """Split both sides as far as needed, and return the number of diagonals to multiply: those of pairs of digits (p,
    q) with p + q below it.
    """
    least_bits = _find_least_bits(left, right, scout)
    kept = 1
    while True:
        for side in (left, right):
            side.extend(kept)
        if left.is_exact and right.is_exact and kept >= left.count + right.count - 1:
            return kept
        excess_bits = _compute_loss_bits(left, right, kept) - least_bits - np.log2(accuracy)
        if excess_bits <= 0:
            return kept
        kept += max(1, int(excess_bits / DIGIT_BITS))


def _compute_loss_bits(left: Split, right: Split, kept: int) -> float:
    """Return log2 of a bound on what `kept` diagonals leave out of any entry, in units of 2^(w_i + v_j).

    Digit p of A lacks its products with the part of B below digit kept - 1 - p, which is at most half the last digit
    there and a carry. The part of A beyond its slices lacks its products with all of B.
    """
    met = left.sum_digits() + float(np.abs(right.scaled).sum(axis=1).max())
    return float(np.log2(0.51 * met)) - DIGIT_BITS * (kept - 1)


def _find_least_bits(left: Split, right: Split, engine: Engine) -> float:
    """Return log2 of a lower bound of the smallest entry of |A| * |B|^T that is not zero, in units of 2^(w_i + v_j)."""
    whole_left, whole_right = (np.floor(np.abs(side.scaled)).astype(np.int8) for side in (left, right))
    floors = multiply_deep(whole_left, whole_right, engine)
    if floors.all():
        return float(np.log2(floors.min()))
    bits = np.full(floors.shape, -np.inf)
    for (p, x), (q, w) in itertools.product(left.make_levels(), right.make_levels()):
        with np.errstate(divide="ignore"):
            np.maximum(bits, np.log2(x @ w.T) - LEVEL_BITS * (p + q), out=bits)
    is_met = np.isfinite(bits)
    if not is_met.any():
        return 0.0  # Every product of two entries is zero, and so is every product of two digits.
    return float(bits[is_met].min()) - 2.0**-20  # The product's own rounding error is far below that.


def multiply_pairs(
    left: list[NDArray[np.int8]], right: list[NDArray[np.int8]], kept: int, engine: Engine
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield (d, the sum of the products of slices p and q with p + q = d), from the last d below `kept` to 0.

    A small product is made in one piece, since an engine may take longer to begin than to multiply.
    """
    m, n, k = len(left[0]), len(right[0]), left[0].shape[1]
    is_small = m * len(left) * n * len(right) <= STACKED_ENTRIES and m * n * k <= EXACT_WORK
    return (_multiply_stacked if is_small else _multiply_diagonals)(left, right, kept, engine)


def _multiply_diagonals(
    left: list[NDArray[np.int8]], right: list[NDArray[np.int8]], kept: int, engine: Engine
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield what `multiply_pairs` does; the slices of a diagonal lie beside each other, as one deep product."""
    k = left[0].shape[1]
    x, w = np.hstack(left), np.hstack(right[::-1])

    def list_pairs() -> Iterator[tuple[int, NDArray[np.int8], NDArray[np.int8]]]:
        for d in range(min(kept, len(left) + len(right) - 1) - 1, -1, -1):
            first, last = max(0, d - len(right) + 1), min(d, len(left) - 1)
            start = len(right) - 1 - d
            yield d, x[:, first * k : (last + 1) * k], w[:, (start + first) * k : (start + last + 1) * k]

    products = iter(engine(piece for _, x, w in list_pairs() for piece in cut_depth(x, w)))
    for d, pair_x, _ in list_pairs():
        yield d, sum_pieces(products, pair_x.shape[1])


def _multiply_stacked(
    left: list[NDArray[np.int8]], right: list[NDArray[np.int8]], kept: int, engine: Engine
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield what `multiply_pairs` does, from one product in which the slices lie below each other."""
    product = multiply_deep(np.vstack(left), np.vstack(right), engine)
    pairs = product.reshape(len(left), len(left[0]), len(right), len(right[0]))
    for d in range(min(kept, len(left) + len(right) - 1) - 1, -1, -1):
        first, last = max(0, d - len(right) + 1), min(d, len(left) - 1)
        yield d, sum((pairs[p, :, d - p] for p in range(first, last + 1)), np.zeros_like(pairs[0, :, 0]))


def _join(diagonals: Iterable[tuple[int, NDArray[np.int64]]], terms: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield (d, a sum in units of 2^-7d) of as many diagonals together as 62 bits hold."""
    most = 1 + max(0, 62 - (terms << 2 * (DIGIT_BITS - 1)).bit_length()) // DIGIT_BITS
    total, lowest, count = None, 0, 0
    for d, part in diagonals:
        if total is None:
            total, lowest, count = part, d, 1
        else:
            total += part << DIGIT_BITS * (lowest - d)
            count += 1
        if count == most or d == 0:
            yield lowest, total
            total = None


def _accumulate(hi: NDArray[np.float64], lo: NDArray[np.float64], part: NDArray[np.int64], unit: float) -> None:
    """Add part * unit to hi + lo and renormalise, by D. E. Knuth's two-sum, some rows at a time that fit a cache."""
    step = max(1, CACHED // max(1, hi.shape[1]))
    for top in range(0, len(hi), step):
        rows = slice(top, top + step)
        term = part[rows].astype(np.float64)
        rest = (part[rows] - term.astype(np.int64)).astype(np.float64)  # The entries need more than 53 bits.
        term *= unit
        total = hi[rows] + term
        back = total - hi[rows]
        error = (hi[rows] - (total - back)) + (term - back) + lo[rows] + rest * unit
        hi[rows] = total + error
        lo[rows] = error - (hi[rows] - total)


def _sum_long(
    diagonals: Iterable[tuple[int, NDArray[np.int64]]], weights: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the same sum by Python's integers, rounded once: for the few matrices with 1e-300 and 1e300 in one row."""
    parts = list(diagonals)
    top = parts[0][0]
    total = np.zeros(weights.shape, object)
    for d, part in parts:
        total += part.astype(object) << DIGIT_BITS * (top - d)
    hi = np.zeros(weights.shape)
    for place, value in np.ndenumerate(total):
        shift = int(weights[place]) - DIGIT_BITS * top
        try:
            hi[place] = int(value) << shift if shift >= 0 else int(value) / (1 << -shift)
        except OverflowError:
            hi[place] = np.inf if value > 0 else -np.inf
    return hi, np.zeros(weights.shape)
