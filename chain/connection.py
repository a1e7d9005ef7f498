"""Connecting and undoing a block: all changes to the database, as one batch.

Both change the same records: state records and tree nodes, the order of blocks, the indices of transactions, histories
and jobs, and the tip.
"""

from collections.abc import Callable, Mapping, Sequence

from inos.chain import schema
from inos.chain.blocks import Batch
from inos.chain.entry import Entry
from inos.chain.jobindex import compute_index_changes
from inos.chain.jobrecords import make_event_changes
from inos.chain.ranking import compute_holdings_changes
from inos.chain.schema import HistoryRecord, Position, Undo
from inos.chain.totals import Totals, add_block, read_totals
from inos.chain.tree_update import Read, UpdatedTree, update_tree
from inos.consensus.execution import Executed
from inos.consensus.movements import PLACE_END, PLACE_START, AccountEntry
from inos.consensus.records import StateKey
from inos.primitives.blocks import Block
from inos.primitives.codec import encode
from inos.primitives.transactions import compute_tx_id
from inos.primitives.units import Address, BlockId, Height, StateRoot, TxId

Update = Callable[[Mapping[StateKey, bytes | None]], UpdatedTree]
"""Returns the state tree after changes to records; without nodes if they are kept elsewhere until they are written."""


def compute_new_root(read: Read, changes: Mapping[StateKey, bytes | None]) -> StateRoot:
    """Return the state root after `changes`, without writing anything."""
    return update_tree(read, changes).root


def make_connect_batch(
    read: Read,
    update: Update,
    block_id: BlockId,
    block: Block,
    executed: Executed,
    ids: Sequence[TxId] | None = None,
) -> tuple[StateRoot, Batch]:
    """Return the batch that connects `block` to its parent, and the resulting state root.

    Args:
        read: reads the database as it is at the parent. update: computes the state tree from there.
        ids: those of the block's transactions, if they are known.
    """
    changes, height = executed.changes, Height(block.header.height)
    root, batch = _make_state_batch(read, update, changes)
    before = tuple([(bytes(key), read(schema.STATE + key)) for key in changes])
    histories = tuple((each.address, each.place) for each in executed.history)
    batch[schema.undo_key(height, block_id)] = encode(Undo(before, histories, executed.job_events))
    batch[schema.block_stats_key(block_id)] = encode(executed.stats)
    totals = read_totals(read, BlockId(block.header.parent)) or Totals()
    totals = add_block(totals, len(block.transactions), executed.stats, executed.job_events)
    batch[schema.totals_key(block_id)] = encode(totals)
    batch[schema.active_key(height)] = block_id
    batch[schema.META_TIP] = block_id
    ids = ids or [compute_tx_id(tx) for tx in block.transactions]
    for index, tx_id in enumerate(ids):
        batch[schema.transaction_key(tx_id)] = encode(Position(height, index))
    batch |= make_history_batch(height, executed.history, ids)
    batch |= make_event_changes(read, height, Address(block.header.beneficiary), executed.job_events)
    return root, batch


def make_disconnect_batch(
    read: Read, update: Update, entry: Entry, block: Block, undo: Undo
) -> tuple[StateRoot, Batch]:
    """Return the batch that undoes the tip `block`, and the resulting state root."""
    root, batch = _make_state_batch(read, update, {StateKey(key): value for key, value in undo.records})
    batch[schema.undo_key(entry.height, entry.id)] = None
    batch[schema.block_stats_key(entry.id)] = None
    batch[schema.totals_key(entry.id)] = None
    batch[schema.active_key(entry.height)] = None
    batch[schema.META_TIP] = entry.header.parent
    for tx in block.transactions:
        batch[schema.transaction_key(compute_tx_id(tx))] = None
    for address, place in undo.histories:
        batch[schema.history_key(Address(address), entry.height, place)] = None
    miner = Address(entry.header.beneficiary)
    batch |= make_event_changes(read, entry.height, miner, undo.job_events, is_undone=True)
    return root, batch


def make_genesis_batch(records: Mapping[StateKey, bytes]) -> tuple[StateRoot, Batch]:
    """Return the batch that writes the first state into an empty database."""
    root, batch = _make_state_batch(lambda key: None, lambda changes: update_tree(lambda key: None, changes), records)
    return root, batch | compute_holdings_changes(lambda key: None, records)


def make_history_batch(height: Height, entries: Sequence[AccountEntry], ids: Sequence[TxId]) -> Batch:
    """Return what a block adds to the histories of accounts.

    Args:
        ids: ids of the block's transactions, in order.
    """
    batch: Batch = {}
    for entry in entries:
        tx_id = None if entry.place in (PLACE_START, PLACE_END) else ids[entry.place - 1]
        key = schema.history_key(Address(entry.address), height, entry.place)
        batch[key] = encode(HistoryRecord(tx_id, entry.movements))
    return batch


def _make_state_batch(read: Read, update: Update, changes: Mapping[StateKey, bytes | None]) -> tuple[StateRoot, Batch]:
    tree = update(changes)
    batch: Batch = {schema.STATE + key: value for key, value in changes.items()}
    batch |= tree.nodes
    batch |= compute_index_changes(read, changes)
    return tree.root, batch
