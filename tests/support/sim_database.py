"""`inos.chain.database.Database` in memory, without a folder or a lock, for a thousand ledgers in one process."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from weakref import WeakSet

from inos.chain.database import get_prefix_end
from inos.chain.errors import ChainError

LARGE = 1024


class MemoryDatabase:
    """A store of byte strings under byte strings, with snapshots.

    Args:
        shared: large values that several databases hold are kept once.
    """

    writing_s = 0.0

    def __init__(self, shared: dict[bytes, bytes] | None = None) -> None:
        self._shared = shared if shared is not None else {}
        self._values: dict[bytes, bytes] = {}
        self._snapshots: WeakSet[MemorySnapshot] = WeakSet()

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def write(self, changes: Mapping[bytes, bytes | None], *, is_synced: bool = True) -> None:
        for snapshot in self._snapshots:
            for key in changes:
                snapshot.before.setdefault(key, self._values.get(key))
        for key, value in changes.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = self._shared.setdefault(value, value) if len(value) > LARGE else value

    def iterate(self, prefix: bytes, *, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        return self.snapshot().iterate(prefix, start=start)

    def iterate_keys(self, prefix: bytes) -> Iterator[bytes]:
        return (key for key, _ in self.snapshot().iterate(prefix))

    def snapshot(self) -> "MemorySnapshot":
        snapshot = MemorySnapshot(self._values)
        self._snapshots.add(snapshot)
        return snapshot

    def close(self) -> None:
        self._values = {}

    def explain(self, error: object) -> ChainError:
        return ChainError("database-damaged", f"the simulated database: {error}")


class MemorySnapshot:
    """The present values, and the former values of keys that have changed since."""

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self._values = values
        self.before: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.before[key] if key in self.before else self._values.get(key)

    def iterate(
        self,
        prefix: bytes,
        *,
        start: bytes | None = None,
        above: bytes | None = None,
        below: bytes | None = None,
        newest_first: bool = False,
    ) -> Iterator[tuple[bytes, bytes]]:
        keys = {key for key in self._values if key.startswith(prefix)}
        keys |= {key for key in self.before if key.startswith(prefix)}
        ordered = sorted(keys)
        first = bisect_left(ordered, start or prefix if above is None else above + b"\0")
        end = get_prefix_end(prefix) if below is None else below
        last = len(ordered) if end is None else bisect_left(ordered, end)
        chosen = ordered[first:last]
        for key in reversed(chosen) if newest_first else chosen:
            value = self.get(key)
            if value is not None:
                yield key, value
