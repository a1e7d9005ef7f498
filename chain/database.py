"""LevelDB behind a few words, with its errors told apart."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import plyvel

from chain.errors import ChainError

WRITE_BUFFER_BYTES = 16 << 20


class Database:
    """Bytes by bytes; batches are atomic.

    Args:
        is_durable: sync every batch to disk. Without it a killed process loses nothing, a power cut
            the last blocks, never the database's consistency.

    Raises:
        ChainError: "database-in-use", "database-damaged".
    """

    def __init__(self, path: Path, *, is_durable: bool) -> None:
        self._path = path
        self._is_durable = is_durable
        path.mkdir(parents=True, exist_ok=True)
        try:
            self._db: Any = plyvel.DB(str(path), create_if_missing=True, write_buffer_size=WRITE_BUFFER_BYTES)
        except plyvel.IOError as error:
            if "lock" in str(error).lower():
                raise ChainError(
                    "database-in-use",
                    f"another process has the database {path} open",
                    hint="stop the other node, or give this one another --data-dir",
                ) from error
            raise self._damaged(error) from error
        except plyvel.Error as error:
            raise self._damaged(error) from error

    def get(self, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        try:
            value: bytes | None = self._db.get(key)
        except plyvel.CorruptionError as error:
            raise self._damaged(error) from error
        return value

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """All changes or none; None deletes."""
        with self._db.write_batch(transaction=True, sync=self._is_durable) as batch:
            for key, value in changes.items():
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys with `prefix` (kept in the key) and their values, in order."""
        with self._db.iterator(start=prefix, stop=get_prefix_end(prefix), include_stop=False) as found:
            yield from found

    def iterate_keys(self, prefix: bytes) -> Iterator[bytes]:
        """Keys with `prefix` in order, without reading the values."""
        with self._db.iterator(
            start=prefix, stop=get_prefix_end(prefix), include_stop=False, include_value=False
        ) as found:
            yield from found

    def snapshot(self) -> "Snapshot":
        """What is stored now, unmoved by later writes."""
        return Snapshot(self._db.snapshot())

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _damaged(self, error: Exception) -> ChainError:
        return ChainError(
            "database-damaged",
            f"the database {self._path} cannot be read: {error}",
            hint="move the folder away and start again: the node fetches the chain from its peers",
        )


class Snapshot:
    """The database at one moment; frees itself when nobody holds it any more."""

    def __init__(self, snapshot: Any) -> None:
        self._snapshot = snapshot

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._snapshot.get(key)
        return value

    def iterate(
        self, prefix: bytes, *, above: bytes | None = None, below: bytes | None = None, newest_first: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys with `prefix` (kept in the key), between `above` and `below`, both excluded."""
        with self._snapshot.iterator(
            start=prefix if above is None else above,
            stop=get_prefix_end(prefix) if below is None else below,
            include_start=above is None,
            include_stop=False,
            reverse=newest_first,
        ) as found:
            yield from found


def get_prefix_end(prefix: bytes) -> bytes | None:
    """The first key after all that begin with `prefix`; None where there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
