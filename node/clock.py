"""The clock of a running node; tests hand in one of their own."""

import time
from typing import Protocol

from inos.primitives.units import TimeMs


class Clock(Protocol):
    """Time, injected."""

    def now_ms(self) -> TimeMs:
        """Wall clock, ms since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> TimeMs:
        return TimeMs(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic()
