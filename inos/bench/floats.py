"""Float64 on the int7 engine: `inos.matmul` against numpy's own product, in time and in error."""

import statistics
import time
from fractions import Fraction
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.client.matmul import matmul

SIDE: Final = 2048
ROUNDS: Final = 3
EXACT_ENTRIES: Final = 64
"""Entries whose error is computed by rational arithmetic."""


class MeasuredFloats(Struct, frozen=True):
    """One square float64 product."""

    side: int
    numpy_s: float
    certified_s: float
    ratio: float
    """Speed of the certified product over that of numpy's; the median over the rounds."""
    numpy_error: float
    certified_error: float
    """Largest |error| / (|A| |B|) among the entries that were checked, in units of 2^-53."""


def measure_floats(side: int = SIDE, rounds: int = ROUNDS) -> MeasuredFloats:
    """Time both products in alternation, after one round to warm up."""
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((side, side)), rng.standard_normal((side, side))
    plain, certified = a @ b, matmul(a, b)
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        start = time.perf_counter()
        plain = a @ b
        middle = time.perf_counter()
        certified = matmul(a, b)
        times.append((middle - start, time.perf_counter() - middle))
    return MeasuredFloats(
        side,
        statistics.median(t[0] for t in times),
        statistics.median(t[1] for t in times),
        statistics.median(t[0] / t[1] for t in times),
        _find_error(plain, a, b),
        _find_error(certified, a, b),
    )


def describe_floats(found: MeasuredFloats) -> str:
    """Return a line of text."""
    work = 2e-9 * found.side**3
    speeds = f"numpy {work / found.numpy_s:.0f} Gop/s, certified {work / found.certified_s:.1f} Gop/s"
    errors = f"numpy {found.numpy_error:.2f}, certified {found.certified_error:.2f}"
    return f"float64, side {found.side}: {speeds}, ratio {found.ratio:.3f}; largest error in 2^-53 |A| |B|: {errors}"


def _find_error(product: NDArray[Any], a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    rng, worst = np.random.default_rng(2), 0.0
    for i, j in rng.integers(0, len(a), (EXACT_ENTRIES, 2)):
        pairs = list(zip(map(Fraction, a[i]), map(Fraction, b[:, j]), strict=True))
        exact, scale = sum(x * y for x, y in pairs), sum(abs(x * y) for x, y in pairs)
        worst = max(worst, float(abs(Fraction(float(product[i, j])) - exact) / scale))
    return worst * 2.0**53
