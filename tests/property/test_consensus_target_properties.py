"""ASERT over random schedules: it is monotone, close to the real power of two, and independent of the path."""

from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from inos.consensus.target import compute_asert
from inos.primitives.units import DurationMs

SPACING = DurationMs(2000)
HALF_LIFE = DurationMs(60_000)
targets = st.integers(2**192, 2**252)
delays = st.integers(-10 * HALF_LIFE, 10 * HALF_LIFE)


def compute(target: int, lateness: int, blocks: int) -> int:
    delta = SPACING * (blocks + 1) + lateness
    return compute_asert(target, time_delta_ms=delta, height_delta=blocks, spacing_ms=SPACING, half_life_ms=HALF_LIFE)


@given(targets, delays, delays, st.integers(0, 10**6))
def test_later_is_never_harder(target: int, a: int, b: int, blocks: int) -> None:
    assert compute(target, min(a, b), blocks) <= compute(target, max(a, b), blocks)


@given(targets, delays, st.integers(0, 10**6))
def test_only_lateness_counts(target: int, lateness: int, blocks: int) -> None:
    assert compute(target, lateness, blocks) == compute(target, lateness, 0)


@given(targets, delays)
def test_close_to_the_exact_value(target: int, lateness: int) -> None:
    """The cubic is off by at most 0.013 %; truncating the exponent to 16 bits costs at most 2^(1/65536)."""
    with localcontext() as context:
        context.prec = 120
        exact = Decimal(target) * Decimal(2) ** (Decimal(lateness) / HALF_LIFE)
        assert abs(Decimal(compute(target, lateness, 0)) / exact - 1) < Decimal("0.00016")
