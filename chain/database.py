"""A small interface to LevelDB, which tells its errors apart and verifies checksums at every read."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from inos.chain.errors import ChainError

try:
    import plyvel
except ModuleNotFoundError:
    # Plyvel has no wheels for Python 3.13 and newer. This fork has them, and differs in nothing but its name.
    import plyvel_next as plyvel

WRITE_BUFFER_BYTES: Final = 16 << 20
OPEN_FILES: Final = 74
"""LevelDB keeps ten of them for itself and maps the others, tables of 2 MB, into memory: a database of any size then
takes 128 MB at most, where LevelDB's own default of 1000 lets it take 2 GB."""
LETTERS: Final = tuple(bytes([letter]) for letter in b"abcdefghijklmnopqrstuvwxyz")
"""The letters with which all keys begin: see inos.chain.schema."""
CURRENT: Final = "CURRENT"
"""The file that names a database's newest manifest. LevelDB takes a folder without it for an empty one."""
REMAINS: Final = frozenset({".ldb", ".sst", ".log"})
"""Files with these suffixes hold records."""
COPIED_AT_ONCE: Final = 1 << 20
"""The bytes of one batch of a copy, which take a few milliseconds to write."""
DISK_TROUBLE: Final = (
    "no space left",
    "quota exceeded",
    "permission denied",
    "read-only file system",
    "too many open files",
    "input/output error",
    "not a directory",
    "file exists",
    "file too large",
)
"""Parts of the operating system's messages for errors that are not the database's fault."""


