"""Manages the data directory, which one node at a time uses, for one network.

The directory holds:

lock           held by the running node (its pid inside) genesis        the genesis id, hex ledger/        blocks,
states and indices (LevelDB) matrices/      matrices by id network/       what is known of other nodes: addresses,
anchors, bans pool           the mempool's transactions, kept over a restart node.key       the node's X25519 secret
(made once, 0600) voter.key      what the node's BLS key is made from, hex (made once, 0600) voter.journal  what that
key has signed worker.key     the mining key the node made itself, hex (made once, 0600) rpc.token      bearer token
of the protected RPC methods fleet.token    what the node's own workers show
members/       what the members of this node's pool earned (LevelDB)
fleet.sock     where workers on this machine open matrices node.json      pid and addresses while the node is ready
config.toml    settings, if there are any
"""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from inos.chain.opening import MOVE_ON, is_of_protocol_1
from inos.core.errors import NodeError
from inos.primitives.atomic_files import replace_file
from inos.primitives.secret_files import OTHERS, SecretFileError, read_secret_text
from inos.primitives.units import BlockId

DIR_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OWN: Final = re.compile(r"lost\+found|lock|ledger|matrices|network|pool|.*\.(key|token|toml|json|journal|log|txt)")
"""A data directory may hold these before its first start: settings, keys, a network's file, logs, and what a fresh
volume has."""
SECRET_BYTES: Final = 32
MAX_SMALL_FILE: Final = 4096


class DataDir:
    """Locks a data directory. Use it as a context manager: leaving it releases the lock.

    Args:
        is_read_only: nothing is written, the directory and its lock included; it must exist.

    Raises (on entering):
        NodeError: "data-dir-in-use" naming the process, "data-dir-unusable", "data-dir-foreign",
            "other-genesis", "old-protocol".
    """

    def __init__(self, path: Path, genesis: BlockId, *, is_read_only: bool = False) -> None:
        self.path = path
        self._genesis = genesis
        self._is_read_only = is_read_only
        self._lock: int | None = None

    @property
    def ledger(self) -> Path:
        return self.path / "ledger"

    @property
    def matrices(self) -> Path:
        return self.path / "matrices"

    @property
    def pool(self) -> Path:
        return self.path / "pool"

    @property
    def members(self) -> Path:
        """The folder of the books of a pool that pays workers; `pool` is the mempool's file."""
        return self.path / "members"

    @property
    def network(self) -> Path:
        return self.path / "network"

    @property
    def worker_key(self) -> Path:
        return self.path / "worker.key"

    @property
    def watch_key(self) -> Path:
        return self.path / "watch.key"

    @property
    def voter_key(self) -> Path:
        return self.path / "voter.key"

    @property
    def voter_journal(self) -> Path:
        return self.path / "voter.journal"

    @property
    def fleet_token(self) -> Path:
        return self.path / "fleet.token"

    @property
    def fleet_socket(self) -> Path:
        return self.path / "fleet.sock"

    @property
    def rpc_token(self) -> Path:
        return self.path / "rpc.token"

    @property
    def ready(self) -> Path:
        return self.path / "node.json"

    def __enter__(self) -> "DataDir":
        try:
            self._refuse_foreign()
            if not self._is_read_only:
                self.path.mkdir(mode=DIR_MODE, parents=True, exist_ok=True)
                _restrict(self.path)
            self._lock = _take_lock(self.path / "lock", is_read_only=self._is_read_only)
        except OSError as error:
            raise NodeError("data-dir-unusable", f"cannot use the data directory {self.path}: {error}") from error
        try:
            self._check_genesis()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._release()

    def _refuse_foreign(self) -> None:
        """Refuse a directory with other files in it, such as a home directory given by mistake."""
        if not self.path.is_dir() or (self.path / "genesis").exists():
            return
        foreign = sorted(entry.name for entry in self.path.iterdir() if not _OWN.fullmatch(entry.name))
        if foreign:
            raise NodeError(
                "data-dir-foreign",
                f"{self.path} holds other files, such as {foreign[0]}, and no node's data",
                hint="give a folder of its own as --data-dir",
            )

    def _check_genesis(self) -> None:
        path = self.path / "genesis"
        if not path.exists():
            if not self._is_read_only:
                write_atomically(path, self._genesis.hex() + "\n")
            return
        stored = _read_small(path).strip()
        if stored == self._genesis.hex():
            return
        if is_of_protocol_1(self.ledger):
            message = f"{self.path} holds a chain of protocol 1, this program follows 2"
            raise NodeError("old-protocol", message, hint=MOVE_ON)
        raise NodeError(
            "other-genesis",
            f"{self.path} holds the chain of genesis {stored}, this network's is {self._genesis.hex()}",
            hint="give another --data-dir, or the --network this directory belongs to",
        )

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _restrict(folder: Path) -> None:
    """Keep other users out; a mounted volume may belong to another user, who alone can do that."""
    if folder.stat().st_mode & 0o777 != DIR_MODE:
        with contextlib.suppress(PermissionError):
            folder.chmod(DIR_MODE)


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file in one step; only its owner can read it."""
    replace_file(path, text.encode())


def load_or_make_secret(path: Path, make: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """Return the secret (32 bytes) in `path`; make the file first if it is missing.

    Raises:
        NodeError: for the same reasons as read_secret.
    """
    if not path.exists():
        write_atomically(path, make(SECRET_BYTES).hex() + "\n")
    return read_secret(path)


def read_secret(path: Path) -> bytes:
    """Read a 32-byte secret written as 64 hex digits.

    Raises:
        NodeError: "bad-key-file" if the file is missing or holds no such secret, "key-file-open" if other users
            could read it.
    """
    try:
        secret = bytes.fromhex(read_secret_text(path, "key", refused_mode=OTHERS))
    except SecretFileError as error:
        code = "key-file-open" if error.code == "secret-open" else "bad-key-file"
        raise NodeError(code, error.message, hint=error.hint) from error
    except ValueError as error:
        raise NodeError("bad-key-file", f"{path} is not a key: write 64 hex digits") from error
    if len(secret) != SECRET_BYTES:
        raise NodeError("bad-key-file", f"{path} is not a key: 64 hex digits were expected, not {2 * len(secret)}")
    return secret


def _take_lock(path: Path, *, is_read_only: bool) -> int | None:
    """Lock the file; return None if there is none and none may be made, so that no node can run there."""
    if is_read_only and not path.exists():
        return None
    descriptor = os.open(path, os.O_RDONLY if is_read_only else os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise NodeError(
            "data-dir-in-use",
            f"the data directory {path.parent} is in use by process {holder}",
            hint="stop that node, or give another --data-dir",
        ) from error
    if is_read_only:
        return descriptor
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _read_small(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_SMALL_FILE).decode("utf-8", "replace")
