"""The machine's clock, moved forward by hand."""

import time

from inos.primitives.units import TimeMs


class MovableClock:
    """Runs as the machine's does, so much ahead of it as was asked for."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> TimeMs:
        """Wall clock, ms since 1970 UTC."""
        return TimeMs(time.time_ns() // 1_000_000 + self._ahead_ms)

    def monotonic(self) -> float:
        """Seconds that never go back; waiting is not shortened by moving the clock."""
        return time.monotonic()

    def advance(self, ms: int) -> None:
        """Move forward."""
        self._ahead_ms += ms

    @property
    def ahead_ms(self) -> int:
        return self._ahead_ms

    def set_ahead(self, ms: int) -> None:
        """Be so much ahead of the machine; for going back to a snapshot."""
        self._ahead_ms = ms
