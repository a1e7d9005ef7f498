"""A table of buckets has positions, each of which is empty or holds one entry."""

from typing import Generic, TypeAlias, TypeVar

from inos.primitives.randomness import Randomness

T = TypeVar("T")
Position: TypeAlias = tuple[int, int]
"""A position is a bucket and an index in it."""


class BucketTable(Generic[T]):
    """Stores entries sparsely: empty buckets take no memory and are never picked."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int, T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, position: Position) -> T | None:
        bucket = self._buckets.get(position[0])
        return None if bucket is None else bucket.get(position[1])

    def put(self, position: Position, entry: T) -> None:
        """Store an entry at a position that is empty."""
        self._buckets.setdefault(position[0], {})[position[1]] = entry
        self._count += 1

    def remove(self, position: Position) -> None:
        """Empty a position that holds an entry."""
        bucket = self._buckets[position[0]]
        del bucket[position[1]]
        if not bucket:
            del self._buckets[position[0]]
        self._count -= 1

    def pick(self, rng: Randomness) -> T:
        """Return a random entry of a random bucket; the table must not be empty."""
        buckets = list(self._buckets)
        entries = list(self._buckets[buckets[int(rng.random() * len(buckets))]].values())
        return entries[int(rng.random() * len(entries))]
