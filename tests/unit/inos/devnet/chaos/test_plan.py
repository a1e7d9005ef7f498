"""--chaos and --duration as users write them, and the events drawn from a seed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.devnet.chaos.plan import (
    PARTED_SHARE,
    ChaosPlan,
    Kill,
    Partition,
    draw_events,
    parse_chaos,
    parse_duration,
)
from inos.devnet.errors import DevnetError


def test_the_issues_own_example() -> None:
    assert parse_chaos("kill=6/min,partition=2/min,delay=200ms,liars=2") == ChaosPlan(6.0, 2.0, 0.2, 2)


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("kill=1/s", ChaosPlan(kill=60.0)),
        ("kill=30/h", ChaosPlan(kill=0.5)),
        (" kill = 6/min , delay = 1.5s ", ChaosPlan(kill=6.0, delay=1.5)),
        ("partition=0,delay=0,liars=0,kill=0", ChaosPlan()),
    ],
)
def test_ways_to_write_it(text: str, plan: ChaosPlan) -> None:
    assert parse_chaos(text) == plan


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "kill, partition, delay, liars"),
        ("kil=6/min", "'kil'"),
        ("kill", "kill has no value"),
        ("kill=6", "N/s, N/min or N/h"),
        ("kill=-6/min", "N/s, N/min or N/h"),
        ("kill=9999/min", "at most 120/min"),
        ("delay=200", "Nms or Ns"),
        ("delay=9s", "at most 5s"),
        ("kill=1/min,kill=2/min", "given twice"),
        ("liars=2.5", "a whole number"),
        ("liars=99", "at most 8"),
        ("kill=6/min,", "kill, partition, delay, liars"),
        ("kill=nan/min", "N/s, N/min or N/h"),
    ],
)
def test_errors_say_which_key_and_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(DevnetError) as caught:
        parse_chaos(text)
    assert caught.value.code == "bad-chaos"
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    plan = ChaosPlan()
    with contextlib.suppress(DevnetError):
        plan = parse_chaos(text)
    assert plan.kill <= 120
    assert plan.liars <= 8


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("2m", 120), ("2min", 120), ("1h", 3600), ("25", 25)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "2 minutes", "-5s", "30h", "1e3"])
def test_no_durations(text: str) -> None:
    with pytest.raises(DevnetError, match="90s, 2m or 1h"):
        parse_duration(text)


@given(seed=st.integers(0, 2**32), nodes=st.integers(2, 16), rate=st.floats(0.5, 20), duration=st.floats(1, 600))
def test_events_come_at_their_rate_and_within_the_time(seed: int, nodes: int, rate: float, duration: float) -> None:
    plan = ChaosPlan(kill=rate, partition=rate)
    events = draw_events(plan, nodes, duration, seed)
    assert events == draw_events(plan, nodes, duration, seed)
    assert all(0 <= event.at_s < duration for event in events)
    for kind in (Kill, Partition):
        assert abs(sum(isinstance(event, kind) for event in events) - rate * duration / 60) <= 1
    for event in events:
        if isinstance(event, Partition):
            assert 1 <= len(event.one_side) < nodes
            assert event.for_s <= PARTED_SHARE * 60 / rate


def test_another_seed_is_another_run() -> None:
    plan = ChaosPlan(kill=6, partition=6)
    assert draw_events(plan, 8, 120, 1) != draw_events(plan, 8, 120, 2)
