"""This module lists all kinds of messages, and encodes and decodes them."""

from functools import reduce
from operator import or_
from typing import Any, Final, cast

from inos.network.errors import Misbehaviour
from inos.network.wire.addresses import Addresses, AnnounceAddresses, DialMe, GetAddresses
from inos.network.wire.base import Message
from inos.network.wire.chain import AnnounceBlock, BlockData, GetBlocks, GetHeaders, Headers
from inos.network.wire.compact import (
    BlockTransactions,
    CompactAnswer,
    CompactBlock,
    GetBlockTransactions,
    GetCompactBlock,
    SetCompact,
)
from inos.network.wire.control import MAX_HELLO_BYTES, Bye, Hello, NotFound, Ping, Pong
from inos.network.wire.kademlia import FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from inos.network.wire.matrices import CopyAnswer, GetMatrix, GetRun, GetStrips, MatrixHead, OfferCopy, RunData, Strips
from inos.network.wire.skeleton import GetSkeleton, Skeleton
from inos.network.wire.snapshot import FinalityProofs, GetFinalityProofs, GetStateRange, StateRangeData
from inos.network.wire.transactions import AnnounceTransactions, GetTransactions, Transactions
from inos.network.wire.votes import AnnounceVotes, GetVotes, Votes
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError

KINDS: Final[tuple[type[Message], ...]] = (
    Ping,
    Pong,
    Bye,
    NotFound,
    GetHeaders,
    Headers,
    GetSkeleton,
    Skeleton,
    AnnounceBlock,
    GetBlocks,
    BlockData,
    AnnounceTransactions,
    GetTransactions,
    Transactions,
    GetMatrix,
    MatrixHead,
    GetStrips,
    SetCompact,
    CompactBlock,
    GetCompactBlock,
    CompactAnswer,
    GetBlockTransactions,
    BlockTransactions,
    Strips,
    GetRun,
    RunData,
    OfferCopy,
    CopyAnswer,
    GetAddresses,
    Addresses,
    AnnounceAddresses,
    DialMe,
    FindNodes,
    Nodes,
    Provide,
    Provided,
    FindProviders,
    Providers,
    AnnounceVotes,
    GetVotes,
    Votes,
    GetStateRange,
    StateRangeData,
    GetFinalityProofs,
    FinalityProofs,
)
BY_TAG: Final[dict[int, type[Message]]] = {cast(int, kind.__struct_config__.tag): kind for kind in KINDS}
_ANY: Final[Any] = reduce(or_, KINDS)


def peek_kind(data: bytes | bytearray) -> type[Message]:
    """Return the kind of the message that begins with `data`, at least its first two bytes.

    Raises:
        Misbehaviour: "not-a-message", "unknown-message".
    """
    # A message is a msgpack array of under 16 entries, 0x90 | length, whose first entry is a tag under 128.
    if len(data) < 2 or data[0] & 0xF0 != 0x90:
        raise Misbehaviour("not-a-message", "the bytes do not begin like a message")
    kind = BY_TAG.get(data[1])
    if kind is None:
        raise Misbehaviour("unknown-message", f"there is no message of kind {data[1]}")
    return kind


def encode_message(message: Message) -> bytes:
    """Return the canonical bytes of a message."""
    return encode(message)


def decode_message(data: bytes, *, limit: int) -> Message:
    """Decode one message of at most `limit` bytes.

    Raises:
        Misbehaviour: the codec's reason if the bytes are not a message.
    """
    try:
        return cast(Message, decode(_ANY, data, limit=limit))
    except CodecError as error:
        raise Misbehaviour(error.code, f"a message cannot be decoded: {error.message}") from error


def decode_hello(data: bytes) -> Hello:
    """Decode the other side's handshake payload.

    Raises:
        Misbehaviour: the bytes are not a Hello.
    """
    try:
        return decode(Hello, data, limit=MAX_HELLO_BYTES)
    except CodecError as error:
        raise Misbehaviour(error.code, f"a hello cannot be decoded: {error.message}") from error
