"""Removes what a pruned node does not keep of old blocks: bodies, witnesses, undo records, histories and events.

Headers, the stats of each block, the places of transactions and the proofs of finality stay: others learn from them
which chain is right and what is final, and start from a recent state, which a pruned node serves as any other does.
"""

from typing import Protocol

from inos.chain import schema
from inos.chain.blocks import Batch
from inos.chain.database import Snapshot
from inos.chain.schema import MAX_STORED_BYTES, Undo
from inos.primitives.codec import decode
from inos.primitives.units import Address, BlockId, Height, JobId

PREFIXES = (schema.BLOCK, schema.WITNESS, schema.UNDO, schema.HISTORY, schema.JOB_EVENT)
"""What is removed. The space on disk is free once these ranges of keys were compacted."""


class Stored(Protocol):
    def get(self, key: bytes) -> bytes | None: ...

    def snapshot(self) -> Snapshot: ...


def find_first_block(database: Stored) -> Height:
    """Return the lowest height from which on all connected blocks are stored; genesis is stored in any case."""
    pruned = database.get(schema.META_PRUNED)
    return Height(max(0 if pruned is None else schema.decode_height(pruned), find_base_height(database)) + 1)


def find_base_height(database: Stored) -> Height:
    """Return the height of the block whose state came from peers, or 0; the places of transactions up to it are not
    known, while those in blocks that were pruned are.
    """
    base = database.get(schema.META_BASE)
    data = None if base is None else database.get(schema.height_key(BlockId(base)))
    return Height(0 if data is None else schema.decode_height(data))


def make_prune_batch(database: Stored, first: Height, last: Height) -> Batch:
    """Return the batch that removes the connected blocks from height `first` to `last`, and all of the blocks beside
    them. All of them are final or excluded by a final block.
    """
    snapshot = database.snapshot()
    start, below = schema.header_floor(first), schema.header_floor(last + 1)
    batch: Batch = {schema.META_PRUNED: schema.encode_height(last)}
    for key, _ in snapshot.iterate(schema.HEADER, start=start, below=below):
        block, height = schema.get_header_id(key), schema.get_header_height(key)
        batch |= dict.fromkeys((schema.block_key(height, block), schema.witness_key(height, block)))
        if snapshot.get(schema.active_key(height)) == block:
            batch |= _make_connected_batch(snapshot, block, height)
        else:
            batch |= dict.fromkeys((key, schema.height_key(block), schema.invalid_key(block), schema.stray_key(block)))
    return batch


def _make_connected_batch(snapshot: Snapshot, block: BlockId, height: Height) -> Batch:
    data = snapshot.get(schema.undo_key(height, block))
    if data is None:  # the block lies below an imported state
        return {}
    undo = decode(Undo, data, limit=MAX_STORED_BYTES)
    batch: Batch = {schema.undo_key(height, block): None}
    for address, place in undo.histories:
        batch[schema.history_key(Address(address), height, place)] = None
    for number, event in enumerate(undo.job_events):
        batch[schema.job_event_key(JobId(event.job), height, number)] = None
    return batch
