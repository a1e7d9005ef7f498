"""Tests how hard shares are: a worker of any speed sends about one in ten seconds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.workers.limits import SHARES_PER_S
from inos.workers.pool.targets import LEAST_WEIGHT, MOST_PER_S, Pace, compute_weight, make_share_target


@given(st.integers(1, 2**60))
def test_a_target_weighs_what_was_asked(weight: int) -> None:
    assert compute_weight(make_share_target(weight)) == weight


@pytest.mark.parametrize("speed", [100, 3_000, 250_000, 40_000_000])
@pytest.mark.parametrize("told", [0, 1, 1_000, 2**40])
def test_shares_come_about_every_ten_seconds(speed: int, told: int) -> None:
    rng, now, pace = random.Random(speed + told), 0.0, Pace(told, 0.0)
    weight, assigned_at, times = pace.compute_weight(now, 2**60), 0.0, list[float]()
    while now < 3600:
        now += min(rng.expovariate(speed / weight), 2.0)
        if now < assigned_at + 2.0 and rng.random() < 0.9999:
            pace.add(weight, now)
            times.append(now)
        if now >= assigned_at + 2.0:  # an assignment lasts for two seconds here
            weight, assigned_at = pace.compute_weight(now, 2**60), now
    late = [time for time in times if time > 1800]
    expected = 1800 * min(speed / LEAST_WEIGHT, 0.1)
    assert 0.4 * expected <= len(late) <= 2.5 * expected


def test_where_d_is_small_shares_come_more_often_and_never_too_often() -> None:
    assert Pace(10_000, 0.0).compute_weight(0.0, 2**60) == 100_000  # one in ten seconds
    assert Pace(10_000, 0.0).compute_weight(0.0, 80_000) == 10_000  # an eighth of D: one a second
    assert Pace(10_000, 0.0).compute_weight(0.0, 800) == 2_500  # four a second, although that is more than D
    assert Pace(10, 0.0).compute_weight(0.0, 8) == LEAST_WEIGHT
    assert SHARES_PER_S >= 4 * MOST_PER_S
