"""The signing journal has every vote of a voter's key on disk before the vote is sent.

Each vote is one line of JSON, appended and fsynced; the first line names the owner. A last line that a crash cut short
was never followed by a vote, and is dropped. Anything else that cannot be read stops the voter, because it might hide a
vote. The rule is that of EIP-3076, with the hash of the vote as its signing root.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec
from msgspec import Struct

from inos.core.errors import NodeError
from inos.primitives.units import BlockId

FILE_MODE: Final = 0o600
LOCK_MODE: Final = 0o644
MAX_JOURNAL_BYTES: Final = 256 << 20
"""This is room for a million votes; one every quarter of an hour makes this many in 30 years."""


class Signed(Struct, frozen=True):
    """Holds one vote, as far as the rule needs it. `root` is its hash in hex; it is "" if only the epochs are known."""

    source: int
    target: int
    root: str


class _Owner(Struct, frozen=True):
    version: int
    genesis: str
    key: str


class Refused(NodeError):
    """The journal does not allow the key to sign: "source-above-target", "would-vote-twice", "would-surround",
    "below-journal".
    """


def is_forward(source: int, target: int) -> bool:
    """Return True if a vote may have these epochs; EIP-3076 lets both be the same."""
    return source <= target


def check_signing(signed: Iterable[Signed], new: Signed) -> bool:
    """Return True if `new` is in the journal already, and may be sent again.

    Raises:
        Refused: the journal does not allow the key to sign it; the class lists the codes.
    """
    if not is_forward(new.source, new.target):
        raise Refused("source-above-target", f"a vote goes from epoch {new.source} back to {new.target}")
    known = tuple(signed)
    if any(each == new and new.root for each in known):
        return True
    for each in known:
        if each.target == new.target:
            raise Refused("would-vote-twice", f"the journal has a vote for epoch {new.target} already")
        outer, inner = (new, each) if new.source < each.source else (each, new)
        if outer.source < inner.source and inner.target < outer.target:
            raise Refused(
                "would-surround",
                f"one of two votes surrounds the other: {new.source} to {new.target}, the journal's {each.source} to"
                f" {each.target}",
            )
    # An import may have left out what lies below the lowest entry.
    if known and (new.source < min(each.source for each in known) or new.target < min(each.target for each in known)):
        raise Refused("below-journal", f"a vote from {new.source} to {new.target} is older than the journal")
    return False


class Journal:
    """Holds the journal of one key on one network. Used as a context manager, it holds the key's lock.

    Raises (on entering):
        NodeError: "voter-key-in-use", "journal-damaged", "journal-of-another", "journal-unusable".
    """

    def __init__(self, path: Path, key: bytes, genesis: BlockId, *, lock_dir: Path | None = None) -> None:
        self.path = path
        self._key = key
        self._owner = _Owner(1, genesis.hex(), key.hex())
        self._lock_path = (lock_dir or Path(tempfile.gettempdir())) / f"inos-voter-{key.hex()[:32]}.lock"
        self._lock: int | None = None
        self._file: int | None = None
        self._signed: list[Signed] = []

    @property
    def signed(self) -> tuple[Signed, ...]:
        """Return all votes of the journal, the oldest first."""
        return tuple(self._signed)

    def __enter__(self) -> "Journal":
        self._lock = take_key_lock(self._lock_path)
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
            self._load(self._file)
        except OSError as error:
            self._close()
            raise NodeError("journal-unusable", f"cannot use the signing journal {self.path}: {error}") from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def sign(self, new: Signed) -> None:
        """Write a vote to disk, so that it may be sent. A vote that is there already may be sent again.

        Raises:
            Refused: it must not be signed. NodeError "journal-unusable": the disk refuses, so nothing may be sent.
        """
        if not check_signing(self._signed, new):
            self._append((new,))

    def note(self, heard: Iterable[Signed]) -> int:
        """Add votes that the key signed elsewhere, imported or received, and return how many are new."""
        known = set(self._signed)
        fresh = tuple(each for each in dict.fromkeys(heard) if each not in known)
        if fresh:
            self._append(fresh)
        return len(fresh)

    def _load(self, file: int) -> None:
        if os.fstat(file).st_size > MAX_JOURNAL_BYTES:
            raise self._explain(f"it is larger than {MAX_JOURNAL_BYTES} bytes")
        with os.fdopen(os.dup(file), "rb") as reader:
            data = reader.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.ftruncate(file, len(whole))
        if not whole:
            self._write(msgspec.json.encode(self._owner) + b"\n")
            _sync_folder(self.path.parent)
            return
        first, *rest = whole.splitlines()
        try:
            owner = msgspec.json.decode(first, type=_Owner)
            self._signed = [msgspec.json.decode(line, type=Signed) for line in rest]
        except msgspec.MsgspecError as error:
            raise self._explain(str(error)) from error
        if owner != self._owner:
            raise NodeError(
                "journal-of-another",
                f"{self.path} is the journal of key {owner.key[:16]} on the chain of {owner.genesis[:16]}",
                hint="a key and its journal stay together; import the journal's export where the key went",
            )

    def _append(self, entries: tuple[Signed, ...]) -> None:
        try:
            self._write(b"".join(msgspec.json.encode(each) + b"\n" for each in entries))
        except OSError as error:
            raise NodeError("journal-unusable", f"cannot write the signing journal {self.path}: {error}") from error
        self._signed += entries

    def _write(self, data: bytes) -> None:
        if self._file is None:
            raise OSError("the journal is not open")
        if os.write(self._file, data) != len(data):
            raise OSError("the disk wrote only a part")
        os.fsync(self._file)

    def _explain(self, why: str) -> NodeError:
        return NodeError(
            "journal-damaged",
            f"the signing journal {self.path} cannot be read: {why}",
            hint="restore it, or import an export of it into a new one; without it the key may vote twice",
        )

    def _close(self) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None


def take_key_lock(path: Path) -> int:
    """Lock one key on this machine, in any folder that its file is in.

    Raises:
        NodeError: "voter-key-in-use".
    """
    try:
        descriptor = _open_lock(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise NodeError(
            "voter-key-in-use",
            f"another process votes with this key, or its lock {path} cannot be taken: {error.strerror}",
            hint="one key votes in one process: stop the other node; a lock that another user left can be removed",
        ) from error
    return descriptor


def _open_lock(path: Path) -> int:
    """Open the lock, or make it readable by all users: one who ran the node before may own it, and flock needs no more.

    In a folder such as /tmp another user's file cannot be opened for writing.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, LOCK_MODE)
        os.fchmod(descriptor, LOCK_MODE)
    return descriptor


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
