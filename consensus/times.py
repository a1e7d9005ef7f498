"""The rules for a block's time (protocol, section 4)."""

from collections.abc import Sequence

from inos.consensus.codes import Code
from inos.consensus.params import Params
from inos.primitives.blocks import Header
from inos.primitives.errors import ClockAhead, RuleViolation
from inos.primitives.units import TimeMs


def compute_median_time(times_ms: Sequence[TimeMs]) -> TimeMs:
    """Return the middle of the sorted times; the upper middle if their number is even.

    Raises:
        ValueError: there are no times.
    """
    if not times_ms:
        raise ValueError("the median of no times")
    return sorted(times_ms)[len(times_ms) // 2]


def check_median_time(params: Params, header: Header, recent_times_ms: Sequence[TimeMs]) -> None:
    """Check that a block is younger than the median of the last `median_time_blocks`.

    Raises:
        RuleViolation: "time-too-old".
    """
    median = compute_median_time(recent_times_ms[-params.median_time_blocks :])
    if header.time_ms <= median:
        raise RuleViolation(
            Code.TIME_TOO_OLD,
            f"block {header.height} is not younger than the median of the blocks before it",
            expected=f"above {median} ms",
            got=header.time_ms,
        )


def check_clock(params: Params, header: Header, now_ms: TimeMs) -> None:
    """Hold a block that is too far ahead of `now_ms`; it is not refused.

    Raises:
        ClockAhead: it has the time from which the block may be checked again.
    """
    if header.time_ms > now_ms + params.max_future_ms:
        raise ClockAhead(
            TimeMs(header.time_ms - params.max_future_ms),
            f"block {header.height} is {header.time_ms - now_ms} ms ahead of this node's clock, "
            f"at most {params.max_future_ms} ms are allowed",
            header.time_ms - now_ms,
        )
