"""Rules that make one step of many updates. All are integer functions, so anybody computes the same step bit for bit.

An update is a row of int64 in fixed point with `FRACTION_BITS` fraction bits, within +-2^54, and at most 256 updates
are aggregated, so no sum overflows. Up to `liars` of the rows may hold anything.

Sources: coordinate-wise median and trimmed mean, Yin et al., arXiv 1803.01498; Krum, Blanchard et al., NeurIPS 2017.
"""

from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from inos.learn.errors import LearnError

FRACTION_BITS: Final = 32
MAX_UPDATES: Final = 256
DISTANCE_BITS: Final = 15
"""Differences are shifted to so many bits before they are squared: 2^30 for each of at most 2^28 entries fit int64."""
SLICE: Final = 1 << 14
"""Columns that are sorted at a time."""

RuleName: TypeAlias = Literal["trimmed-mean", "median", "krum"]
Rows: TypeAlias = NDArray[np.int64]


def count_needed(rule: RuleName, liars: int) -> int:
    """Return how few updates a rule can still aggregate if `liars` of them may be false."""
    return 2 * liars + (3 if rule == "krum" else 1)


def aggregate(rule: RuleName, rows: Rows, liars: int) -> NDArray[np.int64]:
    """Return the step that a rule makes of updates, one a row.

    Raises:
        LearnError: "too-few-updates", "bad-rule".
    """
    needed = count_needed(rule, liars)
    if not needed <= len(rows) <= MAX_UPDATES:
        raise LearnError(
            "too-few-updates", f"{rule} over {liars} liars takes {needed} to {MAX_UPDATES} updates, not {len(rows)}"
        )
    if rule == "krum":
        return compute_mean(rows[choose_by_krum(rows, liars)])
    function = {"trimmed-mean": compute_trimmed_mean, "median": compute_median}[rule]
    step = np.empty(rows.shape[1], np.int64)
    for first in range(0, rows.shape[1], SLICE):
        step[first : first + SLICE] = function(rows[:, first : first + SLICE], liars)
    return step


def compute_mean(rows: Rows) -> NDArray[np.int64]:
    """Return the mean of each column, rounded down."""
    return np.asarray(rows.sum(0) // len(rows), np.int64)


def compute_trimmed_mean(rows: Rows, liars: int) -> NDArray[np.int64]:
    """Return the mean of each column without its `liars` least and `liars` greatest entries, rounded down."""
    return compute_mean(np.sort(rows, 0)[liars : len(rows) - liars])


def compute_median(rows: Rows, liars: int = 0) -> NDArray[np.int64]:
    """Return the median of each column; of an even number, the mean of the two in the middle, rounded down."""
    return compute_mean(np.sort(rows, 0)[(len(rows) - 1) // 2 : len(rows) // 2 + 1])


def choose_by_krum(rows: Rows, liars: int) -> NDArray[np.intp]:
    """Return the numbers of the len(rows) - liars - 2 updates that are nearest to their neighbours, in order.

    The score of an update is the sum of its squared distances to the len(rows) - liars - 2 nearest others.
    """
    kept = len(rows) - liars - 2
    scores = np.sort(compute_distances(rows), 1)[:, 1 : kept + 1]
    exact = [sum(int(each) for each in row) for row in scores]
    return np.array(sorted(sorted(range(len(rows)), key=lambda i: (exact[i], i))[:kept]))


def compute_distances(rows: Rows) -> NDArray[np.int64]:
    """Return the squared distances between all rows, all in one unit, which depends on the largest difference."""
    spread = int((rows.max(0) - rows.min(0)).max(initial=0))
    shift = max(0, spread.bit_length() - DISTANCE_BITS)
    distances = np.zeros((len(rows), len(rows)), np.int64)
    for i in range(len(rows)):
        for j in range(i):
            difference = np.abs(rows[i] - rows[j]) >> shift
            distances[i, j] = distances[j, i] = int(np.dot(difference, difference))
    return distances


def check_rule(rule: str, liars: int, members: int, keep: float) -> RuleName:
    """Check that a rule can be used.

    Raises:
        LearnError: "bad-rule".
    """
    names: tuple[RuleName, ...] = get_args(RuleName)
    name = next((each for each in names if each == rule), None)
    if name is None:
        raise LearnError("bad-rule", f"there is no rule {rule!r}", hint=f"use {', '.join(names)}")
    if liars < 0 or count_needed(name, liars) > members:
        raise LearnError(
            "bad-rule", f"{name} over {liars} liars needs {count_needed(name, max(liars, 0))} members, not {members}",
            hint="expect fewer liars",
        )  # fmt: skip
    if keep < 1 and name != "krum":
        raise LearnError(
            "bad-rule", f"{name} goes by single entries, and most are 0 if clients send their largest ones only",
            hint="use krum, or keep=1",
        )  # fmt: skip
    return name
