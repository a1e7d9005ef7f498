"""Memories that forget: bounded sets and maps, and token buckets."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class BoundedSet(Generic[K]):
    """The last `limit` things added."""

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


class ExpiringSet(Generic[K]):
    """Things that count until a time, the last `limit` of them."""

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
        """Whether `item` still counts at `now` (monotonic seconds)."""
        until = self._until.get(item)
        if until is not None and until <= now:
            del self._until[item]
            return False
        return until is not None

    def discard(self, item: K) -> None:
        self._until.pop(item, None)


class TokenBucket:
    """`burst` at once, `per_s` sustained."""

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether there was `amount` left; takes it if so."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def spend(self, now: float, amount: float) -> float:
        """Take `amount` even where less is left; seconds until nothing is owed any more."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s) - amount
        self._at = now
        return max(0.0, -self._tokens / self._per_s)


class Score:
    """Penalty points that decay."""

    def __init__(self, decay_per_s: float, now: float) -> None:
        self._decay = decay_per_s
        self._points = 0.0
        self._at = now

    def add(self, points: float, now: float) -> float:
        """Points after adding."""
        self._points = self.get(now) + points
        self._at = now
        return self._points

    def get(self, now: float) -> float:
        """Points by now."""
        return max(0.0, self._points - (now - self._at) * self._decay)
