"""The events that the node sends to its subscribers."""

from msgspec import Struct

from inos.chain.entry import Tip
from inos.primitives.units import BlockId, MatrixId, TxId
from inos.primitives.votes import Vote


class TipChanged(Struct, frozen=True):
    """The connected chain changed."""

    tip: Tip
    connected: tuple[BlockId, ...]
    """The connected blocks in order, the new tip last."""
    disconnected: tuple[BlockId, ...]
    """The undone blocks in the order in which they were undone, the old tip first."""


class BlockEarly(Struct, frozen=True):
    """A block, or its header alone, is further in the future than this node's clock allows."""

    ahead_ms: int
    """Its time is this far ahead of the clock."""


class TransactionAdded(Struct, frozen=True):
    """The mempool accepted a transaction."""

    tx_id: TxId


class VoteAdded(Struct, frozen=True):
    """A vote on a checkpoint was checked and accepted."""

    vote: Vote


class MatrixAdded(Struct, frozen=True):
    """A matrix is complete in the store."""

    id: MatrixId


class MatrixWanted(Struct, frozen=True):
    """Deferred blocks or transactions, or callers of this node, need these matrices."""

    ids: tuple[MatrixId, ...]
    max_bytes: int | None = None
    """None of them is fetched if it has more bytes; None for no limit."""
