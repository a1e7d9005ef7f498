"""An address has a history: when it was announced, dialled and reached."""

from typing import Final

from inos.network.discovery.addresses.buckets import Position
from inos.network.identity import PeerAddress

_MINUTE: Final = 60_000
_DAY: Final = 24 * 60 * _MINUTE
JUST_TRIED_MS: Final = _MINUTE
LATELY_MS: Final = 10 * _MINUTE
HORIZON_MS: Final = 30 * _DAY
"""An address that no node has seen for this long is forgotten."""
RETRIES: Final = 3
"""An address that was never reached is given up after this many attempts."""
MAX_FAILURES: Final = 10
MIN_FAIL_MS: Final = 7 * _DAY
"""An address that was reached before is given up after `MAX_FAILURES` failures over at least this time."""


class AddressEntry:
    """Holds an address of the book with its history. Times are milliseconds since 1970; 0 means never."""

    __slots__ = ("address", "attempt_ms", "attempts", "is_tried", "positions", "reached_ms", "seen_ms", "source")

    def __init__(self, address: PeerAddress, source: bytes, seen_ms: int) -> None:
        self.address = address
        self.source = source
        """The peer that announced the address first belongs to this network group."""
        self.seen_ms = seen_ms
        self.attempt_ms = 0
        self.reached_ms = 0
        self.attempts = 0
        """This many attempts have failed since the node was last reached."""
        self.is_tried = False
        self.positions: dict[Position, bytes] = {}
        """The entry has these positions in the new table, each with the group that announced it."""

    def __repr__(self) -> str:
        return f"AddressEntry({self.address}, tried={self.is_tried})"

    def is_terrible(self, now_ms: int) -> bool:
        """Return True if another address may replace this one.

        The rule is that of Bitcoin Core's addrman, but that a time ahead of the clock counts as now: announced times
        are bounded when they come, so this clock was set back.
        """
        if self.was_tried_within(JUST_TRIED_MS, now_ms):
            return False
        if now_ms - self.seen_ms > HORIZON_MS:
            return True
        if not self.reached_ms:
            return self.attempts >= RETRIES
        return self.attempts >= MAX_FAILURES and now_ms - self.reached_ms > MIN_FAIL_MS

    def was_tried_within(self, span_ms: float, now_ms: int) -> bool:
        """Return True if the address was dialled this recently; a time ahead of the clock says nothing."""
        return self.attempt_ms > 0 and 0 <= now_ms - self.attempt_ms < span_ms

    def compute_chance(self, now_ms: int) -> float:
        """Return the probability that a picked entry is used, in (0, 1]."""
        chance = 0.01 if self.was_tried_within(LATELY_MS, now_ms) else 1.0
        return chance * 0.66 ** min(self.attempts, 8)
