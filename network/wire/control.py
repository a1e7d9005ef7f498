"""Who is there, is it still, and why it goes."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.wire.base import Message, Reply
from inos.primitives.matrices import U32, Hash32
from inos.primitives.transactions import U64

MAX_HELLO_BYTES: Final = 512
MAX_REASON: Final = 200
MAX_IDS: Final = 256
"""Most ids one NotFound names: as many as any request asks for."""


class Hello(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The handshake's payload: which protocol and chain, and where this node stands."""

    version: U32
    chain_id: U32
    genesis_id: Hash32
    user_agent: Annotated[str, Meta(max_length=64)]
    tip: Hash32
    height: U64
    weight: Hash32
    """Big-endian. A claim, used to order questions and believed by nobody."""
    listen_port: Annotated[int, Meta(ge=0, le=65_535)]
    is_brief: bool = False
    """The dialler has a few questions or only looks whether somebody is there: it wants no news, serves no blocks, and
    goes soon. Without meaning in the answering side's hello."""


class Ping(Message, frozen=True, tag=1):
    """Are you there? And: this is my tip."""

    nonce: U64
    tip: Hash32
    height: U64


class Pong(Message, frozen=True, tag=2):
    nonce: U64
    tip: Hash32
    height: U64


class Bye(Message, frozen=True, tag=3):
    """Why this side closes; for the other side's log."""

    reason: Annotated[str, Meta(max_length=MAX_REASON)]


class NotFound(Reply, frozen=True, tag=4):
    """The answer for what this node has not got, or will not say."""

    ids: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_IDS)]
