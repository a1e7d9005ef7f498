"""The messages between a node and a worker: canonical arrays of a tag and fields, one in each binary WebSocket message.

docs/workers.md specifies them byte by byte. Ranges are part of the types, so that decoding checks them.
"""

from enum import IntEnum
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, TypeAlias, TypeVar, cast

from msgspec import Meta, Struct

from inos.primitives.blocks import Header
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import MAX_RESULT_PATH, STRIP_BYTES, U32, Hash32, MatrixRef
from inos.primitives.transactions import U64, AddressBytes
from inos.workers.errors import WorkerError

VERSION: Final = 1
MAX_RUN_BYTES: Final = 64 * STRIP_BYTES
"""A run has this size, as in inos.mesh.runs: 1 MiB."""
MAX_ROWS_BYTES: Final = 1 << 18
"""A message of rows carries at most this much of a piece's result."""
MAX_SHARES: Final = 64
MAX_TEXT: Final = 200
MAX_NAME: Final = 32
MAX_THREADS: Final = 4096
MAX_FILLER_ROWS: Final = 1 << 14
MAX_FILLER_DEPTH: Final = 1 << 14
LEAST_PREFIX: Final = 1 << 31
"""The prefixes of workers begin here: a node's own miner uses lower ones."""

Bytes16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Rate = Annotated[int, Meta(ge=0, le=2**40)]
"""Tickets or bytes per second; 0 if it was not measured."""


class WorkerKind(IntEnum):
    """What multiplies."""

    PAGE = 1
    """A page in a browser."""
    CARD = 2
    """A graphics card."""
    MACHINE = 3
    """The processors of a machine."""


