"""These sets and counters have bounded memory: they forget their oldest items, expire, refill or decay."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class BoundedSet(Generic[K]):
    """Remembers the last `limit` items added."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[K, None] = OrderedDict()

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: K) -> None:
        self._items[item] = None
        self._items.move_to_end(item)
        if len(self._items) > self._limit:
            self._items.popitem(last=False)

    def discard(self, item: K) -> None:
        self._items.pop(item, None)

    def clear(self) -> None:
        self._items.clear()


class ExpiringSet(Generic[K]):
    """Remembers the last `limit` items added, each of which expires at a time of its own."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._until: OrderedDict[K, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def add(self, item: K, until: float) -> None:
        self._until[item] = until
        self._until.move_to_end(item)
        if len(self._until) > self._limit:
            self._until.popitem(last=False)

    def has(self, item: K, now: float) -> bool:
        """Return True if `item` has not expired at `now` (monotonic seconds)."""
        until = self._until.get(item)
        if until is not None and until <= now:
            del self._until[item]
            return False
        return until is not None

    def discard(self, item: K) -> None:
        self._until.pop(item, None)


class TokenBucket:
    """Allows `burst` at once and `per_s` sustained."""

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take `amount` and return True, or return False if less is left."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def spend(self, now: float, amount: float) -> float:
        """Take `amount` even if less is left; return the seconds until the debt is paid."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s) - amount
        self._at = now
        return max(0.0, -self._tokens / self._per_s)


class Score:
    """Counts penalty points that decay."""

    def __init__(self, decay_per_s: float, now: float) -> None:
        self._decay = decay_per_s
        self._points = 0.0
        self._at = now

    def add(self, points: float, now: float) -> float:
        """Add points and return the new total."""
        self._points = self.get(now) + points
        self._at = now
        return self._points

    def get(self, now: float) -> float:
        """Return the points that are left at `now`."""
        return max(0.0, self._points - (now - self._at) * self._decay)
