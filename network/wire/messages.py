"""Every message there is. A message is [tag, fields...] in the canonical encoding.

A request carries a number its answer repeats, so that an answer nobody asked for is seen as such.
"""

from typing import Annotated, Any, Final, TypeAlias, cast

from msgspec import Meta, Struct

from network.errors import Misbehaviour
from primitives.blocks import Block, Header
from primitives.codec import decode, encode
from primitives.errors import CodecError
from primitives.matrices import MAX_RESULT_PATH, STRIP_BYTES, U32, Hash32, Witness
from primitives.transactions import U64, Transaction

MAX_LOCATOR: Final = 64
MAX_HEADERS: Final = 512
MAX_BLOCK_IDS: Final = 16
MAX_ANNOUNCED: Final = 1024
MAX_TX_IDS: Final = 256
MAX_STRIPS: Final = 16
MAX_REASON: Final = 200


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


class Message(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of all messages."""


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


class NotFound(Message, frozen=True, tag=4):
    """The answer for what this node has not got, or will not say."""

    request: U32
    ids: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_TX_IDS)]


class GetHeaders(Message, frozen=True, tag=5):
    """Headers after the last block of the locator that the other side has on its best chain."""

    request: U32
    locator: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_LOCATOR)]


class Headers(Message, frozen=True, tag=6):
    """In order, each the next one's parent. MAX_HEADERS of them mean: there are more."""

    request: U32
    headers: Annotated[tuple[Header, ...], Meta(max_length=MAX_HEADERS)]


class AnnounceBlock(Message, frozen=True, tag=7):
    """A block this node has connected."""

    header: Header


class GetBlocks(Message, frozen=True, tag=8):
    """Each id is answered by one BlockData or named in a NotFound."""

    request: U32
    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_BLOCK_IDS)]


class BlockData(Message, frozen=True, tag=9):
    request: U32
    block: Block
    witness: Witness


class AnnounceTransactions(Message, frozen=True, tag=10):
    """Transactions in this node's pool."""

    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_ANNOUNCED)]


class GetTransactions(Message, frozen=True, tag=11):
    request: U32
    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_TX_IDS)]


class Transactions(Message, frozen=True, tag=12):
    """Those of the asked ones that are still in the pool, in the order asked."""

    request: U32
    transactions: Annotated[tuple[Transaction, ...], Meta(max_length=MAX_TX_IDS)]


class GetMatrix(Message, frozen=True, tag=13):
    """What is the matrix of this id?"""

    request: U32
    id: Hash32


class MatrixHead(Message, frozen=True, tag=14):
    """Type, dimensions and root; the id is their hash, so a wrong one is seen at once."""

    request: U32
    dtype: Annotated[int, Meta(ge=1, le=2)]
    rows: U32
    cols: U32
    root: Hash32


class GetStrips(Message, frozen=True, tag=15):
    """`count` strips from `first` on, in leaf order."""

    request: U32
    id: Hash32
    first: U32
    count: Annotated[int, Meta(ge=1, le=MAX_STRIPS)]


class Strip(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """16 rows x 1024 bytes with the path to the matrix's root."""

    data: Annotated[bytes, Meta(min_length=STRIP_BYTES, max_length=STRIP_BYTES)]
    path: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_RESULT_PATH)]


class Strips(Message, frozen=True, tag=16):
    request: U32
    first: U32
    strips: Annotated[tuple[Strip, ...], Meta(min_length=1, max_length=MAX_STRIPS)]


AnyMessage: TypeAlias = (
    Ping
    | Pong
    | Bye
    | NotFound
    | GetHeaders
    | Headers
    | AnnounceBlock
    | GetBlocks
    | BlockData
    | AnnounceTransactions
    | GetTransactions
    | Transactions
    | GetMatrix
    | MatrixHead
    | GetStrips
    | Strips
)
Reply: TypeAlias = NotFound | Headers | BlockData | Transactions | MatrixHead | Strips
Request: TypeAlias = GetHeaders | GetBlocks | GetTransactions | GetMatrix | GetStrips

KINDS: Final[tuple[type[Message], ...]] = (
    Ping,
    Pong,
    Bye,
    NotFound,
    GetHeaders,
    Headers,
    AnnounceBlock,
    GetBlocks,
    BlockData,
    AnnounceTransactions,
    GetTransactions,
    Transactions,
    GetMatrix,
    MatrixHead,
    GetStrips,
    Strips,
)
BY_TAG: Final[dict[int, type[Message]]] = {cast(int, kind.__struct_config__.tag): kind for kind in KINDS}
MAX_HELLO_BYTES: Final = 512


def peek_kind(data: bytes | bytearray) -> type[Message]:
    """The kind of the message that begins with `data`, at least its first two bytes.

    Raises:
        Misbehaviour: "not-a-message", "unknown-message".
    """
    # A message is a msgpack array of under 16 entries, 0x90 | length, whose first entry is a tag under 128.
    if len(data) < 2 or data[0] & 0xF0 != 0x90:
        raise Misbehaviour("not-a-message", "bytes that do not begin like any message")
    kind = BY_TAG.get(data[1])
    if kind is None:
        raise Misbehaviour("unknown-message", f"there is no message of kind {data[1]}")
    return kind


def encode_message(message: AnyMessage) -> bytes:
    """Canonical bytes of a message."""
    return encode(message)


def decode_message(data: bytes, *, limit: int) -> AnyMessage:
    """Read one message of at most `limit` bytes.

    Raises:
        Misbehaviour: the codec's reason where the bytes are no message.
    """
    try:
        return cast(AnyMessage, decode(cast(Any, AnyMessage), data, limit=limit))
    except CodecError as error:
        raise Misbehaviour(error.code, f"a message that cannot be read: {error.message}") from error


def decode_hello(data: bytes) -> Hello:
    """Read the other side's handshake payload.

    Raises:
        Misbehaviour: the bytes are not a Hello.
    """
    try:
        return decode(Hello, data, limit=MAX_HELLO_BYTES)
    except CodecError as error:
        raise Misbehaviour(error.code, f"a hello that cannot be read: {error.message}") from error
