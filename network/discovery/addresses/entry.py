"""One address with its history: when it was heard of, dialled, reached."""

from typing import Final

from inos.network.discovery.addresses.buckets import Position
from inos.network.identity import PeerAddress

_MINUTE: Final = 60_000
_DAY: Final = 24 * 60 * _MINUTE
JUST_TRIED_MS: Final = _MINUTE
LATELY_MS: Final = 10 * _MINUTE
HORIZON_MS: Final = 30 * _DAY
"""Not seen by anybody for so long it is forgotten."""
RETRIES: Final = 3
"""Attempts after which one that was never reached is given up."""
MAX_FAILURES: Final = 10
MIN_FAIL_MS: Final = 7 * _DAY
"""So many failures over at least so long, and one that was reached before is given up too."""
FUTURE_MS: Final = 10 * _MINUTE


class AddressEntry:
    """Times are milliseconds since 1970; 0 is never."""

    __slots__ = ("address", "attempt_ms", "attempts", "is_tried", "places", "reached_ms", "seen_ms", "source")

    def __init__(self, address: PeerAddress, source: bytes, seen_ms: int) -> None:
        self.address = address
        self.source = source
        """Network group of who told it first."""
        self.seen_ms = seen_ms
        self.attempt_ms = 0
        self.reached_ms = 0
        self.attempts = 0
        """Attempts in vain since it was last reached."""
        self.is_tried = False
        self.places: dict[Position, bytes] = {}
        """Where it stands among the new ones, and the group it was heard from there."""

    def __repr__(self) -> str:
        return f"AddressEntry({self.address}, tried={self.is_tried})"

    def is_terrible(self, now_ms: int) -> bool:
        """Whether it may be forgotten for another one; the rule of Bitcoin Core's addrman."""
        if self.attempt_ms > 0 and now_ms - self.attempt_ms < JUST_TRIED_MS:
            return False
        if self.seen_ms > now_ms + FUTURE_MS or now_ms - self.seen_ms > HORIZON_MS:
            return True
        if not self.reached_ms:
            return self.attempts >= RETRIES
        return self.attempts >= MAX_FAILURES and now_ms - self.reached_ms > MIN_FAIL_MS

    def compute_chance(self, now_ms: int) -> float:
        """How likely it is taken when it is picked, in (0, 1]."""
        chance = 0.01 if self.attempt_ms > 0 and now_ms - self.attempt_ms < LATELY_MS else 1.0
        return chance * 0.66 ** min(self.attempts, 8)
