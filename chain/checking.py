"""A complete check of a stopped node's database, which trusts only the genesis that it was opened with."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from inos.chain.errors import ChainError
from inos.chain.ledger import Ledger
from inos.consensus.statetree import compute_state_root
from inos.primitives.blocks import compute_block_id, compute_tx_root
from inos.primitives.units import BlockId, Height, StateRoot

STEP: Final = 500
"""The number of blocks between two progress reports."""


class Checked(Struct, frozen=True):
    """The number of items that were read."""

    height: Height
    blocks: int
    records: int
    root: StateRoot


def check_database(ledger: Ledger, tell: Callable[[str, int, int], None]) -> Checked:
    """Check every header of the chain, its id and its parent, and every block that is stored, its transactions' root;
    then check the tip's state root.

    Finally, read every other record, in particular the witnesses, so that damage to them is found. Seals and signatures
    were checked when the blocks arrived and are not checked again.

    Args:
        tell: reports what is read, how much of it, and out of how much.

    Raises:
        ChainError: "database-damaged" naming the first block that does not match.
        RuleViolation: "bad-state-root" if the records are not those of the tip.
    """
    tip = ledger.view.tip
    parent, blocks = ledger.view.get_block_id(Height(0)), 0
    for number in range(1, tip.header.height + 1):
        height = Height(number)
        block_id = ledger.view.get_block_id(height)
        if block_id is None:
            raise _damaged(height, "is not on record as part of the chain")
        header, block = ledger.view.get_header(block_id), ledger.view.get_block(block_id)
        if header is None:
            raise _damaged(height, "has no header")
        _check_links(height, block_id, header.parent == parent, compute_block_id(header) == block_id)
        if block is not None:
            if block.header != header:
                raise _damaged(height, "has another header than the index")
            if compute_tx_root(block.transactions, block.aggregate) != block.header.tx_root:
                raise _damaged(height, "has other transactions than its header says")
            ledger.view.get_witness(block_id)  # raises if it cannot be read
            blocks += 1
        elif blocks:
            raise _damaged(height, "is missing")  # a node that started from a state has none of the first blocks
        parent = block_id
        if number % STEP == 0 or number == tip.header.height:
            tell("chain", number, tip.header.height)
    records = dict(ledger.view.reader.iterate_records())
    ledger.check()
    ledger.view.database.read_through(lambda done, of: tell("all files", min(done, of), of))
    return Checked(Height(tip.header.height), blocks, len(records), compute_state_root(records))


def _check_links(height: Height, block_id: BlockId, follows: bool, is_itself: bool) -> None:
    if not is_itself:
        raise _damaged(height, f"is not the block {block_id.hex()} it is kept as")
    if not follows:
        raise _damaged(height, "does not follow the block before it")


def _damaged(height: Height, what: str) -> ChainError:
    hint = "move the ledger folder away and start again: the node fetches the chain from its peers"
    return ChainError("database-damaged", f"block {height} {what}", hint=hint)
