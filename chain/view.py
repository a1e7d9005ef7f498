"""Reading a ledger. Every method may be called from any thread while blocks are connected.

The tip, its state and its indices are one snapshot, which is replaced as a whole when the chain has moved. So a reader
sees one block's state, and no intermediate state of a reorganisation.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from inos.chain.blocks import BlockStore
from inos.chain.database import Database
from inos.chain.entry import Tip, get_ancestor, make_context, make_locator
from inos.chain.index import BlockIndex
from inos.chain.notes import find_step
from inos.chain.past import PastState
from inos.chain.preparation import BlockStarts, PreparedBlock
from inos.chain.pruning import find_base_height, find_first_block
from inos.chain.reading import ChainReader
from inos.chain.vouching import draw_by_weight
from inos.consensus.context import HeaderContext
from inos.consensus.effects import Effects
from inos.consensus.execution import ResultChecker
from inos.consensus.finality import compute_height, compute_passed_epoch
from inos.consensus.finality.trust import Step
from inos.consensus.params import Params
from inos.consensus.state import StateView
from inos.consensus.target import compute_target
from inos.primitives.blocks import Block, Header, compute_block_id, compute_difficulty, encode_target
from inos.primitives.bls import Bls
from inos.primitives.errors import NotYet
from inos.primitives.matrices import Witness
from inos.primitives.randomness import Randomness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, Height, Target, TxId

BlockFinality = Literal["final", "justified", "none"]
"""final: the block is never undone. justified: two thirds voted for a checkpoint at or above it. none: neither."""
LOCATOR_DENSE: Final = 10
"""A locator names this many blocks one by one, then in doubling steps."""
MAX_EPOCHS_SOUGHT: Final = 4096
"""The largest number of epochs that one answer looks at, as some may not have been justified."""


class NextBlock(Struct, frozen=True, eq=False):
    """What a child of a tip continues."""

    parent: ChainReader
    """The tip and its state."""
    context: HeaderContext
    target: Target


class LedgerView:
    """Read access to a `inos.chain.ledger.Ledger`. Only the ledger calls `show`."""

    def __init__(self, params: Params, database: Database, index: BlockIndex, results: ResultChecker, bls: Bls) -> None:
        self.params = params
        self.results = results
        """Checks delivered products."""
        self.bls = bls
        """Checks the signatures of votes."""
        self.database = database
        self._index = index
        self._blocks = BlockStore(database)
        self._first_block = find_first_block(database)
        self._reader = ChainReader(database, index.tip.to_tip())
        self._starts = BlockStarts()

    def show(self, reader: ChainReader) -> None:
        """Read another tip and its state from now on."""
        self._reader = reader

    @property
    def first_block(self) -> Height:
        """The lowest height from which on all connected blocks are here: 1, or more after a snapshot or pruning."""
        return self._first_block

    @property
    def base_height(self) -> Height:
        """Transactions at this height and below cannot be found by their ids, except for 0: see `find_base_height`."""
        return find_base_height(self.database)

    def find_first_block(self) -> None:
        """Learn from the database from which height on the blocks are here."""
        self._first_block = find_first_block(self.database)

    # The connected chain and its state

    @property
    def reader(self) -> ChainReader:
        """Return the tip with its state and its indices, which do not move while a caller reads them."""
        return self._reader

    @property
    def tip(self) -> Tip:
        """The best connected block."""
        return self._reader.tip

    @property
    def state(self) -> StateView:
        """The state after the tip."""
        return self._reader.state

    def begin_next(self) -> NextBlock:
        """Return what the next block on the tip must continue, and the tip's own state.

        Raises:
            NotYet: "awaiting-state": a state is being imported.
        """
        reader = self._reader
        if not reader.is_whole:
            raise NotYet("awaiting-state", "a state is being imported; blocks are made once it is complete")
        return self._begin_next(reader)

    def _begin_next(self, reader: ChainReader) -> NextBlock:
        tip = self._index.get(reader.tip.id)
        assert tip is not None, "the tip is indexed"
        context = make_context(self.params, tip)
        return NextBlock(reader, context, compute_target(self.params, context))

    def prepare(self, block: Block) -> PreparedBlock | None:
        """Return what connecting a block changes, for `Ledger.prepared`, or None unless it is a child of the tip.

        Its seal was checked. It takes up to `max_block_cost_us`, and may run in any thread.
        """
        reader, header = self._reader, block.header
        if not reader.is_whole or reader.tip.id != header.parent:
            return None
        following = self._begin_next(reader)
        is_next = header.height == reader.tip.header.height + 1 and header.target == encode_target(following.target)
        start = self.begin_block(following) if is_next else None
        return reader.prepare(self.params, compute_block_id(header), block, self.bls, start)

    def begin_block(self, following: NextBlock) -> Effects:
        """Return what the start of every block on a tip does. It is computed once for each tip."""
        tip = following.parent.tip
        height = Height(tip.header.height + 1)
        return self._starts.get(self.params, following.parent, height, following.target, tip.id)

    @property
    def final(self) -> Tip:
        """The last final block; genesis before there is another. No reorganisation passes it."""
        return self._index.final.to_tip()

    def draft_next(self, reader: ChainReader) -> Effects:
        """Return an empty draft on a tip's state, with height and difficulty of the next block.

        What the start of that block does (queues, juries) is not in it.
        """
        following = self._begin_next(reader)
        height = Height(reader.tip.header.height + 1)
        return Effects(self.params, height, compute_difficulty(following.target), reader.state)

    def get_block_finality(self, height: Height) -> BlockFinality:
        """Say whether the connected block at `height` is final, justified or neither."""
        if height <= self._index.final.height:
            return "final"
        return "justified" if height <= self.get_justified_height() else "none"

    def get_justified_height(self) -> Height:
        """Return the height of the last justified checkpoint on the connected chain."""
        finality = self.state.get_finality()
        return Height(0) if finality is None else compute_height(self.params, finality.justified.epoch)

    def count_unproven(self) -> int:
        """Return the number of headers without blocks, on all branches."""
        return self._index.unproven

    def get_block_id(self, height: Height) -> BlockId | None:
        """Return the id of the connected block at a height, or None."""
        return self._reader.get_block_id(height)

    def get_transaction(self, tx: TxId) -> tuple[BlockId, int, Transaction] | None:
        """Return a transaction with its block's id and its place there, or None if it is not on the connected chain."""
        reader = self._reader
        position = reader.get_position(tx)
        block_id = None if position is None else reader.get_block_id(position.height)
        block = None if block_id is None else self.get_block(block_id)
        if position is None or block_id is None or block is None or position.index >= len(block.transactions):
            return None
        return block_id, position.index, block.transactions[position.index]

    @property
    def is_awaiting_state(self) -> bool:
        """True while a state is being imported; no block can be connected before it is complete."""
        return not self._reader.is_whole

    def get_past(self, height: int) -> PastState | None:
        """Return the state after a connected block a little below the tip, or None if it can no longer be computed.

        Raises:
            ChainError: "database-damaged".
        """
        return self._reader.rewind(height, self.get_header)

    def list_steps(self, first: int, limit: int) -> list[Step]:
        """Return at most `limit` steps of finality on the connected chain, from the checkpoint of epoch `first` on.

        The list has no gaps: each step's source is the target of the step before it, and the first source is below
            `first`. If this is not known here, for example below an imported state, the list is empty.
        """
        steps: list[Step] = []
        epoch, last = max(1, first), compute_passed_epoch(self.params, self.tip.header.height)
        reader, below = self._reader, first
        while len(steps) < limit and epoch <= last and epoch < first + MAX_EPOCHS_SOUGHT:
            block = reader.get_block_id(compute_height(self.params, epoch))
            step = None if block is None else find_step(self.database.get, self.get_header, block)
            if step is not None:
                source = step.aggregate.link.source
                if source != steps[-1].aggregate.link.target if steps else source.epoch >= below:
                    break
                steps.append(step)
            epoch += 1
        return steps

    def is_on_best_chain(self, block: BlockId) -> bool:
        """Return True if a block is on the heaviest chain of headers."""
        entry, best = self._index.get(block), self._index.best_header
        return entry is not None and entry.height <= best.height and get_ancestor(best, entry.height) is entry

    # Known blocks

    def draw_work_sample(self, count: int, rng: Randomness) -> tuple[BlockId, tuple[BlockId, ...]] | None:
        """Return the best header's id and blocks above the tip, drawn by weight, whose witnesses are to be checked.

        Return None unless the best header is more than `result_depth` above the tip and the next block is not vouched
        for.
        """
        best, tip = self._index.best_header, self._index.tip
        if best.height - tip.height <= self.params.result_depth + 1:
            return None
        if self._index.vouched.is_vouched(get_ancestor(best, tip.height + 1)):
            return None
        return best.id, tuple(entry.id for entry in draw_by_weight(best, tip, count, rng))

    @property
    def best_header(self) -> Tip:
        """The end of the heaviest chain of headers that is neither known to be invalid nor stalled."""
        return self._index.best_header.to_tip()

    def get_header(self, block: BlockId) -> Header | None:
        """Return the header of a known block, or None."""
        entry = self._index.get(block)
        return None if entry is None else entry.header

    def get_block(self, block: BlockId) -> Block | None:
        """Return a block's header and transactions, connected or not, or None."""
        return self._blocks.get_block(block)

    def get_witness(self, block: BlockId) -> Witness | None:
        return self._blocks.get_witness(block)

    def get_status(self, block: BlockId) -> str:
        """Return "unknown", "header", "stored", "connected", or "invalid: " with code and reason."""
        entry = self._index.get(block)
        if entry is None:
            return "unknown"
        if entry.invalid is not None:
            return f"invalid: [{entry.invalid[0]}] {entry.invalid[1]}"
        if not entry.has_body:
            return "header"
        return "connected" if self._reader.get_block_id(entry.height) == block else "stored"

    def get_locator(self) -> tuple[BlockId, ...]:
        """Return ids back from the best header: the first ones without gaps, then in doubling steps, genesis last."""
        return make_locator(self._index.best_header, LOCATOR_DENSE)

    def get_headers_after(self, locator: Sequence[BlockId], limit: int) -> list[Header]:
        """Return at most `limit` headers of the connected chain after the first of the locator's blocks on it."""
        reader = self._reader
        return reader.list_headers(self._find_start(reader, locator) + 1, limit)

    def get_skeleton(self, locator: Sequence[BlockId], step: int, limit: int) -> tuple[BlockId, list[BlockId]]:
        """Return the first of the locator's blocks that is on the connected chain, and at most `limit` ids after it,
        `step` blocks apart.
        """
        reader = self._reader
        start = self._find_start(reader, locator)
        heights = range(start + step, min(reader.tip.header.height, start + limit * step) + 1, step)
        first = reader.get_block_id(start)
        ids = [block_id for height in heights if (block_id := reader.get_block_id(height)) is not None]
        return first or self._index.genesis.id, ids

    def _find_start(self, reader: ChainReader, locator: Sequence[BlockId]) -> int:
        """Return the height of the first of the locator's blocks that is on the connected chain, or 0 if none is."""
        for block_id in locator:
            header = self.get_header(block_id)
            if header is not None and reader.get_block_id(header.height) == block_id:
                return header.height
        return 0

    def get_missing_blocks(self, limit: int) -> list[BlockId]:
        """Return at most `limit` ids whose bodies are wanted, each chain from its lowest block: the best header's chain
        comes before a heavier one whose bodies are overdue.
        """
        return [] if self.is_awaiting_state else self._index.list_missing(limit)
