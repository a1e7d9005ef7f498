"""The one clock of the program: wall time and monotonic time, injected so that tests can replace it."""

import time
from typing import Protocol

from inos.primitives.units import TimeMs


class Clock(Protocol):
    """Tells the time. A simulated clock runs at the pace of its event loop's own time."""

    def now_ms(self) -> TimeMs:
        """Return the wall-clock time in ms since 1970 UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> TimeMs:
        return TimeMs(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic()
