"""Changes on their way to the database: read at once as if written, written together in one batch.

A flush only ever falls between two steps of the connected chain, each of which leads from one block's state to
another's; so however many blocks one batch holds, a process killed at any instant stands on exactly one of them.
"""

from collections.abc import Mapping
from typing import Final

from chain.database import Database
from chain.errors import ChainError

FULL_BYTES: Final = 8 << 20
"""So much is written before more is taken on: a bound for memory, and for what a kill costs."""


class Staging:
    """Belongs to the writer's thread; readers on other threads read the database itself."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._changes: dict[bytes, bytes | None] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return self._bytes >= FULL_BYTES

    def get(self, key: bytes) -> bytes | None:
        """The value under `key`, staged or stored, or None."""
        changes = self._changes
        return changes[key] if key in changes else self._db.get(key)

    def write(self, changes: Mapping[bytes, bytes | None], *, is_synced: bool = True) -> None:
        """Stage changes; None deletes. All are on disk after `flush`, none before."""
        self._changes.update(changes)
        self._bytes += sum(len(key) + len(value or b"") for key, value in changes.items())

    def flush(self) -> None:
        """Write everything in one batch; what the disk refuses stays staged, for another try.

        Raises:
            ChainError: as Database.write.
        """
        if self._changes:
            self._db.write(self._changes)
            self._changes, self._bytes = {}, 0

    def explain(self, error: object) -> ChainError:
        """See Database.explain."""
        return self._db.explain(error)
