"""Each peer delivers blocks at its own rate, which decides how many are requested from it at a time."""

from typing import Final

FIRST_RATE: Final = 8.0
"""A peer is assumed to deliver this many blocks per second until it has shown another rate."""
HORIZON_S: Final = 1.0
"""A peer is asked for what it delivers in this time, which is enough to hide the round trip."""
LEAST: Final = 2
MOST: Final = 64
"""At most this many blocks are in flight from one peer."""
SAMPLE_S: Final = 0.2
"""A rate is measured over at least this time, because blocks arrive in bursts."""
WEIGHT: Final = 0.5
"""A new sample has this weight against all before it."""


class Pace:
    """Holds the rate of one peer and the number of blocks in flight from it."""

    def __init__(self) -> None:
        self.rate = FIRST_RATE
        """The peer delivers this many blocks per second while some are in flight."""
        self.in_flight = 0
        self._since = 0.0
        self._count = 0

    def get_room(self) -> int:
        """Return how many more blocks may be requested now."""
        most = min(MOST, max(LEAST, round(self.rate * HORIZON_S)))
        return max(0, most - self.in_flight)

    def begin(self, count: int, now: float) -> None:
        """Note that `count` blocks were requested."""
        if self.in_flight == 0:
            self._since, self._count = now, 0
        self.in_flight += count

    def on_block(self, now: float) -> None:
        """Note that one of them arrived."""
        self.in_flight -= 1
        self._count += 1
        if self.in_flight == 0 or now - self._since >= SAMPLE_S:
            self._sample(now)

    def end(self, left: int, now: float) -> None:
        """Note that a request is over and `left` blocks of it did not arrive, which makes the peer slower."""
        self.in_flight -= left
        if left:
            self._sample(now)

    def on_stall(self) -> None:
        """Note that the peer stalled the window."""
        self.rate = min(self.rate / 4, FIRST_RATE)

    def _sample(self, now: float) -> None:
        # A burst within one turn of the event loop says little about a rate, so no sample counts as shorter than this.
        seconds = max(now - self._since, SAMPLE_S / 10)
        self.rate = (1 - WEIGHT) * self.rate + WEIGHT * self._count / seconds
        self._since, self._count = now, 0
