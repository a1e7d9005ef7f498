"""Floats on the int7 engine: `inos.matmul` against numpy's own product, in time and in error."""

import statistics
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.client.matmul import matmul

SIDES: Final = (1024, 2048)
TYPES: Final = ("float64", "float32")
ROUNDS: Final = 5
EXACT_ENTRIES: Final = 64
"""Entries whose error is computed by rational arithmetic."""
PAUSE_S: Final = 0.1
"""Threads of OpenBLAS spin for a while after their work, and would take a core from the next product."""


class MeasuredFloats(Struct, frozen=True):
    """One square product of one type."""

    dtype: str
    side: int
    numpy_s: float
    certified_s: float
    ratio: float
    """Speed of the certified product over that of numpy's; the median over the rounds."""
    numpy_error: float
    certified_error: float
    """Largest |error| / (|A| |B|) among the entries that were checked, in units of the type's roundoff."""

    def get_speed(self, seconds: float) -> float:
        """Return Gop/s; a multiplication and an addition are two operations."""
        return 2e-9 * self.side**3 / seconds


def measure_floats(side: int, rounds: int = ROUNDS, dtype: str = TYPES[0]) -> MeasuredFloats:
    """Time both products in alternation, after one round to warm up."""
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((side, side)).astype(dtype) for _ in range(2))
    plain, certified = a @ b, matmul(a, b)
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        times.append((_time(lambda: a @ b), _time(lambda: matmul(a, b))))
    return MeasuredFloats(
        dtype,
        side,
        statistics.median(t[0] for t in times),
        statistics.median(t[1] for t in times),
        statistics.median(t[0] / t[1] for t in times),
        _find_error(plain, a, b),
        _find_error(certified, a, b),
    )


def describe_floats(rows: Sequence[MeasuredFloats]) -> list[str]:
    """Return a table."""
    head = (
        f"{'type':<8} {'side':>5} {'numpy, Gop/s':>13} {'certified, Gop/s':>17} {'ratio':>6} "
        f"{'error of numpy':>15} {'of certified':>13}"
    )
    lines = [
        f"{row.dtype:<8} {row.side:>5} {row.get_speed(row.numpy_s):>13.1f} {row.get_speed(row.certified_s):>17.1f} "
        f"{row.ratio:>6.3f} {row.numpy_error:>15.2f} {row.certified_error:>13.2f}"
        for row in rows
    ]
    return [head, *lines, "errors are the largest |C - A B| / (|A| |B|) found, in units of the type's roundoff"]


def _time(call: Callable[[], object]) -> float:
    time.sleep(PAUSE_S)
    started = time.perf_counter()
    result = call()
    elapsed = time.perf_counter() - started
    del result  # freeing its memory is not part of the product
    return elapsed


def _find_error(product: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> float:
    rng, worst = np.random.default_rng(2), 0.0
    for i, j in rng.integers(0, len(a), (EXACT_ENTRIES, 2)):
        pairs = [(Fraction(float(x)), Fraction(float(y))) for x, y in zip(a[i], b[:, j], strict=True)]
        exact, scale = sum(x * y for x, y in pairs), sum(abs(x * y) for x, y in pairs)
        worst = max(worst, float(abs(Fraction(float(product[i, j])) - exact) / scale))
    return worst * 2 / float(np.finfo(a.dtype).eps)
