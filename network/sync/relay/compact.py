"""This module makes a compact block of a block, and assembles a block from the pool. It does no I/O."""

from collections.abc import Iterable, Sequence
from typing import Final

from blake3 import blake3
from msgspec import Struct

from inos.network.errors import Misbehaviour
from inos.network.wire.compact import SHORT_BYTES, CompactBody, Prefilled
from inos.primitives.blocks import Block, Header
from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction, compute_tx_id
from inos.primitives.units import TxId
from inos.primitives.votes import Aggregate

NONCE_BYTES: Final = 8


def compute_short_key(header: Header, nonce: int) -> bytes:
    """Return H("compact block", header with seal ‖ nonce u64 little-endian)."""
    return compute_hash(Context.COMPACT_BLOCK, encode(header) + nonce.to_bytes(NONCE_BYTES, "little"))


def compute_short_id(key: bytes, id: TxId) -> bytes:
    """Return the first 6 bytes of BLAKE3 keyed with `key` over a transaction's id."""
    return blake3(id, key=key).digest(length=SHORT_BYTES)


def make_compact(block: Block, witness: Witness, nonce: int, prefill: Iterable[int] = ()) -> CompactBody:
    """Return a block in the form for a peer that has most of its transactions.

    Args:
        nonce: any 64 bits, different for each node that sends the block.
        prefill: indices of the transactions to send whole.
    """
    key, whole = compute_short_key(block.header, nonce), set(prefill)
    short = b"".join(
        compute_short_id(key, compute_tx_id(tx)) for i, tx in enumerate(block.transactions) if i not in whole
    )
    prefilled = tuple(Prefilled(i, block.transactions[i]) for i in sorted(whole))
    return CompactBody(block.header, witness, nonce, short, prefilled, block.aggregate)


class PartialBlock(Struct):
    """Holds a block of which some transactions are here."""

    header: Header
    transactions: list[Transaction | None]
    aggregate: Aggregate | None = None

    @property
    def missing(self) -> tuple[int, ...]:
        """The transactions with these indices are not here, in ascending order."""
        return tuple(i for i, tx in enumerate(self.transactions) if tx is None)

    def fill(self, indices: Sequence[int], transactions: Sequence[Transaction]) -> None:
        """Insert the transactions that were requested.

        Raises:
            Misbehaviour: "wrong-answer", if their number differs from the number requested.
        """
        if len(indices) != len(transactions):
            raise Misbehaviour(
                "wrong-answer", f"the peer sent {len(transactions)} transactions where {len(indices)} were requested"
            )
        for index, tx in zip(indices, transactions, strict=True):
            self.transactions[index] = tx

    def make_block(self) -> Block | None:
        """Return the block if all transactions are here; a colliding short id may have put another one in."""
        transactions = tuple(tx for tx in self.transactions if tx is not None)
        if len(transactions) < len(self.transactions):
            return None
        return Block(self.header, transactions, self.aggregate)


def begin_partial_block(body: CompactBody) -> PartialBlock:
    """Return the partial block with the transactions that were sent whole.

    Raises:
        Misbehaviour: "bad-compact", if the indices are impossible.
    """
    if len(body.short_ids) % SHORT_BYTES:
        raise Misbehaviour(
            "bad-compact", f"{len(body.short_ids)} bytes of short ids are not a multiple of {SHORT_BYTES}"
        )
    count = len(body.short_ids) // SHORT_BYTES + len(body.prefilled)
    transactions: list[Transaction | None] = [None] * count
    last = -1
    for one in body.prefilled:
        if not last < one.index < count:
            raise Misbehaviour("bad-compact", f"a prefilled transaction has index {one.index} in a block of {count}")
        transactions[one.index], last = one.transaction, one.index
    return PartialBlock(body.header, transactions, body.aggregate)


def list_short_ids(body: CompactBody) -> list[tuple[int, bytes]]:
    """Return (index, short id) of each transaction that was not sent whole."""
    whole = {one.index for one in body.prefilled}
    transactions = (i for i in range(len(body.short_ids) // SHORT_BYTES + len(whole)) if i not in whole)
    return [(index, body.short_ids[n * SHORT_BYTES : (n + 1) * SHORT_BYTES]) for n, index in enumerate(transactions)]


class ShortIdTable:
    """Maps short ids to the transactions of a pool; a short id that two transactions share maps to none."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._ids: dict[bytes, TxId | None] = {}

    def add(self, ids: Iterable[TxId]) -> None:
        for id in ids:
            short = compute_short_id(self._key, id)
            self._ids[short] = None if self._ids.get(short, id) != id else id

    def find(self, short: bytes) -> TxId | None:
        return self._ids.get(short)
