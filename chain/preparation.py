"""What connecting a block changes, computed before its turn and off the writer's thread.

The state at a block's parent is always the same, so what is computed on it holds whenever the block is connected. Only
the verdicts on delivered products are looked up when the block is connected.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from inos.chain.blocks import Batch
from inos.chain.connection import Update, make_connect_batch
from inos.chain.tree_update import Read
from inos.consensus.effects import Effects
from inos.consensus.execution import begin_block, check_state_root, execute_block
from inos.consensus.params import Params
from inos.consensus.records import FINALITY_KEY, StateReader
from inos.consensus.results import TRUSTED_RESULTS
from inos.primitives.blocks import Block
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Product
from inos.primitives.units import BlockId, Height, TxId

MAX_PREPARED: Final = 4
"""The changes of a full block take some 10 MB."""


class PreparedBlock(Struct, frozen=True, eq=False):
    """The outcome of a block on its parent's state; `violation` says which rule it breaks, if it breaks one."""

    batch: Batch
    products: tuple[Product, ...] = ()
    """Delivered by checked results; their verdicts are looked up when the block is connected."""
    moves_finality: bool = False
    """This is True if the block changes the record of finality."""
    violation: RuleViolation | None = None


class PreparedBlocks:
    """The last blocks that were executed already: they wait for verdicts, or are about to be connected."""

    def __init__(self) -> None:
        self.blocks: OrderedDict[BlockId, PreparedBlock] = OrderedDict()

    def __len__(self) -> int:
        return len(self.blocks)

    def keep(self, block: BlockId, prepared: PreparedBlock) -> None:
        """Keep what connecting a block changes, until it is connected or many others have come."""
        self.blocks[block] = prepared
        while len(self.blocks) > MAX_PREPARED:
            self.blocks.popitem(last=False)


class BlockStarts:
    """Remembers what the start of a block does on the last tip on which one was begun.

    All templates and blocks on a tip have the same start, which may take a quarter of a block's cost. Several threads
    may call it at once: one computes, and the others wait for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[StateReader, int, Effects] | None = None

    def get(self, params: Params, parent: StateReader, height: Height, target: int, parent_id: BlockId) -> Effects:
        """Return what inos.consensus.execution.begin_block does on the state `parent`."""
        with self._lock:
            if self._last is None or self._last[0] is not parent or self._last[1] != target:
                self._last = parent, target, begin_block(params, parent, height, target, parent_id)
            return self._last[2]


def prepare_block(
    params: Params,
    state: StateReader,
    read: Read,
    update: Update,
    block_id: BlockId,
    block: Block,
    bls: Bls,
    start: Effects | None = None,
    ids: Sequence[TxId] | None = None,
) -> PreparedBlock:
    """Execute a block, and compute all changes to the database.

    Args:
        state: the parent's. read: reads the database as it is at the parent.
        update: computes the state tree from there.
        start: see inos.consensus.execution.Execution.
        ids: those of the block's transactions, if they are known.
    """
    try:
        executed = execute_block(params, state, block, TRUSTED_RESULTS, bls, start)
        root, batch = make_connect_batch(read, update, block_id, block, executed, ids)
        check_state_root(block.header, root)
    except RuleViolation as error:
        return PreparedBlock({}, violation=error)
    return PreparedBlock(batch, executed.products, FINALITY_KEY in executed.changes)
