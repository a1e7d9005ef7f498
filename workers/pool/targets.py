"""How hard the shares of a worker are: about one in ten seconds, by what its shares of late stand for."""

from typing import Final

from inos.primitives.units import U256_MAX, Target, Tickets

SHARE_S: Final = 10.0
LEAST_WEIGHT: Final = 256
"""No share stands for fewer tickets, so that a worker that tells a low speed does not flood the pool with shares."""
SHARES_OF_D: Final = 8
"""A share stands for at most this part of D, if that makes no more shares than the next line allows."""
MOST_PER_S: Final = 4.0
"""At most about so many shares a second are asked of a worker, since one that sends many more is disconnected."""
FIRST_SPEED: Final = 2_000
"""Tickets per second of a worker that tells no speed; a page on a telephone draws about so many."""
MOST_TOLD: Final = 1 << 24
"""A speed that is told and not shown yet counts at most this much: a share that is too hard never comes."""
MEASURED_SHARES: Final = 8
"""After so many shares, or the time of so many, the measured speed counts alone."""
HALF_LIFE_S: Final = 120.0


def make_share_target(weight: int) -> Target:
    """Return the target that one in about `weight` tickets meets."""
    return Target((U256_MAX + 1) // max(1, weight) - 1)


def compute_weight(target: Target) -> Tickets:
    """Return the tickets that a share at this target stands for: 2^256 / (target + 1)."""
    return Tickets((U256_MAX + 1) // (target + 1))


class Pace:
    """The pace of one connection, as its shares show it. Older shares count less: half of it after two minutes."""

    def __init__(self, told: int, now_s: float) -> None:
        self._told = min(told or FIRST_SPEED, MOST_TOLD)
        self._tickets = 0.0
        self._seconds = 0.0
        self._at = now_s
        self._shares = 0

    def add(self, weight: int, now_s: float) -> None:
        """Count a share."""
        self._pass_time(now_s)
        self._tickets += weight
        self._shares += 1

    def compute_speed(self, now_s: float) -> float:
        """Return tickets per second: what the worker said at first, what its shares show later."""
        self._pass_time(now_s)
        if self._seconds < MEASURED_SHARES * SHARE_S and self._shares < MEASURED_SHARES:
            known = self._seconds / (MEASURED_SHARES * SHARE_S)
            shown = self._tickets / self._seconds if self._seconds else 0.0
            return (1 - known) * self._told + known * shown
        return self._tickets / max(self._seconds, 1.0)

    def compute_weight(self, now_s: float, difficulty: int) -> int:
        """Return the tickets that the next assignment's shares should stand for.

        Args:
            difficulty: D. A window of 2·D should be made of many shares, so where D is small, shares come more often.
        """
        speed = self.compute_speed(now_s)
        return max(int(min(speed * SHARE_S, difficulty / SHARES_OF_D)), int(speed / MOST_PER_S), LEAST_WEIGHT)

    def _pass_time(self, now_s: float) -> None:
        passed = max(0.0, now_s - self._at)
        self._at = max(self._at, now_s)
        kept = 0.5 ** (passed / HALF_LIFE_S)
        self._tickets *= kept
        self._seconds = self._seconds * kept + passed
