"""A clock that tests can move forward."""

import time

from inos.primitives.units import TimeMs


class MovableClock:
    """Runs like the machine's clock, ahead of it by the time that it was moved."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> TimeMs:
        """Return the time, ms since 1970 UTC."""
        return TimeMs(time.time_ns() // 1_000_000 + self._ahead_ms)

    def monotonic(self) -> float:
        """Return seconds that never go back; moving the clock does not change them."""
        return time.monotonic()

    def advance(self, ms: int) -> None:
        """Move the clock forward."""
        self._ahead_ms += ms

    @property
    def ahead_ms(self) -> int:
        """The time by which the clock is ahead of the machine's, in ms."""
        return self._ahead_ms

    def set_ahead(self, ms: int) -> None:
        """Set how far the clock is ahead of the machine's; used to return to a snapshot."""
        self._ahead_ms = ms
