"""How fast one peer gives blocks, and so how many it is asked for at a time. No I/O, no clock of its own."""

from typing import Final

FIRST_RATE: Final = 8.0
"""Blocks a second, believed of a peer until it has shown another rate."""
HORIZON_S: Final = 1.0
"""A peer is asked for what it gives in so long: enough to hide the way there and back."""
LEAST: Final = 2
MOST: Final = 64
"""Blocks in flight from one peer."""
SAMPLE_S: Final = 0.2
"""A rate is taken over so long at least, as blocks come in bursts."""
WEIGHT: Final = 0.5
"""Of a new sample against all before it."""


class Pace:
    """One peer's rate and what is in flight from it."""

    def __init__(self) -> None:
        self.rate = FIRST_RATE
        """Blocks a second while some are in flight."""
        self.in_flight = 0
        self._since = 0.0
        self._count = 0

    def get_room(self) -> int:
        """How many more blocks it may be asked for now."""
        most = min(MOST, max(LEAST, round(self.rate * HORIZON_S)))
        return max(0, most - self.in_flight)

    def begin(self, count: int, now: float) -> None:
        """It is asked for `count` blocks."""
        if self.in_flight == 0:
            self._since, self._count = now, 0
        self.in_flight += count

    def on_block(self, now: float) -> None:
        """One of them came."""
        self.in_flight -= 1
        self._count += 1
        if self.in_flight == 0 or now - self._since >= SAMPLE_S:
            self._sample(now)

    def end(self, left: int, now: float) -> None:
        """The question is over, and `left` blocks of it did not come: whatever else it gave, it is slower now."""
        self.in_flight -= left
        if left:
            self._sample(now)

    def on_stall(self) -> None:
        """It held up everybody."""
        self.rate = min(self.rate / 4, FIRST_RATE)

    def _sample(self, now: float) -> None:
        # A burst within one turn of the event loop says little of a rate, so no sample is taken as shorter than this.
        seconds = max(now - self._since, SAMPLE_S / 10)
        self.rate = (1 - WEIGHT) * self.rate + WEIGHT * self._count / seconds
        self._since, self._count = now, 0
