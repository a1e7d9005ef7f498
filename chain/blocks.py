"""Blocks, witnesses and undo records by block id."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from inos.chain import schema
from inos.chain.entry import Entry
from inos.chain.errors import ChainError
from inos.chain.schema import MAX_STORED_BYTES, StoredHeader, StoredInvalid, Undo
from inos.primitives.blocks import Block
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import Witness
from inos.primitives.units import BlockId, Height

T = TypeVar("T")
Batch = dict[bytes, bytes | None]


class Records(Protocol):
    """The store of blocks: the database, or a batch that is staged on top of it."""

    def get(self, key: bytes) -> bytes | None: ...

    def write(self, changes: Mapping[bytes, bytes | None], *, is_synced: bool = True) -> None: ...

    def explain(self, error: object) -> ChainError: ...


class BlockStore:
    """The stored parts of each block, connected or not.

    Headers are written without a sync to disk: one that a power failure loses is fetched again.
    """

    def __init__(self, records: Records) -> None:
        self._db = records

    def put_header(self, entry: Entry, root: Height) -> None:
        """Store a header: see `make_header_batch`."""
        self._db.write(make_header_batch(entry, root), is_synced=False)

    def put_invalid(self, block_id: BlockId, code: str, message: str) -> None:
        self._db.write({schema.invalid_key(block_id): encode(StoredInvalid(code, message))})

    def get_block(self, block_id: BlockId) -> Block | None:
        return self._read(Block, schema.BLOCK, block_id)

    def get_stored_block(self, block_id: BlockId) -> Block:
        """Return a block that must be stored; raises ChainError "database-damaged" if it is missing."""
        block = self.get_block(block_id)
        if block is None:
            raise self._db.explain(f"block {block_id.hex()} is indexed but not stored")
        return block

    def get_witness(self, block_id: BlockId) -> Witness | None:
        return self._read(Witness, schema.WITNESS, block_id)

    def get_undo(self, block_id: BlockId) -> Undo:
        """Return the undo record of a connected block; raises ChainError "database-damaged" if it is missing."""
        undo = self._read(Undo, schema.UNDO, block_id)
        if undo is None:
            raise self._db.explain(f"block {block_id.hex()} is connected but has no undo record")
        return undo

    def _read(self, kind: type[T], prefix: bytes, block_id: BlockId) -> T | None:
        """Return a stored record, or None. Data that cannot be decoded means a damaged disk and breaks no rule."""
        data = schema.read_by_id(self._db.get, prefix, block_id)
        try:
            return None if data is None else decode(kind, data, limit=MAX_STORED_BYTES)
        except CodecError as error:
            raise self._db.explain(f"the record {prefix.decode()} of block {block_id.hex()}: {error}") from error


def make_header_batch(entry: Entry, root: Height) -> Batch:
    """Return the batch that stores a header off the connected chain.

    Args:
        root: the height above which a restart reads all headers: see schema.META_ROOT.
    """
    height, weight = schema.encode_height(entry.height), encode_weight(entry.weight)
    batch: Batch = {
        schema.header_key(entry.height, entry.id): encode(StoredHeader(entry.header, entry.arrival, weight)),
        schema.height_key(entry.id): height,
    }
    if entry.height <= root:
        batch[schema.stray_key(entry.id)] = height
    return batch


def make_block_batch(entry: Entry, block: Block, witness: Witness, root: Height) -> Batch:
    """Return the batch that stores header, block and witness, so that either all of them are stored or none."""
    return make_header_batch(entry, root) | {
        schema.block_key(entry.height, entry.id): encode(block),
        schema.witness_key(entry.height, entry.id): encode(witness),
    }


def encode_weight(weight: int) -> bytes:
    return weight.to_bytes((weight.bit_length() + 7) // 8, "big")
