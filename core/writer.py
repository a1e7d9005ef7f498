"""The writer thread runs these changes of ledger and mempool, one after another.

No line here can await, so chain and pool fit each other between any two changes.
"""

from collections.abc import Sequence
from typing import Final

import structlog
from msgspec import Struct

from inos.chain.checked import CheckedBlock
from inos.chain.ledger import BlockOutcome, Ledger
from inos.chain.mempool import Mempool
from inos.chain.preparation import PreparedBlock
from inos.chain.votepool import VotePool
from inos.consensus.finality import compute_passed_epoch
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, VerdictMissing
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, Height, TxId

log: Final = structlog.get_logger("node")


class AddedBlocks(Struct, frozen=True):
    """Says what became of blocks that were added together."""

    errors: tuple[InosError | None, ...]
    """There is one error, or None, for each block."""
    state_s: float
    """Executing the blocks and updating the state tree took this many seconds."""
    disk_s: float
    """Writing the blocks took this many seconds."""


class ChainWriter:
    """Makes synchronous changes. It belongs to the writer thread."""

    def __init__(self, ledger: Ledger, mempool: Mempool, votes: VotePool, clock: Clock) -> None:
        self._ledger = ledger
        self._mempool = mempool
        self._votes = votes
        self._clock = clock

    def add_headers(self, headers: Sequence[Header]) -> None:
        """Add headers in order. The first that fails raises; those before it stay."""
        now = self._clock.now_ms()
        for header in headers:
            self._ledger.add_header(header, now)

    def add_block(self, block: Block, witness: Witness, prepared: PreparedBlock | None) -> BlockOutcome:
        """Add a block: see inos.chain.ledger.Ledger.add_block. Transactions in the pool were checked, their signatures
        too.

        Args:
            prepared: what connecting the block changes, if that was computed before.
        """
        self._keep(block, prepared)
        outcome = self._ledger.add_block(block, witness, self._clock.now_ms(), is_verified=self._mempool.has)
        self._follow(outcome, [block])
        return outcome

    def add_checked_blocks(
        self, blocks: Sequence[CheckedBlock], prepared: PreparedBlock | None
    ) -> tuple[BlockOutcome, AddedBlocks]:
        """Add checked blocks: see inos.chain.ledger.Ledger.add_checked_blocks.

        Args:
            prepared: what connecting the first block changes, if that was computed before.
        """
        for first in blocks[:1]:
            self._keep(first.block, prepared)
        began, wrote = self._clock.monotonic(), self._ledger.view.database.writing_s
        outcome, errors = self._ledger.add_checked_blocks(blocks, self._clock.now_ms())
        self._follow(outcome, [checked.block for checked in blocks])
        disk_s = self._ledger.view.database.writing_s - wrote
        return outcome, AddedBlocks(errors, max(0.0, self._clock.monotonic() - began - disk_s), disk_s)

    def seek_final(self) -> BlockOutcome:
        """Follow the votes if they show that a block off this chain is final. Returns as `retry_held`."""
        view = self._ledger.view
        found = self._votes.find_final(view.state, compute_passed_epoch(view.params, view.final.header.height))
        if found is None:
            return BlockOutcome((), (), False)
        try:
            outcome = self._ledger.pledge(found)
        except VerdictMissing as error:
            return BlockOutcome((), (), False, error.products, error.ids)
        self._follow(outcome)
        return outcome

    def retry_held(self) -> BlockOutcome:
        """Try the held blocks; return how the chain moved, and which results are still unchecked."""
        try:
            outcome = self._ledger.retry_held(self._clock.now_ms())
        except VerdictMissing as error:
            return BlockOutcome((), (), False, error.products, error.ids)
        self._follow(outcome)
        return outcome

    def vouch(self, tip: BlockId) -> BlockOutcome:
        """Count the results deep below `tip` as checked, and try the held blocks. Returns as `retry_held`."""
        self._ledger.vouch(tip)
        return self.retry_held()

    def add_transaction(self, tx: Transaction) -> TxId:
        """Take a checked transaction into the pool; raises PoolRejected."""
        return self._mempool.add(tx, self._ledger.view.state, Height(self._ledger.view.tip.header.height))

    def add_each(self, transactions: Sequence[Transaction]) -> list[TxId | InosError]:
        """Take checked transactions into the pool; return the id of each, or what the pool says against it."""
        outcomes: list[TxId | InosError] = []
        for tx in transactions:
            try:
                outcomes.append(self.add_transaction(tx))
            except InosError as error:
                outcomes.append(error)
        return outcomes

    def add_transactions(self, transactions: Sequence[Transaction]) -> int:
        """Take the pool of a stopped node, leave out what no longer fits, and return how many were taken."""
        taken = 0
        for tx in transactions:
            try:
                self.add_transaction(tx)
                taken += 1
            except InosError as error:
                log.debug("pool transaction left out", code=error.code)
        return taken

    def _keep(self, block: Block, prepared: PreparedBlock | None) -> None:
        if prepared is not None:
            self._ledger.prepared.keep(compute_block_id(block.header), prepared)

    def _follow(self, outcome: BlockOutcome, added: Sequence[Block] = ()) -> None:
        """Adjust the pool to the chain: transactions of undone blocks come back, included ones go.

        Args:
            added: blocks that need not be read from the database.
        """
        for block_id in outcome.disconnected:
            block = self._ledger.view.get_block(block_id)
            if block is not None:
                self._mempool.on_disconnected(block, self._ledger.view.state)
        self._votes.forget_below(self._ledger.view.tip.header.height)
        if not len(self._mempool):
            return
        known = {compute_block_id(block.header): block for block in added}
        for block_id in outcome.connected:
            block = known.get(block_id) or self._ledger.view.get_block(block_id)
            if block is not None:
                self._mempool.on_connected(block)