class Message(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The base class of all messages."""


class Hello(Message, frozen=True, tag=1):
    """Begins a connection. Exactly one of `address` and `token` is given."""

    version: U32
    identity: Bytes16
    """Drawn once by the worker and kept over its connections."""
    address: AddressBytes | None
    """A stranger's shares are paid to this address."""
    token: Hash32 | None
    """A worker of the node's own fleet shows the node's token."""
    name: Name
    """Shown to the node's operator; it need not be unique."""
    kind: WorkerKind
    backend: Name
    threads: Annotated[int, Meta(ge=1, le=MAX_THREADS)]
    speed: Rate
    """Tickets per second."""
    down: Rate
    """Bytes per second that the worker receives."""
    up: Rate
    """Bytes per second that the worker sends."""
    room: U64
    """Operands and rows of a piece may take this many bytes; 0 if the worker takes no pieces."""


class Measured(Message, frozen=True, tag=2):
    """Replaces what Hello said about speed and line."""

    speed: Rate
    down: Rate
    up: Rate


class Share(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A ticket of the assignment's product that is worth telling."""

    nonce: U64
    """Its upper 32 bits are the connection's prefix."""
    i: U32
    j: U32
    p: U32
    digest: Hash32


class Result(Message, frozen=True, tag=3):
    """Tells what was drawn since the last Result: shares of one template, in one assignment."""

    assignment: U32
    template: U32
    drawn: U32
    """Tickets drawn, shares or not."""
    shares: Annotated[tuple[Share, ...], Meta(max_length=MAX_SHARES)]
    is_last: bool
    """The piece is done: all of its rows were sent before, if they are wanted. It is false for a filler."""


class Rows(Message, frozen=True, tag=4):
    """Carries some bytes of a piece's rows: int32, little-endian, row by row, from the piece's first row on.

    The messages of a piece follow each other without gaps, and come before its last Result.
    """

    assignment: U32
    offset: U64
    data: Annotated[bytes, Meta(min_length=1, max_length=MAX_ROWS_BYTES)]


class GetRun(Message, frozen=True, tag=5):
    """Asks for one run of an operand of a piece: the strips from 64 x `index` on, 64 or as many as there are."""

    id: Hash32
    index: Annotated[int, Meta(ge=0, lt=2**26)]


class Declined(Message, frozen=True, tag=6):
    """Gives a piece back, for example because there is no memory for it."""

    assignment: U32
    reason: Text


class Local(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a worker on the node's own machine gets files in place of bytes."""

    path: Annotated[str, Meta(max_length=1024)]
    """The node's Unix socket."""
    key: Bytes16
    """Names this connection there."""


class Welcome(Message, frozen=True, tag=16):
    """Answers Hello."""

    version: U32
    network: Text
    hrp: Name
    """The prefix of this network's addresses."""
    genesis: Hash32
    beneficiary: AddressBytes
    """The headers of all templates pay this address."""
    prefix: Annotated[int, Meta(ge=LEAST_PREFIX, le=2**32 - 1)]
    """The upper 32 bits of every nonce of this connection."""
    largest_piece: U64
    """No piece has more tickets now; 0 if this worker gets only fillers."""
    local: Local | None


class WorkHeader(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A block's header without its last two fields, nonce and seal; see inos.primitives.blocks.Header."""

    version: U32
    chain_id: U32
    height: U64
    parent: Hash32
    time_ms: U64
    tx_root: Hash32
    state_root: Hash32
    target: Hash32
    beneficiary: AddressBytes


class NewTemplate(Message, frozen=True, tag=17):
    """Replaces the template: from now on tickets are drawn under anchors of this header."""

    number: U32
    """Larger than that of every template before."""
    header: WorkHeader
    win_target: Hash32
    """A ticket whose digest is at most this wins the block, and is always told."""


class Filler(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """A product whose operands the worker makes of a seed; it is multiplied again and again, each time under a new
    nonce, until another assignment comes."""

    seed: Hash32
    rows_x: Annotated[int, Meta(ge=16, le=MAX_FILLER_ROWS)]
    rows_w: Annotated[int, Meta(ge=16, le=MAX_FILLER_ROWS)]
    depth: Annotated[int, Meta(ge=64, le=MAX_FILLER_DEPTH)]


class Piece(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Strips [first, last) of X by all of W. A piece comes before a filler, which goes on after it."""

    x: MatrixRef
    w: MatrixRef
    first: U32
    last: U32
    wants_rows: bool


class Assignment(Message, frozen=True, tag=18):
    """Gives work."""

    number: U32
    """Larger than that of every assignment before on this connection."""
    share_target: Hash32
    """A ticket whose digest is at most this is a share."""
    work: Filler | Piece


class Totals(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a worker's address has at this node, over all connections; for the node's own fleet, this connection."""

    shares: U64
    tickets: U64
    """The sum of the shares' weights."""
    unpaid: U64
    """Nano earned and not paid yet."""
    paid: U64
    """Nano paid."""


class Ack(Message, frozen=True, tag=19):
    """Answers each Result, in order."""

    assignment: U32
    counted: U32
    """So many shares of the Result count. Those of a template that was replaced 5 s ago or longer do not."""
    totals: Totals


class RunData(Message, frozen=True, tag=20):
    """Answers GetRun: the run's strips one after the other, and one path from the root of its subtree up."""

    id: Hash32
    index: Annotated[int, Meta(ge=0, lt=2**26)]
    data: Annotated[bytes, Meta(min_length=STRIP_BYTES, max_length=MAX_RUN_BYTES)]
    path: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_RESULT_PATH)]


class Cancelled(Message, frozen=True, tag=21):
    """Takes a piece back: its rows are not needed any more."""

    assignment: U32


class Refused(Message, frozen=True, tag=22):
    """Says why the node ends the connection; it closes it after this."""

    code: Name
    message: Text
    retry_s: U32
    """The worker may connect again after so many seconds."""


FromWorker: TypeAlias = Hello | Measured | Result | Rows | GetRun | Declined
FromNode: TypeAlias = Welcome | NewTemplate | Assignment | Ack | RunData | Cancelled | Refused
WORKER_KINDS: Final[tuple[type[Message], ...]] = (Hello, Measured, Result, Rows, GetRun, Declined)
NODE_KINDS: Final[tuple[type[Message], ...]] = (Welcome, NewTemplate, Assignment, Ack, RunData, Cancelled, Refused)
_BY_TAG: Final = {cast(int, kind.__struct_config__.tag): kind for kind in (*WORKER_KINDS, *NODE_KINDS)}
_ANY_FROM_WORKER: Final[Any] = reduce(or_, WORKER_KINDS)
_ANY_FROM_NODE: Final[Any] = reduce(or_, NODE_KINDS)
T = TypeVar("T")


def peek_kind(data: bytes) -> type[Message]:
    """Return the kind of an encoded message by its first two bytes.

    Raises:
        WorkerError: "not-a-message".
    """
    # A message is a msgpack array of under 16 entries, 0x90 | length, whose first entry is a tag under 128.
    kind = _BY_TAG.get(data[1]) if len(data) >= 2 and data[0] & 0xF0 == 0x90 else None
    if kind is None:
        raise WorkerError("not-a-message", f"no message begins with the bytes {data[:2].hex() or 'of nothing'}")
    return kind


def encode_message(message: Message) -> bytes:
    """Return the canonical bytes of a message."""
    return encode(message)


def decode_from_worker(data: bytes, *, limit: int) -> FromWorker:
    """Decode a message of a worker of at most `limit` bytes.

    Raises:
        WorkerError: "bad-message", with the codec's reason.
    """
    return cast(FromWorker, _decode(_ANY_FROM_WORKER, data, limit))


def decode_from_node(data: bytes, *, limit: int) -> FromNode:
    """Decode a message of a node; see `decode_from_worker`."""
    return cast(FromNode, _decode(_ANY_FROM_NODE, data, limit))


def _decode(kind: Any, data: bytes, limit: int) -> Any:
    try:
        return decode(kind, data, limit=limit)
    except CodecError as error:
        raise WorkerError("bad-message", f"a message cannot be decoded: {error.message}") from error


def make_work_header(header: Header) -> WorkHeader:
    """Return a header's fields without nonce and seal."""
    return WorkHeader(
        header.version,
        header.chain_id,
        header.height,
        header.parent,
        header.time_ms,
        header.tx_root,
        header.state_root,
        header.target,
        header.beneficiary,
    )


def make_header(header: WorkHeader, nonce: int) -> Header:
    """Return the block's header, without a seal."""
    return Header(
        header.version,
        header.chain_id,
        header.height,
        header.parent,
        header.time_ms,
        header.tx_root,
        header.state_root,
        header.target,
        header.beneficiary,
        nonce,
        None,
    )
