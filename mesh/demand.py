"""Measures how often a matrix is requested; a request counts half after every half-life."""

import math
from typing import Final

from msgspec import Struct

HALF_LIFE_MS: Final = 3_600_000
"""One hour: all who check a job fetch its operands within minutes, and hardly any node does the next day."""
MAX_DEMAND: Final = 1024.0
"""Demand is capped here, so that no number of requests makes a matrix wanted for days: ten half-lives."""


class Demand(Struct, frozen=True):
    """Holds the weighted count of requests at one time."""

    value: float = 0.0
    at_ms: int = 0

    def get(self, now_ms: int) -> float:
        """Return what the count has decayed to; a clock set back changes nothing."""
        return self.value * math.pow(2.0, -max(0, now_ms - self.at_ms) / HALF_LIFE_MS)

    def add(self, now_ms: int, requests: float = 1.0) -> "Demand":
        return Demand(min(MAX_DEMAND, self.get(now_ms) + requests), now_ms)
