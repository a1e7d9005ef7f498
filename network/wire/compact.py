"""A compact block leaves out the transactions that the other side has already (after Bitcoin's BIP 152)."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.network.wire.base import Notice, Reply, Request
from inos.primitives.blocks import Header
from inos.primitives.matrices import U32, Hash32, Witness
from inos.primitives.transactions import U64, Transaction
from inos.primitives.votes import Aggregate

SHORT_BYTES: Final = 6
MAX_SHORT: Final = 65_536
MAX_PREFILLED: Final = 64
MAX_ASKED: Final = 4096
"""If more transactions are missing, the whole block is cheaper."""


class Prefilled(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The sender expects the receiver to lack this transaction, which has this index."""

    index: U32
    transaction: Transaction


class CompactBody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Holds the header with its seal, the seal's witness, and 6 bytes for each transaction that is not prefilled, in
    order.

    A short id is the first 6 bytes of BLAKE3 keyed with H("compact block", header ‖ nonce) over the transaction's id,
    so that an attacker cannot construct two transactions with the same short id at all nodes.
    """

    header: Header
    witness: Witness
    nonce: U64
    short_ids: Annotated[bytes, Meta(max_length=SHORT_BYTES * MAX_SHORT)]
    prefilled: Annotated[tuple[Prefilled, ...], Meta(max_length=MAX_PREFILLED)]
    aggregate: Aggregate | None = None


class SetCompact(Notice, frozen=True, tag=27):
    """Asks the receiver to push compact blocks to the sender, or to stop pushing them."""

    is_wanted: bool


class CompactBlock(Notice, frozen=True, tag=28):
    """Pushes a block whose header and seal the sender has checked."""

    body: CompactBody


class GetCompactBlock(Request, frozen=True, tag=29):
    id: Hash32


class CompactAnswer(Reply, frozen=True, tag=30):
    body: CompactBody


class GetBlockTransactions(Request, frozen=True, tag=31):
    """Requests the missing transactions of a compact block by their indices in the block, ascending."""

    id: Hash32
    indices: Annotated[tuple[U32, ...], Meta(min_length=1, max_length=MAX_ASKED)]


class BlockTransactions(Reply, frozen=True, tag=32):
    """Carries the requested transactions in the order of the request."""

    transactions: Annotated[tuple[Transaction, ...], Meta(max_length=MAX_ASKED)]
