"""The table of limits says how large each kind of message may be, how often it may come, and what breaking that
costs."""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from inos.consensus.records import MAX_RECORD_BYTES
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
from inos.network.wire.control import Bye, NotFound, Ping, Pong
from inos.network.wire.kademlia import FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from inos.network.wire.matrices import CopyAnswer, GetMatrix, GetRun, GetStrips, MatrixHead, OfferCopy, RunData, Strips
from inos.network.wire.skeleton import GetSkeleton, Skeleton
from inos.network.wire.snapshot import FinalityProofs, GetFinalityProofs, GetStateRange, StateRangeData
from inos.network.wire.transactions import (
    MAX_TRANSACTIONS_BYTES,
    AnnounceTransactions,
    GetTransactions,
    Transactions,
)
from inos.network.wire.votes import AnnounceVotes, GetVotes, Votes

BAN: Final = 100
"""A peer with this many penalty points is disconnected and banned; the points decay by POINTS_PER_S."""
POINTS_PER_S: Final = 0.1


class Lane(IntEnum):
    """A lane is the urgency of a message: a piece of a lower number is always sent before one of a higher number."""

    CONSENSUS = 0
    BLOCKS = 1
    TRANSACTIONS = 2
    BULK = 3


class Limit(Struct, frozen=True):
    """One peer may send this much of one kind."""

    max_bytes: int
    lane: Lane
    per_s: float
    """A peer may send this many messages per second. It is 0 for replies: as many are allowed as were requested."""
    burst: int
    penalty: int
    """Each message above the rate costs these points. A message that is too large or malformed is always a ban."""
    cost_ms: float
    """One message causes at most this work before its content is proven, or to answer it, without BYTES_COST_MS;
    measured."""


_KB: Final = 1024
MAX_BLOCK_BYTES: Final = 8 << 20
"""This is above every network's `max_block_bytes` with witness; the node checks the limit of its own network."""

MAX_COMPACT_BYTES: Final = 704 * _KB
"""This holds a witness, 6 bytes for each of 65,536 transactions, and 64 whole transactions."""

MAX_STATE_RANGE_BYTES: Final = MAX_RECORD_BYTES + 256 * _KB
"""This holds one record of any size, or 192 KB of records, with their lengths and siblings."""
MAX_RUN_MESSAGE_BYTES: Final = 1026 * _KB
"""This holds 64 strips and one path."""

