"""What the node tells its subscribers."""

from msgspec import Struct

from inos.chain.entry import Tip
from inos.primitives.units import BlockId, MatrixId, TxId
from inos.primitives.votes import Vote


class TipChanged(Struct, frozen=True):
    """The connected chain moved."""

    tip: Tip
    connected: tuple[BlockId, ...]
    """In order, the new tip last."""
    disconnected: tuple[BlockId, ...]
    """In the order they were undone, the old tip first."""


class TransactionAdded(Struct, frozen=True):
    """The mempool took a transaction."""

    tx_id: TxId


class VoteAdded(Struct, frozen=True):
    """A vote on a checkpoint was checked and taken."""

    vote: Vote


class MatrixAdded(Struct, frozen=True):
    """A matrix is complete in the store."""

    id: MatrixId


class MatrixWanted(Struct, frozen=True):
    """Something held waits for these matrices."""

    ids: tuple[MatrixId, ...]
