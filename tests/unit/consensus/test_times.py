"""The median time of past blocks, and the check against the clock."""

import msgspec
import pytest

from inos.consensus.times import check_clock, check_median_time, compute_median_time
from inos.primitives.errors import ClockAhead, RuleViolation
from inos.primitives.units import TimeMs
from support.consensus_lab import PARAMS, Lab


def times(*values: int) -> tuple[TimeMs, ...]:
    return tuple(TimeMs(v) for v in values)


@pytest.mark.parametrize(
    ("given", "median"), [((5,), 5), ((1, 9), 9), ((9, 1, 5), 5), (tuple(range(11)), 5), ((4, 1, 3, 2), 3)]
)
def test_median(given: tuple[int, ...], median: int) -> None:
    assert compute_median_time(times(*given)) == median


def test_no_times_have_no_median() -> None:
    with pytest.raises(ValueError, match="no times"):
        compute_median_time(())


def test_a_block_must_exceed_the_median_of_the_last_11() -> None:
    header = msgspec.structs.replace(Lab().headers[0], time_ms=16)
    recent = times(0, 0, *range(10, 21))  # the first two are older than the last 11
    with pytest.raises(RuleViolation, match="above 15 ms") as caught:
        check_median_time(PARAMS, msgspec.structs.replace(header, time_ms=15), recent)
    assert caught.value.code == "time-too-old"
    check_median_time(PARAMS, header, recent)


def test_a_block_from_the_future_is_held_not_refused() -> None:
    header = msgspec.structs.replace(Lab().headers[0], time_ms=115_001)
    check_clock(PARAMS, header, TimeMs(100_001))
    with pytest.raises(ClockAhead) as caught:
        check_clock(PARAMS, header, TimeMs(100_000))
    assert caught.value.until == 100_001
    assert not isinstance(caught.value, RuleViolation)
