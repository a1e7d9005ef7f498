"""How much a matrix is asked for: requests that count half after every half-life."""

import math
from typing import Final

from msgspec import Struct

HALF_LIFE_MS: Final = 3_600_000
"""An hour: a job's operands are asked for by all who check it within minutes, and by nobody the next day."""
MAX_DEMAND: Final = 1024.0
"""What is counted at most, so that no number of requests makes an item wanted for days: ten half-lives."""


class Demand(Struct, frozen=True):
    """Requests as they counted at one time."""

    value: float = 0.0
    at_ms: int = 0

    def get(self, now_ms: int) -> float:
        """What is left of it now; a clock set back ages nothing."""
        return self.value * math.pow(2.0, -max(0, now_ms - self.at_ms) / HALF_LIFE_MS)

    def add(self, now_ms: int, requests: float = 1.0) -> "Demand":
        return Demand(min(MAX_DEMAND, self.get(now_ms) + requests), now_ms)
