"""Randomness that a caller injects, so that tests can repeat it. Keys are never made from it."""

from typing import Protocol


class Randomness(Protocol):
    """Randomness for jitter and nonces; random.Random satisfies it."""

    def random(self) -> float:
        """Return a number in [0, 1)."""

    def getrandbits(self, k: int, /) -> int: ...
