"""Blocks without the transactions the other side has already (after Bitcoin's BIP 152)."""

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
"""Where more is missing, the whole block is cheaper."""


class Prefilled(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A transaction the sender thinks nobody else has yet, and its place."""

    index: U32
    transaction: Transaction


class CompactBody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Header with seal, the seal's witness, and 6 bytes for each transaction that is not prefilled, in order.

    A short id is the first 6 bytes of BLAKE3 keyed with H("compact block", header ‖ nonce) over the transaction's id,
    so that nobody can choose two transactions that look alike to everybody.
    """

    header: Header
    witness: Witness
    nonce: U64
    short_ids: Annotated[bytes, Meta(max_length=SHORT_BYTES * MAX_SHORT)]
    prefilled: Annotated[tuple[Prefilled, ...], Meta(max_length=MAX_PREFILLED)]
    aggregate: Aggregate | None = None


class SetCompact(Notice, frozen=True, tag=27):
    """Push compact blocks to me without being asked, or (any more) do not."""

    is_wanted: bool


class CompactBlock(Notice, frozen=True, tag=28):
    """A block whose header and seal the sender has checked, pushed to one who wants that."""

    body: CompactBody


class GetCompactBlock(Request, frozen=True, tag=29):
    id: Hash32


class CompactAnswer(Reply, frozen=True, tag=30):
    body: CompactBody


class GetBlockTransactions(Request, frozen=True, tag=31):
    """Those of a compact block that were not here, by their places in the block, ascending."""

    id: Hash32
    indices: Annotated[tuple[U32, ...], Meta(min_length=1, max_length=MAX_ASKED)]


class BlockTransactions(Reply, frozen=True, tag=32):
    """In the order asked."""

    transactions: Annotated[tuple[Transaction, ...], Meta(max_length=MAX_ASKED)]
