"""The window of the last tickets, by which the income of the lottery is divided (PPLNS).

Tickets are kept by address in buckets. A bucket lasts for an hour at most, and for at most a 64th of the window, so
that the window's end is exact to that part also on networks where 2·D tickets are drawn in seconds.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from inos.primitives.units import Address, TimeMs
from inos.workers.pool.split import Part

SPAN_OF_D: Final = 2
"""The window has this many times D tickets."""
BUCKET_MS: Final = 3_600_000
BUCKETS_OF_WINDOW: Final = 64
KEPT_WINDOWS: Final = 4
"""So many windows of tickets are kept, since D may grow before a block is found."""

MAX_ADDRESSES: Final = 16_384
"""At most so many addresses have tickets in all buckets: an income with all of them takes 448 KiB."""


class Bucket:
    """The tickets of a stretch of time."""

    def __init__(self, number: int, began_ms: TimeMs) -> None:
        self.number = number
        self.began_ms = began_ms
        self.tickets: dict[Address, int] = {}
        self.total = 0

    def add(self, address: Address, tickets: int) -> int:
        """Add tickets; return those that the address has in this bucket now."""
        self.total += tickets
        now = self.tickets.get(address, 0) + tickets
        self.tickets[address] = now
        return now


class Window:
    """All buckets that may still count, oldest first."""

    def __init__(self, buckets: Iterable[Bucket] = ()) -> None:
        self._buckets = deque(buckets)
        self._total = sum(bucket.total for bucket in self._buckets)
        self._places = Counter(address for bucket in self._buckets for address in bucket.tickets)
        """In how many buckets each address has tickets."""

    @property
    def total(self) -> int:
        """The tickets of all buckets."""
        return self._total

    def has(self, address: Address) -> bool:
        """Return True if an address has tickets in any bucket."""
        return address in self._places

    def has_room(self, address: Address) -> bool:
        """Return False for the tickets of a new address while there are `MAX_ADDRESSES`."""
        return address in self._places or len(self._places) < MAX_ADDRESSES

    def list_buckets(self) -> list[Bucket]:
        return list(self._buckets)

    def add(self, address: Address, tickets: int, at_ms: TimeMs, span: int) -> Bucket:
        """Count tickets at the window's end, and return the bucket that has them now.

        Args:
            span: the tickets of the window now.
        """
        last = self._buckets[-1] if self._buckets else None
        if last is None or at_ms >= last.began_ms + BUCKET_MS or last.total * BUCKETS_OF_WINDOW >= span:
            last = Bucket(last.number + 1 if last else 0, at_ms)
            self._buckets.append(last)
        if address not in last.tickets:
            self._places[address] += 1
        last.add(address, tickets)
        self._total += tickets
        return last

    def take(self, span: int) -> list[Part]:
        """Return the last `span` tickets by address, sorted by address, or all there are if they are fewer.

        Of the oldest bucket that is not needed whole, each address has the same part, rounded down.
        """
        left, found = span, dict[Address, int]()
        for bucket in reversed(self._buckets):
            taken = min(left, bucket.total)
            for address, tickets in bucket.tickets.items():
                found[address] = found.get(address, 0) + tickets * taken // bucket.total
            left -= taken
            if not left:
                break
        return [Part(address, tickets) for address, tickets in sorted(found.items()) if tickets]

    def drop_old(self, span: int) -> list[Bucket]:
        """Forget the oldest buckets that no block needs any more, and return them."""
        dropped = []
        while self._buckets and self._total - self._buckets[0].total >= KEPT_WINDOWS * span:
            oldest = self._buckets.popleft()
            self._total -= oldest.total
            for address in oldest.tickets:
                self._places[address] -= 1
                if not self._places[address]:
                    del self._places[address]
            dropped.append(oldest)
        return dropped