class Database:
    """A store of byte strings under byte strings, with atomic batches.

    Args:
        is_durable: writes with `is_synced` are synced to disk. Otherwise a killed process loses nothing, and a power
            failure loses the last blocks but leaves the database consistent.
        monotonic: returns seconds, to measure how long writes take.

    Raises:
        ChainError: "database-in-use", "database-damaged", "database-io"; from all methods also "database-closed".
    """

    def __init__(self, path: Path, *, is_durable: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._is_durable = is_durable
        self._monotonic = monotonic
        self.writing_s = 0.0
        """Seconds spent in `write` since the database was opened."""
        self.trouble: ChainError | None = None
        """The damage that was found, or the error of a write. Nothing is written after it: damage does not heal, and
        what follows a torn record in LevelDB's log is lost at the next start."""
        self._write_lock = threading.Lock()
        try:
            path.mkdir(parents=True, exist_ok=True)
            is_new = self._is_new()
            self._db: Any = plyvel.DB(
                os.fsencode(path),
                create_if_missing=is_new,
                write_buffer_size=WRITE_BUFFER_BYTES,
                max_open_files=OPEN_FILES,
                paranoid_checks=True,
                compression=None,
            )
        except (plyvel.Error, OSError) as error:
            if isinstance(error, plyvel.IOError) and "lock" in str(error).lower():
                raise ChainError(
                    "database-in-use",
                    f"another process has the database {path} open",
                    hint="stop the other node, or give this one another --data-dir",
                ) from error
            raise self.explain(error) from error

    def _is_new(self) -> bool:
        """Return True for a folder without a database, which LevelDB would begin over what is left of one.

        Raises:
            ChainError: "database-damaged" if a database lost the file CURRENT.
        """
        names = {entry.name for entry in self._path.iterdir()}
        if CURRENT in names:
            return False
        remains = sorted(name for name in names if Path(name).suffix in REMAINS)
        if remains:
            raise self.explain(f"it has {len(remains)} files such as {remains[0]}, and its file {CURRENT} is missing")
        return True

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        try:
            value: bytes | None = self._db.get(key, verify_checksums=True)
        except (plyvel.Error, RuntimeError) as error:
            raise self.explain(error) from error
        return value

    def write(self, changes: Mapping[bytes, bytes | None], *, is_synced: bool = True) -> None:
        """Write all changes or none; None deletes a key.

        Args:
            is_synced: the changes of a durable database are on disk when this returns. Otherwise they reach the disk in
                their order, at the latest with the next synced ones.

        Raises:
            ChainError: "database-io", "database-damaged"; the error of an earlier write, until the database is opened
                again.
        """
        if self.trouble is not None:
            raise ChainError(self.trouble.code, self.trouble.message, hint=self.trouble.hint)
        started = self._monotonic()
        try:
            with (
                self._write_lock,
                self._db.write_batch(transaction=True, sync=self._is_durable and is_synced) as batch,
            ):
                for key, value in changes.items():
                    if value is None:
                        batch.delete(key)
                    else:
                        batch.put(key, value)
        except (plyvel.Error, RuntimeError) as error:
            explained = self.explain(error)
            self.trouble = None if explained.code == "database-closed" else explained
            raise explained from error
        finally:
            self.writing_s += self._monotonic() - started

    def iterate(self, prefix: bytes, *, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys with `prefix` (kept in the key) and their values in order, from the key `start` on."""
        return self.snapshot().iterate(prefix, start=start)

    def iterate_keys(self, prefix: bytes) -> Iterator[bytes]:
        """Yield the keys with `prefix` in order, without reading the values."""
        try:
            with self._db.iterator(
                start=prefix,
                stop=get_prefix_end(prefix),
                include_stop=False,
                include_value=False,
                verify_checksums=True,
            ) as found:
                yield from found
        except (plyvel.Error, RuntimeError) as error:
            raise self.explain(error) from error

    def snapshot(self) -> "Snapshot":
        """Return a snapshot of what is stored now; later writes do not change it."""
        try:
            return Snapshot(self, self._db.snapshot())
        except (plyvel.Error, RuntimeError) as error:
            raise self.explain(error) from error

    def count_bytes(self) -> int:
        """Return the size of the database's files in bytes, or 0 if they cannot be read."""
        try:
            with os.scandir(self._path) as found:
                return sum(_measure(entry) for entry in found)
        except OSError:
            return 0

    def read_through(self, tell: Callable[[int, int], None]) -> None:
        """Read every record, so that LevelDB compares each block of its tables with its checksum.

        Args:
            tell: receives the bytes of keys and values that were read, and about how many there are.

        Raises:
            ChainError: "database-damaged".
        """
        of, done, told = max(1, self.count_bytes()), 0, 0
        for key, value in self.snapshot().iterate(b""):
            done += len(key) + len(value)
            if done - told >= COPIED_AT_ONCE:
                told = done
                tell(done, of)
        tell(of, of)

    def copy_to(self, path: Path, tell: Callable[[int], None]) -> None:
        """Copy what is stored now into a new database. Any thread may call this while this database is written to.

        Args:
            tell: receives the bytes of keys and values copied so far; an exception that it raises ends the copying.

        Raises:
            ChainError: "database-io" if the disk refuses; the part that was written to `path` must not be used.
        """
        source = self.snapshot()
        with Database(path, is_durable=True) as target:
            batch: dict[bytes, bytes | None] = {}
            size = copied = 0
            for key, value in source.iterate(b""):
                batch[key] = value
                size += len(key) + len(value)
                if size >= COPIED_AT_ONCE:
                    target.write(batch, is_synced=False)
                    copied, size, batch = copied + size, 0, {}
                    tell(copied)
            target.write(batch)
            tell(copied + size)

    def compact(self, tell: Callable[[int, int], None] = lambda done, of: None) -> None:
        """Free the disk space of deleted and overwritten records, which takes a while.

        Args:
            tell: receives how many parts are done, and of how many; a part is all keys with one first letter.
        """
        try:
            for done, letter in enumerate(LETTERS, 1):
                self._db.compact_range(start=letter, stop=get_prefix_end(letter))
                tell(done, len(LETTERS))
            self._db.compact_range()
        except (plyvel.Error, RuntimeError) as error:
            raise self.explain(error) from error

    def compact_part(self, prefix: bytes) -> None:
        """Free the disk space of deleted and overwritten records whose keys begin with `prefix`."""
        try:
            self._db.compact_range(start=prefix, stop=get_prefix_end(prefix))
        except (plyvel.Error, RuntimeError) as error:
            raise self.explain(error) from error

    def close(self) -> None:
        """Close the database after a write in progress; closing it twice does nothing."""
        with self._write_lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def explain(self, error: object) -> ChainError:
        """Return the ChainError for an error of LevelDB: "database-io" if the message names trouble with the disk,
        otherwise damage.
        """
        if isinstance(error, RuntimeError):
            return ChainError("database-closed", f"the database {self._path} is closed")
        reason = error.args[0] if isinstance(error, plyvel.Error) and error.args else error
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        if any(trouble in text.lower() for trouble in DISK_TROUBLE):
            return ChainError(
                "database-io",
                f"the disk refuses the database {self._path}: {text}",
                hint="check that the disk has space left and that the folder is writable, then start the node again",
            )
        self.trouble = ChainError(
            "database-damaged",
            f"the database {self._path} cannot be read: {text}",
            hint="put the folder back from a snapshot or a backup; or move it away and start again: the node then "
            "fetches the chain from its peers",
        )
        return self.trouble


class Snapshot:
    """The database at one moment. It is freed when nothing refers to it any more."""

    def __init__(self, database: Database, snapshot: Any) -> None:
        self._database = database
        self._snapshot = snapshot

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        try:
            value: bytes | None = self._snapshot.get(key, verify_checksums=True)
        except (plyvel.Error, RuntimeError) as error:
            raise self._database.explain(error) from error
        return value

    def iterate(
        self,
        prefix: bytes,
        *,
        start: bytes | None = None,
        above: bytes | None = None,
        below: bytes | None = None,
        newest_first: bool = False,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys with `prefix` (kept in the key) between `above` and `below`, both excluded, with their values.

        Args:
            start: the first key, included; it is given instead of `above`.
        """
        try:
            with self._snapshot.iterator(
                start=above or start or prefix,
                stop=get_prefix_end(prefix) if below is None else below,
                include_start=above is None,
                include_stop=False,
                reverse=newest_first,
                verify_checksums=True,
            ) as found:
                yield from found
        except (plyvel.Error, RuntimeError) as error:
            raise self._database.explain(error) from error


def _measure(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # LevelDB has just removed it
        return 0


def get_prefix_end(prefix: bytes) -> bytes | None:
    """Return the first key after all those that begin with `prefix`, or None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
