"""Floats as residues: scaled to integers, multiplied modulo small numbers, and put together again.

Row i of A becomes the integers A'_i = round(2^s_i A_i), and so does row j of B. Their product C' is exact, because it
is made modulo pairwise coprime numbers whose product is more than twice as large as C' can be. K. Ozaki, Y. Uchino,
T. Imamura, "Ozaki Scheme II: A GEMM-oriented emulation of floating-point matrix multiplication using an integer modular
technique", arXiv 2504.08009; Y. Uchino, K. Ozaki, T. Imamura, "High-Performance and Power-Efficient Emulation of Matrix
Multiplication using INT8 Matrix Engines", arXiv 2508.03984. Those papers choose s_i by how large C' may be. Here it is
chosen by how small (|A| |B|^T) is, so that the bound holds for every entry.

Bound. Rounding moves an entry of A by at most 2^-s_i / 2, and one of B by 2^-s_j / 2. With Y_j the sum of |B_j|, and
X_i that of |A_i|, entry (i, j) is wrong by at most (2^-s_i Y_j + 2^-s_j X_i) / 2, and by k 2^-(s_i + s_j) / 4 for the
product of both errors, which is at most accuracy k / 2 of the first part. So it is enough that

    2^-s_i <= accuracy (|A| |B|^T)_ij / (Y_j (1 + accuracy k / 2))   for all j, and the same for B.

A product of the leading six bits bounds |A| |B|^T from below. Nothing else depends on it, so it is not certified.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.matrices import MAX_DEPTH
from inos.work.backends.native.memory import LINE, Memory
from inos.work.backends.native.running import get_default_threads
from inos.work.floats.engines import Engine, ModularEngine, Pair, cut_depth, sum_pieces
from inos.work.floats.moduli import Basis, find_basis
from inos.work.floats.native import find_native_steps
from inos.work.floats.reference import LEADING_BITS, Measured, NumpySteps, Steps

MOST: Final = 2.0**400
"""Rows whose largest entry is beyond this, or below its inverse, are left to slices: their sums might overflow."""
LARGEST: Final = 2.0**62
"""Scaled entries are 64-bit integers."""
DIGIT_BITS: Final = 16
SLACK: Final = 2.0**-18
"""More than all that sums and weights here lose to rounding, relative to them."""
NOT_MET: Final = np.float32(1e38)
"""Rows of zeros are exact, and do not count when the least entry of the others is looked for."""


TOGETHER_BYTES: Final = 40 << 20
"""The residues of both matrices are made for so many moduli at a time that they take about this much."""
PLANE_GAP: Final = 3 * LINE
KEPT_BYTES: Final = 64 << 20
"""So much is kept for the next product: the system clears new memory, which takes a tenth of a product's time."""

_memory = Memory(KEPT_BYTES)


class Scaling(Struct, frozen=True, eq=False):
    """How both matrices become integers, and what these are reduced by."""

    row_shifts: NDArray[np.int32]
    col_shifts: NDArray[np.int32]
    digits: int
    basis: Basis


