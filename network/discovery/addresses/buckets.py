"""Buckets of places, each empty or holding one entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from inos.primitives.randomness import Randomness

if TYPE_CHECKING:
    from inos.network.discovery.addresses.entry import AddressEntry

Position: TypeAlias = tuple[int, int]
"""Bucket and position in it."""


class BucketTable:
    """Sparse: empty buckets take no room, and are never picked."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int, AddressEntry]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, place: Position) -> AddressEntry | None:
        bucket = self._buckets.get(place[0])
        return None if bucket is None else bucket.get(place[1])

    def put(self, place: Position, entry: AddressEntry) -> None:
        """Enter at a place that is empty."""
        self._buckets.setdefault(place[0], {})[place[1]] = entry
        self._count += 1

    def remove(self, place: Position) -> None:
        """Empty a place that is taken."""
        bucket = self._buckets[place[0]]
        del bucket[place[1]]
        if not bucket:
            del self._buckets[place[0]]
        self._count -= 1

    def pick(self, rng: Randomness) -> AddressEntry:
        """A random entry of a random bucket; the table must not be empty."""
        buckets = list(self._buckets)
        entries = list(self._buckets[buckets[int(rng.random() * len(buckets))]].values())
        return entries[int(rng.random() * len(entries))]
