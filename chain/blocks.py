"""Blocks, witnesses and undo records by block id."""

from chain import schema
from chain.database import Database
from chain.schema import MAX_STORED_BYTES, StoredHeader, StoredInvalid, Undo
from primitives.blocks import Block, Header
from primitives.codec import decode, encode
from primitives.matrices import MAX_WITNESS_BYTES, Witness
from primitives.units import BlockId


class BlockStore:
    """What the node keeps of each block, connected or not."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_header(self, block_id: BlockId, header: Header, arrival: int) -> None:
        self._db.write({schema.header_key(block_id): encode(StoredHeader(header, arrival))})

    def put(self, block_id: BlockId, block: Block, witness: Witness) -> None:
        """Block and witness, both or neither."""
        self._db.write({schema.block_key(block_id): encode(block), schema.witness_key(block_id): encode(witness)})

    def put_invalid(self, block_id: BlockId, code: str, message: str) -> None:
        self._db.write({schema.invalid_key(block_id): encode(StoredInvalid(code, message))})

    def get_block(self, block_id: BlockId) -> Block | None:
        data = self._db.get(schema.block_key(block_id))
        return None if data is None else decode(Block, data, limit=MAX_STORED_BYTES)

    def get_stored_block(self, block_id: BlockId) -> Block:
        """A block that must be there.

        Raises:
            LookupError: the database lost it.
        """
        block = self.get_block(block_id)
        if block is None:
            raise LookupError(f"block {block_id.hex()} is indexed but not stored")
        return block

    def get_witness(self, block_id: BlockId) -> Witness | None:
        data = self._db.get(schema.witness_key(block_id))
        return None if data is None else decode(Witness, data, limit=MAX_WITNESS_BYTES)

    def get_undo(self, block_id: BlockId) -> Undo:
        """The undo record of a connected block; LookupError where the database lost it."""
        data = self._db.get(schema.undo_key(block_id))
        if data is None:
            raise LookupError(f"block {block_id.hex()} is connected but has no undo record")
        return decode(Undo, data, limit=MAX_STORED_BYTES)
