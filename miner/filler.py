"""While no job pays, the miner multiplies filler: random operands, made once, under a new nonce for each slice."""

from typing import Final

import numpy as np

from inos.miner.product import Product
from inos.miner.settings import MinerSettings
from inos.primitives.matrices import compute_tickets
from inos.work import Operand

ENTRY_MIN: Final = -64
ENTRY_MAX: Final = 63
"""An int7 operand has entries in this range (protocol, section 2)."""
BURST_S: Final = 0.25
"""A throttled miner multiplies this many seconds of its allowance at a time."""


def make_filler(settings: MinerSettings, random: np.random.Generator, rows: int | None = None) -> Product:
    """Make and commit random operands of `rows`, by default filler_rows, x filler_depth."""
    shape = (rows or settings.filler_rows, settings.filler_depth)
    x, w = (random.integers(ENTRY_MIN, ENTRY_MAX + 1, shape, dtype=np.int8) for _ in range(2))
    return Product(Operand.commit(x), Operand.commit(w), keeps_rows=False)


def choose_filler_rows(settings: MinerSettings, rows: int, speed: float) -> int:
    """Return the rows of the next filler operands: twice as many if one slice takes all of them.

    Args:
        rows: those of the last filler. speed: tickets per second.
    """
    if settings.filler_rate > 0:
        speed = min(speed, settings.filler_rate)
    is_short = compute_tickets(rows, rows, settings.filler_depth) < speed * settings.slice_ms / 1000
    return min(2 * rows, max(rows, settings.max_filler_rows)) if is_short else rows


class Throttle:
    """Limits filler to a number of tickets per second.

    Args:
        rate: tickets per second; 0 is no limit.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next = 0.0

    def limit(self, tickets: int) -> int:
        """Return how many of `tickets` to multiply at once, so that the pauses stay short."""
        return tickets if self._rate <= 0 else max(1, min(tickets, int(self._rate * BURST_S)))

    def get_pause(self, now: float) -> float:
        """Return the seconds to wait at monotonic `now` before the next filler slice."""
        return max(0.0, self._next - now)

    def spend(self, tickets: int, started: float) -> None:
        """Count the tickets of a slice that began at monotonic `started`."""
        if self._rate > 0:
            self._next = max(self._next, started) + tickets / self._rate