def multiply_residues(a: NDArray[Any], b: NDArray[Any], engine: Engine, accuracy: float, out: NDArray[Any]) -> bool:
    """Write A * B^T into `out` and return True, or return False if the entries of a row lie too far apart for this.

    The error before the rounding to `out` is at most accuracy * (|A| * |B|^T), entry by entry.

    Args:
        a, b: float32 or float64, m x k and n x k, finite, in any order of memory.
        engine: makes one product per modulus.
    """
    steps: Steps = find_native_steps() or NumpySteps()
    scaling = _choose_scaling(steps, steps.measure(a), steps.measure(b), accuracy)
    if scaling is None:
        return False
    moduli, (m, k), n = scaling.basis.moduli, a.shape, len(b)
    # Other engines may keep what they are given, and want all of it at once.
    group = _count_together((m + n) * k) if isinstance(engine, ModularEngine) else len(moduli)
    group = -(-len(moduli) // -(-len(moduli) // group))
    shapes = (group, m, k), (group, n, k), (len(moduli), m, n)
    counts = [count * _measure_plane(*shape) for count, *shape in shapes]
    with _memory.borrow(counts) if isinstance(engine, ModularEngine) else _make(counts) as (left, right, products):
        residues = _shape(products, len(moduli), m, n)
        for first in range(0, len(moduli), group):
            some = moduli[first : first + group]
            x, w, reduced = _shape(left, len(some), m, k), _shape(right, len(some), n, k), residues[first:][: len(some)]
            steps.split(a, scaling.row_shifts, scaling.digits, some, x)
            steps.split(b, scaling.col_shifts, scaling.digits, some, w)
            if not (isinstance(engine, ModularEngine) and engine.multiply_modulo(x, w, some, reduced)):
                _multiply_pairs(x, w, engine, some, reduced, steps)
        one = np.float64(1)
        row_scales, col_scales = np.ldexp(one, -scaling.row_shifts), np.ldexp(one, -scaling.col_shifts)
        steps.join(residues, scaling.basis, row_scales, col_scales, out)
    return True


def _count_together(entries: int) -> int:
    """Return how many moduli are worked on at a time: at least one for each thread, and as many as fit the memory."""
    return max(get_default_threads(), TOGETHER_BYTES // max(1, entries))


@contextmanager
def _make(counts: list[int]) -> Iterator[list[NDArray[np.uint8]]]:
    """Yield new arrays of these sizes."""
    yield [np.empty(count, np.uint8) for count in counts]


def _shape(memory: NDArray[np.uint8], count: int, rows: int, cols: int) -> NDArray[np.int8]:
    """Return so many matrices, each contiguous."""
    plane = _measure_plane(rows, cols)
    return memory[: count * plane].view(np.int8).reshape(count, plane)[:, : rows * cols].reshape(count, rows, cols)


def _measure_plane(rows: int, cols: int) -> int:
    """Return the bytes from one matrix to the next: whole lines, and no power of two, because lines that lie one apart
    exclude each other from the caches."""
    return -(-rows * cols // LINE) * LINE + PLANE_GAP


def _multiply_pairs(
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    engine: Engine,
    moduli: tuple[int, ...],
    residues: NDArray[np.int8],
    steps: Steps,
) -> None:
    """Have whole products made, and reduce each."""
    starts = range(0, x.shape[2], MAX_DEPTH)

    def list_pairs() -> Iterator[Pair]:
        for left, right in zip(x, w, strict=True):
            for start in starts:
                piece = slice(start, start + MAX_DEPTH)
                yield np.ascontiguousarray(left[:, piece]), np.ascontiguousarray(right[:, piece])

    def keep(number: int, product: NDArray[Any]) -> None:
        at, piece = divmod(number, len(starts))
        steps.reduce(product, moduli[at], residues[at], adds=piece > 0)

    if len(starts) == 1:
        for _ in engine(list_pairs(), keep):
            pass
    else:  # Pieces of one modulus are added up, one after the other.
        for number, product in enumerate(engine(list_pairs())):
            keep(number, product)


def _choose_scaling(steps: Steps, left: Measured, right: Measured, accuracy: float) -> Scaling | None:
    for side in (left, right):
        met = side.most[side.most > 0]
        if not ((met < MOST) & (met > 1 / MOST)).all():
            return None
    depth = left.leading.shape[1]
    leading = _multiply_leading(steps, left.leading, right.leading)
    wider = 1 + accuracy * depth / 2
    least_of_rows, least_of_cols = steps.find_least(leading, _make_weights(left, wider), _make_weights(right, wider))
    if not (least_of_rows.all() and least_of_cols.all()):
        return None  # Some entries meet only where their leading bits are zero.
    row_shifts, col_shifts = (
        _choose_shifts(side, accuracy * least.astype(np.float64))
        for side, least in ((left, least_of_rows), (right, least_of_cols))
    )
    largest = max(_find_largest(left.most, row_shifts), _find_largest(right.most, col_shifts)) + 1
    norms = (
        _find_largest(np.sqrt(side.squares), shifts) + depth**0.5
        for side, shifts in ((left, row_shifts), (right, col_shifts))
    )
    basis = find_basis((1 + SLACK) * float(np.prod(list(norms))) + 1)
    if largest >= LARGEST or basis is None:
        return None
    digits = next(d for d in range(1, 5) if largest < 0.99 * 2.0 ** (DIGIT_BITS * d - 1))
    return Scaling(row_shifts, col_shifts, digits, basis)


def _multiply_leading(steps: Steps, left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return the product of leading bits, or the largest number where that is larger: it is a lower bound."""
    depth = left.shape[1]
    if depth <= MAX_DEPTH:
        return steps.multiply_leading(left, right)
    total = sum_pieces((steps.multiply_leading(*pair) for pair in cut_depth(left, right)), depth)
    return np.minimum(total, np.iinfo(np.int32).max).astype(np.int32)


def _make_weights(side: Measured, wider: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return 2^e / (sum of magnitudes) for every row, and what keeps rows of zeros from being the least."""
    is_zero = side.most == 0
    _, exponents = np.frexp(side.most)
    totals = np.ldexp(np.where(is_zero, 1.0, side.total), np.where(is_zero, 0, -exponents))
    weights = (1 / (wider * totals)).astype(np.float32)
    return weights, np.where(is_zero, NOT_MET, np.float32(0))


def _choose_shifts(side: Measured, step: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the least s of each row with 2^-s at most `step`, in units of 2^(e - 12), or with which it is exact."""
    _, exponents = np.frexp(side.most)
    bits = np.floor(np.log2((1 - SLACK) * step)).astype(np.int64)
    wanted = 2 * LEADING_BITS - exponents - bits
    _, low = np.frexp(np.where(np.isfinite(side.lowest), side.lowest, 1.0))
    return np.where(side.most > 0, np.minimum(wanted, 1 - low), 0).astype(np.int32)


def _find_largest(values: NDArray[np.float64], shifts: NDArray[np.int32]) -> float:
    return float(np.ldexp(values, shifts).max(initial=0.0))
