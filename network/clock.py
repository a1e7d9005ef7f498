"""The machine's clocks, for a service that was handed none."""

import time

from inos.primitives.units import TimeMs


class SystemClock:
    """Wall clock and monotonic clock."""

    def now_ms(self) -> TimeMs:
        return TimeMs(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic()
