"""What connecting a block changes, computed before its turn and off the writer's thread.

The state at a block's parent is always the same, so what is computed on it holds whenever the block is connected. Only
the verdicts on delivered products are looked up when the block is connected.
"""

from collections import OrderedDict
from typing import Final

from msgspec import Struct

from inos.chain.blocks import Batch
from inos.chain.connection import Read, make_connect_batch
from inos.consensus.execution import check_state_root, execute_block
from inos.consensus.params import Params
from inos.consensus.records import FINALITY_KEY, StateReader
from inos.consensus.results import TRUSTED_RESULTS
from inos.primitives.blocks import Block
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Product
from inos.primitives.units import BlockId

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


def prepare_block(
    params: Params, state: StateReader, read: Read, block_id: BlockId, block: Block, bls: Bls
) -> PreparedBlock:
    """Execute a block, and compute all changes to the database.

    Args:
        state: the parent's. read: reads the database as it is at the parent.
    """
    try:
        executed = execute_block(params, state, block, TRUSTED_RESULTS, bls)
        root, batch = make_connect_batch(read, block_id, block, executed)
        check_state_root(block.header, root)
    except RuleViolation as error:
        return PreparedBlock({}, violation=error)
    return PreparedBlock(batch, executed.products, FINALITY_KEY in executed.changes)
