"""Rules of aggregation: what liars cannot do, and that the integers are those of slow references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inos.learn.errors import LearnError
from inos.learn.federated.aggregation import (
    RuleName,
    aggregate,
    check_rule,
    choose_by_krum,
    compute_distances,
    count_needed,
)

LARGEST = 1 << 54
ENTRIES = st.integers(-LARGEST, LARGEST)


@st.composite
def draw_rows(draw: st.DrawFn) -> tuple[NDArray[np.int64], int]:
    """Return rows, of which the first ones are the liars', and how many those are."""
    liars = draw(st.integers(0, 3))
    count, width = draw(st.integers(2 * liars + 3, 12)), draw(st.integers(1, 6))
    rows = draw(st.lists(st.lists(ENTRIES, min_size=width, max_size=width), min_size=count, max_size=count))
    return np.array(rows, np.int64), liars


@given(draw_rows(), st.sampled_from(["trimmed-mean", "median"]))
def test_liars_move_no_entry_beyond_what_the_honest_ones_sent(
    drawn: tuple[NDArray[np.int64], int], rule: RuleName
) -> None:
    rows, liars = drawn
    step = aggregate(rule, rows, liars)
    assert (step >= rows[liars:].min(0)).all()
    assert (step <= rows[liars:].max(0)).all()


@given(draw_rows())
def test_the_order_of_updates_does_not_matter(drawn: tuple[NDArray[np.int64], int]) -> None:
    rows, liars = drawn
    order = np.random.default_rng(0).permutation(len(rows))
    for rule in ("trimmed-mean", "median"):
        assert (aggregate(rule, rows, liars) == aggregate(rule, rows[order], liars)).all()


@given(draw_rows())
def test_integers_are_those_of_python(drawn: tuple[NDArray[np.int64], int]) -> None:
    rows, liars = drawn
    for column, trimmed, median in zip(
        rows.T, aggregate("trimmed-mean", rows, liars), aggregate("median", rows, liars), strict=True
    ):
        ordered = sorted(int(each) for each in column)
        kept = ordered[liars : len(ordered) - liars]
        assert trimmed == sum(kept) // len(kept)
        middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
        assert median == sum(middle) // len(middle)


@settings(max_examples=50)
@given(draw_rows())
def test_distances_are_those_of_python_in_one_unit(drawn: tuple[NDArray[np.int64], int]) -> None:
    rows, _ = drawn
    spread = max(int(column.max()) - int(column.min()) for column in rows.T)
    shift = max(0, spread.bit_length() - 15)
    found = compute_distances(rows)
    for i, first in enumerate(rows):
        for j, second in enumerate(rows):
            assert found[i, j] == sum((abs(int(a) - int(b)) >> shift) ** 2 for a, b in zip(first, second, strict=True))


def test_krum_leaves_liars_out() -> None:
    random = np.random.default_rng(0)
    rows = random.integers(-1000, 1000, (10, 50)) + 5000
    rows[[0, 4]] *= -3
    chosen = choose_by_krum(rows, 2)
    assert len(chosen) == 6
    assert not {0, 4} & set(chosen.tolist())
    assert (aggregate("krum", rows, 2) == rows[chosen].sum(0) // 6).all()


def test_a_wide_row_is_cut_into_slices_and_put_together() -> None:
    rows = np.random.default_rng(1).integers(-(1 << 40), 1 << 40, (7, 40_000))
    assert (aggregate("median", rows, 1) == np.sort(rows, 0)[3]).all()


@pytest.mark.parametrize(("rule", "liars", "needed"), [("trimmed-mean", 2, 5), ("median", 2, 5), ("krum", 2, 7)])
def test_too_few_updates_are_refused(rule: RuleName, liars: int, needed: int) -> None:
    assert count_needed(rule, liars) == needed
    with pytest.raises(LearnError, match=f"takes {needed} to 256 updates, not {needed - 1}") as found:
        aggregate(rule, np.zeros((needed - 1, 3), np.int64), liars)
    assert found.value.code == "too-few-updates"


@pytest.mark.parametrize(
    ("rule", "liars", "members", "keep", "message"),
    [
        ("mean", 0, 5, 1.0, "no rule 'mean'"),
        ("median", 3, 6, 1.0, "needs 7 members, not 6"),
        ("krum", 2, 6, 1.0, "needs 7 members, not 6"),
        ("median", -1, 6, 1.0, "over -1 liars"),
        ("trimmed-mean", 1, 9, 0.5, "most are 0"),
    ],
)
def test_rules_that_cannot_work_are_refused(rule: str, liars: int, members: int, keep: float, message: str) -> None:
    with pytest.raises(LearnError, match=message) as found:
        check_rule(rule, liars, members, keep)
    assert found.value.code == "bad-rule"


def test_a_rule_that_works_is_returned() -> None:
    assert check_rule("krum", 2, 7, 0.1) == "krum"