LIMITS: Final[dict[type[Message], Limit]] = {
    Ping: Limit(64, Lane.CONSENSUS, 10, 50, 10, 0.05),
    Pong: Limit(64, Lane.CONSENSUS, 10, 50, 10, 0.05),
    Bye: Limit(1 * _KB, Lane.CONSENSUS, 1, 2, 10, 0.05),
    AnnounceBlock: Limit(1 * _KB, Lane.CONSENSUS, 50, 500, 5, 0.2),
    SetCompact: Limit(64, Lane.CONSENSUS, 2, 20, 5, 0.05),
    CompactBlock: Limit(MAX_COMPACT_BYTES, Lane.BLOCKS, 10, 50, 5, 0.5),
    GetCompactBlock: Limit(64, Lane.CONSENSUS, 20, 200, 5, 2),
    CompactAnswer: Limit(MAX_COMPACT_BYTES, Lane.BLOCKS, 0, 0, 0, 0.5),
    GetBlockTransactions: Limit(24 * _KB, Lane.CONSENSUS, 20, 200, 5, 5),
    BlockTransactions: Limit(MAX_BLOCK_BYTES, Lane.BLOCKS, 0, 0, 0, 5),
    GetHeaders: Limit(4 * _KB, Lane.CONSENSUS, 50, 500, 10, 1),
    Headers: Limit(512 * _KB, Lane.BLOCKS, 0, 0, 0, 5),
    GetSkeleton: Limit(4 * _KB, Lane.CONSENSUS, 2, 40, 10, 0.5),
    Skeleton: Limit(4 * _KB, Lane.BLOCKS, 0, 0, 0, 0.05),
    GetBlocks: Limit(1 * _KB, Lane.CONSENSUS, 200, 1000, 5, 2),
    BlockData: Limit(MAX_BLOCK_BYTES, Lane.BLOCKS, 0, 0, 0, 5),
    NotFound: Limit(12 * _KB, Lane.TRANSACTIONS, 0, 0, 0, 0.05),
    AnnounceTransactions: Limit(40 * _KB, Lane.TRANSACTIONS, 40, 200, 5, 1),
    GetTransactions: Limit(12 * _KB, Lane.TRANSACTIONS, 100, 500, 5, 0.5),
    Transactions: Limit(MAX_TRANSACTIONS_BYTES, Lane.TRANSACTIONS, 0, 0, 0, 20),
    GetMatrix: Limit(64, Lane.TRANSACTIONS, 1000, 4000, 2, 0.1),
    MatrixHead: Limit(128, Lane.TRANSACTIONS, 0, 0, 0, 0.05),
    GetStrips: Limit(64, Lane.TRANSACTIONS, 4000, 8000, 1, 0.5),
    Strips: Limit(288 * _KB, Lane.BULK, 0, 0, 0, 0.5),
    GetRun: Limit(64, Lane.TRANSACTIONS, 1000, 4000, 1, 1),
    RunData: Limit(MAX_RUN_MESSAGE_BYTES, Lane.BULK, 0, 0, 0, 0.5),
    OfferCopy: Limit(128, Lane.TRANSACTIONS, 1, 50, 5, 0.1),
    CopyAnswer: Limit(16, Lane.TRANSACTIONS, 0, 0, 0, 0.05),
    GetAddresses: Limit(64, Lane.TRANSACTIONS, 0.1, 5, 10, 0.2),
    Addresses: Limit(64 * _KB, Lane.TRANSACTIONS, 0, 0, 0, 1),
    AnnounceAddresses: Limit(2 * _KB, Lane.TRANSACTIONS, 1, 20, 5, 0.2),
    DialMe: Limit(16, Lane.TRANSACTIONS, 0.1, 3, 10, 0.1),
    FindNodes: Limit(64, Lane.TRANSACTIONS, 10, 100, 5, 0.2),
    Nodes: Limit(2 * _KB, Lane.TRANSACTIONS, 0, 0, 0, 0.1),
    Provide: Limit(1 * _KB, Lane.TRANSACTIONS, 10, 100, 5, 1),
    Provided: Limit(128, Lane.TRANSACTIONS, 0, 0, 0, 0.05),
    FindProviders: Limit(64, Lane.TRANSACTIONS, 10, 100, 5, 0.3),
    Providers: Limit(4 * _KB, Lane.TRANSACTIONS, 0, 0, 0, 0.2),
    AnnounceVotes: Limit(2 * _KB, Lane.TRANSACTIONS, 20, 200, 5, 14),
    GetVotes: Limit(64, Lane.TRANSACTIONS, 5, 100, 10, 1),
    Votes: Limit(256 * _KB, Lane.TRANSACTIONS, 0, 0, 0, 400),
    GetStateRange: Limit(128, Lane.TRANSACTIONS, 50, 400, 5, 20),
    StateRangeData: Limit(MAX_STATE_RANGE_BYTES, Lane.BULK, 0, 0, 0, 60),
    GetFinalityProofs: Limit(64, Lane.TRANSACTIONS, 2, 20, 5, 5),
    FinalityProofs: Limit(1024 * _KB, Lane.TRANSACTIONS, 0, 0, 0, 40),
}

RESERVE_MS_PER_S: Final = 2.0
"""Each peer may always cause this much work per second: enough for notices and for the requests after a new block."""
RESERVE_MS_BURST: Final = 100.0
SHARED_MS_PER_S: Final = 500.0
"""All peers together may cause this much work beyond that: half a core. It is shared in turns, and a peer that causes
more waits longer."""
SHARED_MS_BURST: Final = 250.0
LEAST_COST_MS: Final = 0.03
"""Any message costs this much for decrypting, decoding and dispatching it."""
RECEIVED_COST_MS: Final = 0.002 / _KB
"""Each byte of a message costs this much for decrypting and assembling it."""
BYTES_COST_MS: Final = 0.01 / _KB
"""Each byte of an answer costs this much for reading, encoding and encrypting it."""

QUEUE_BYTES: Final[dict[Lane, int]] = {
    Lane.CONSENSUS: 256 * _KB,
    Lane.BLOCKS: 2 << 20,
    Lane.TRANSACTIONS: 1 << 20,
    Lane.BULK: 2 * MAX_RUN_MESSAGE_BYTES,
}
"""At most this many bytes wait to be sent to one peer in each lane. An empty lane takes one larger message."""
QUEUE_MESSAGES: Final = 1024
"""At most this many messages wait in each lane."""
MAX_WAITING_REQUESTS: Final = 256
"""At most this many requests of one peer wait to be answered; this node has at most half as many open to one peer."""


def get_limit(kind: type[Message]) -> Limit:
    """Return the row of a kind of message."""
    return LIMITS[kind]
