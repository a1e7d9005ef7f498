"""The steps of a product by residues in numpy: the truth for the compiled ones, and used where there are none."""

from typing import Any, Final, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.work.floats.moduli import LIMB_BITS, Basis
from inos.work.limbs import multiply_int7

LEADING_BITS: Final = 6


class Measured(Struct, frozen=True, eq=False):
    """What the scaling of a matrix needs: four numbers for each row, float64, and the leading bits of each entry."""

    most: NDArray[np.float64]
    """The largest magnitude."""
    total: NDArray[np.float64]
    """The sum of all magnitudes."""
    squares: NDArray[np.float64]
    lowest: NDArray[np.float64]
    """The lowest bit that is set in any entry; infinite for a row of zeros."""
    leading: NDArray[np.int8]
    """Magnitudes / 2^e * 64 without their fraction, for the least e with all of the row below 2^e."""


class Steps(Protocol):
    """What is done with every entry, by numpy or by compiled code."""

    def measure(self, array: NDArray[Any]) -> Measured: ...

    def multiply_leading(self, left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return the product of leading bits, of rows of at most 65,536. It is no certified one, being only a bound."""
        ...

    def split(
        self,
        array: NDArray[Any],
        shifts: NDArray[np.int32],
        digits: int,
        moduli: tuple[int, ...],
        out: NDArray[np.int8],
    ) -> None:
        """Write array * 2^shift, rounded to integers, modulo each modulus: moduli x rows x columns, -64..63.
        The part of each modulus is contiguous.

        Args:
            digits: so many signed digits to base 2^16 hold each integer.
        """
        ...

    def find_least(
        self, product: NDArray[np.int32], rows: tuple[NDArray[np.float32], ...], cols: tuple[NDArray[np.float32], ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the least of product * weight + extra of each row, by its columns, and of each column, by its rows.

        Args:
            rows, cols: (weight, extra) of each row and of each column.
        """
        ...

    def reduce(self, product: NDArray[np.int32], modulus: int, out: NDArray[np.int8], *, adds: bool) -> None:
        """Write numbers of at most 112 in magnitude that are congruent to the product, plus what is there already."""
        ...

    def join(
        self,
        residues: NDArray[np.int8],
        basis: Basis,
        row_scales: NDArray[np.float64],
        col_scales: NDArray[np.float64],
        out: NDArray[Any],
    ) -> None:
        """Write the numbers that have these residues, times the scales."""
        ...


class NumpySteps:
    """Plain numpy."""

    def measure(self, array: NDArray[Any]) -> Measured:
        sizes = np.abs(array.astype(np.float64))
        most = sizes.max(axis=1)
        bits = sizes.view(np.uint64) if sizes.flags.c_contiguous else np.ascontiguousarray(sizes).view(np.uint64)
        cleared = np.where(bits << np.uint64(12) != 0, bits & (bits - np.uint64(1)), np.uint64(0)).view(np.float64)
        lowest = np.where(sizes > 0, sizes - cleared, np.inf).min(axis=1)
        _, exponents = np.frexp(most)
        leading = np.ldexp(sizes, LEADING_BITS - exponents[:, None]).astype(np.int8)
        with np.errstate(over="ignore"):
            return Measured(most, sizes.sum(axis=1), (sizes * sizes).sum(axis=1), lowest, leading)

    def multiply_leading(self, left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
        return multiply_int7(left, right)

    def split(
        self,
        array: NDArray[Any],
        shifts: NDArray[np.int32],
        digits: int,
        moduli: tuple[int, ...],
        out: NDArray[np.int8],
    ) -> None:
        whole = np.rint(np.ldexp(array.astype(np.float64), shifts[:, None])).astype(np.int64)
        for residues, modulus in zip(out, moduli, strict=True):
            residues[...] = (whole + modulus // 2) % modulus - modulus // 2

    def find_least(
        self, product: NDArray[np.int32], rows: tuple[NDArray[np.float32], ...], cols: tuple[NDArray[np.float32], ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        sizes = product.astype(np.float32)
        by_cols, by_rows = sizes * cols[0] + cols[1], sizes * rows[0][:, None] + rows[1][:, None]
        return by_cols.min(axis=1), by_rows.min(axis=0)

    def reduce(self, product: NDArray[np.int32], modulus: int, out: NDArray[np.int8], *, adds: bool) -> None:
        total = product + out if adds else product
        out[...] = (total + modulus // 2) % modulus - modulus // 2

    def join(
        self,
        residues: NDArray[np.int8],
        basis: Basis,
        row_scales: NDArray[np.float64],
        col_scales: NDArray[np.float64],
        out: NDArray[Any],
    ) -> None:
        top, unit = basis.limbs - 1, 2.0**LIMB_BITS
        sums = [np.zeros(residues.shape[1:]) for _ in range(basis.limbs)]
        for residue, weights in zip(residues, basis.weights, strict=True):
            for limb, total in enumerate(sums):
                total += residue * weights[limb]
        times = np.rint((sums[top] + sums[top - 1] / unit) * basis.inverse)
        high, low = (sums[top] - times * basis.product_limbs[top]) * unit**top, 0.0
        for limb in range(top - 1, 0, -1):  # D. E. Knuth's two-sum
            term = (sums[limb] - times * basis.product_limbs[limb]) * unit**limb
            total = high + term
            back = total - high
            high, low = total, low + ((high - (total - back)) + (term - back))
        low = low + (sums[0] - times * basis.product_limbs[0])
        with np.errstate(over="ignore", under="ignore"):
            out[...] = (high + low) * row_scales[:, None] * col_scales
