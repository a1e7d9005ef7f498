"""These messages are the handshake's payload, pings, and the end of a link."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.wire.base import Message, Reply
from inos.primitives.matrices import U32, Hash32
from inos.primitives.transactions import U64

MAX_HELLO_BYTES: Final = 512
MAX_REASON: Final = 200
MAX_IDS: Final = 256
"""One NotFound names at most this many ids, as many as any request names."""


class Hello(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The handshake's payload: it names the protocol, chain, and the tip of the sender."""

    version: U32
    chain_id: U32
    genesis_id: Hash32
    user_agent: Annotated[str, Meta(max_length=64)]
    tip: Hash32
    height: U64
    weight: Hash32
    """The sender's chain has this weight, big-endian. It is a claim that only orders requests."""
    listen_port: Annotated[int, Meta(ge=0, le=65_535)]
    is_brief: bool = False
    """The dialler has a few requests, or only checks that a node is there: it wants no notices, serves no blocks, and
    disconnects soon. The field has no meaning in the answering side's hello."""
    first_block: U64 = 1
    """The sender serves the blocks of its chain from this height on: more than 1 after a snapshot or pruning."""


class Ping(Message, frozen=True, tag=1):
    """Checks that the other side answers, and tells the sender's tip."""

    nonce: U64
    tip: Hash32
    height: U64


class Pong(Message, frozen=True, tag=2):
    nonce: U64
    tip: Hash32
    height: U64


class Bye(Message, frozen=True, tag=3):
    """Says why the sender closes the link, for the other side's log."""

    reason: Annotated[str, Meta(max_length=MAX_REASON)]


class NotFound(Reply, frozen=True, tag=4):
    """Answers a request for what the sender does not have or does not serve."""

    ids: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_IDS)]
