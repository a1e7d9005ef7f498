"""Headers and blocks. A block's witness is sent beside it and is not part of its id."""

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import U32, Hash32, Seal
from inos.primitives.merkle import compute_root
from inos.primitives.transactions import U64, AddressBytes, Transaction, compute_tx_id
from inos.primitives.units import U256_MAX, Anchor, BlockId, Hash, Target, Tickets, TxId, Weight
from inos.primitives.votes import Aggregate, compute_aggregate_leaf

HEADER_VERSION: Final = 3
MAX_HEADER_BYTES: Final = 1024


class Header(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A block's header (protocol, section 4). Only genesis has no seal."""

    version: U32
    chain_id: U32
    height: U64
    parent: Hash32
    time_ms: U64
    tx_root: Hash32
    state_root: Hash32
    target: Hash32
    beneficiary: AddressBytes
    nonce: U64
    seal: Seal | None


class Block(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A header, its transactions in order, and at most one aggregate of votes."""

    header: Header
    transactions: Annotated[tuple[Transaction, ...], Meta(max_length=65_536)]
    aggregate: Aggregate | None = None


def compute_anchor(header: Header) -> Anchor:
    """Return H("anchor", the header's array without its last field, the seal)."""
    return Anchor(
        compute_hash(
            Context.ANCHOR,
            encode(
                (
                    header.version,
                    header.chain_id,
                    header.height,
                    header.parent,
                    header.time_ms,
                    header.tx_root,
                    header.state_root,
                    header.target,
                    header.beneficiary,
                    header.nonce,
                )
            ),
        )
    )


def compute_block_id(header: Header) -> BlockId:
    """Return H("header", the encoding of the whole header with its seal)."""
    return BlockId(compute_hash(Context.HEADER, encode(header)))


def compute_tx_root(transactions: Sequence[Transaction], aggregate: Aggregate | None = None) -> Hash:
    """Return the RFC 6962 root over the transaction ids and, as the last leaf, the aggregate if the block carries one.

    It is 32 zero bytes if there is neither.
    """
    return compute_root_of_ids([compute_tx_id(tx) for tx in transactions], aggregate)


def compute_root_of_ids(ids: Sequence[TxId], aggregate: Aggregate | None = None) -> Hash:
    """Return the same root from the transactions' ids."""
    leaves: list[bytes] = list(ids)
    if aggregate is not None:
        leaves.append(compute_aggregate_leaf(aggregate))
    return compute_root(Context.TRANSACTION_NODE, leaves)


def encode_target(target: int) -> bytes:
    """Return the target as 32 bytes, big-endian."""
    return target.to_bytes(32, "big")


def get_target(header: Header) -> Target:
    """Return the header's target as a number."""
    return Target(int.from_bytes(header.target, "big"))


def compute_difficulty(target: int) -> Tickets:
    """Return D = 2^256 / (target + 1), rounded down: the nominal number of tickets per block."""
    return Tickets((U256_MAX + 1) // (target + 1))


def compute_weight(header: Header) -> Weight:
    """Return the tickets the block stands for: D of its target (protocol, section 4)."""
    return Weight(compute_difficulty(get_target(header)))
