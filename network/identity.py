"""A node is identified by its X25519 key and the id derived from it, and written as ID@host:port."""

import os
import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Struct

from inos.network.errors import NetworkError
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.units import NodeId

KEY_FILE: Final = "node.key"
KEY_BYTES: Final = 32
_PEER: Final = re.compile(
    r"(?P<id>[0-9a-f]{64})@(?P<host>\[[0-9a-fA-F:.]{2,45}\]|[^\s@\[\]:]{1,253}):(?P<port>[0-9]{1,5})"
)


def compute_node_id(public_key: bytes) -> NodeId:
    """Return H("node id", X25519 public key)."""
    return NodeId(compute_hash(Context.NODE_ID, public_key))


class NodeIdentity:
    """Holds the static key pair of a node. The secret stays on this machine and is never printed."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"an X25519 secret has {KEY_BYTES} bytes, but this one has {len(secret)}")
        self.secret = secret
        self.public_key: bytes = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        self.node_id = compute_node_id(self.public_key)

    def __repr__(self) -> str:
        return f"NodeIdentity({self.node_id.hex()})"


def make_identity() -> NodeIdentity:
    """Return a fresh key from the system's randomness."""
    return NodeIdentity(os.urandom(KEY_BYTES))


def load_identity(directory: Path) -> NodeIdentity:
    """Return the key in `directory`/node.key; create the file, readable by its owner only, if it does not exist.

    Raises:
        NetworkError: "key-unreadable", "key-damaged", or "key-exposed" if other users may read it.
    """
    path = directory / KEY_FILE
    try:
        if not path.exists():
            _write_key(path, os.urandom(KEY_BYTES))
        mode = path.stat().st_mode & 0o777
        secret = path.read_bytes()
    except OSError as error:
        raise NetworkError("key-unreadable", f"cannot read or write the node's key {path}: {error.strerror}") from error
    if mode & 0o077:
        raise NetworkError(
            "key-exposed", f"other users of this machine may read {path} (mode {mode:o})", hint=f"run: chmod 600 {path}"
        )
    if len(secret) != KEY_BYTES:
        raise NetworkError(
            "key-damaged",
            f"{path} holds {len(secret)} bytes instead of {KEY_BYTES}",
            hint="restore it from a backup, or delete it and let the node take a new id",
        )
    return NodeIdentity(secret)


def _write_key(path: Path, secret: bytes) -> None:
    """Write the key to a second file and rename it, so that a crash leaves either no key or a whole one."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


class PeerAddress(Struct, frozen=True):
    """A node with this id is dialled at this host and port; the text form is ID@host:port."""

    id: NodeId
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.id.hex()}@{host}:{self.port}"


def parse_peer_address(text: str) -> PeerAddress:
    """Parse ID@host:port; the id has 64 hex digits.

    Raises:
        NetworkError: "bad-peer"; the hint shows the expected form.
    """
    match = _PEER.fullmatch(text.strip())
    if match is None or not 1 <= int(match["port"]) <= 65_535:
        raise NetworkError(
            "bad-peer",
            f"{text!r} is not the address of a peer",
            hint="write ID@host:port with the 64 hex digits of the peer's id, as the peer prints them when it starts",
        )
    return PeerAddress(NodeId(bytes.fromhex(match["id"])), match["host"].strip("[]"), int(match["port"]))
