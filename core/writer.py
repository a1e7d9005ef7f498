"""What happens in the writer thread: every change of ledger and mempool, one after another.

Kept apart from the service so that no line here can await: between two changes the chain and the
pool always fit each other.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from msgspec import Struct

from inos.chain.checked import CheckedBlock
from inos.chain.ledger import BlockOutcome, Ledger
from inos.chain.mempool import Mempool
from inos.chain.snapshot.state_import import StateImport
from inos.chain.template import Template, make_template
from inos.chain.votepool import VotePool
from inos.consensus.finality import compute_passed_epoch
from inos.consensus.finality.trust import Step
from inos.consensus.stateranges import Place, StateRange
from inos.primitives.blocks import Block, Header
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, RuleViolation, VerdictMissing
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import Address, BlockId, Height, MatrixId, TxId

log: Final = structlog.get_logger("node")


class AddedBlocks(Struct, frozen=True):
    """What became of blocks that were added together."""

    errors: tuple[InosError | None, ...]
    """Per block."""
    state_s: float
    """Seconds for executing them and for the state tree."""
    disk_s: float
    """Seconds for writing them."""


class ChainWriter:
    """Synchronous changes; belongs to one thread."""

    def __init__(self, ledger: Ledger, mempool: Mempool, votes: VotePool, clock: Clock) -> None:
        self._ledger = ledger
        self._mempool = mempool
        self._votes = votes
        self._clock = clock

    def add_headers(self, headers: Sequence[Header]) -> None:
        """Add headers in order; the first that fails raises, those before it stay."""
        now = self._clock.now_ms()
        for header in headers:
            self._ledger.add_header(header, now)

    def add_block(self, block: Block, witness: Witness) -> BlockOutcome:
        # What is in the pool has been checked, its signature too.
        outcome = self._ledger.add_block(block, witness, self._clock.now_ms(), is_verified=self._mempool.has)
        self._follow(outcome)
        return outcome

    def add_checked_blocks(self, blocks: Sequence[CheckedBlock]) -> tuple[BlockOutcome, AddedBlocks]:
        """See inos.chain.ledger.Ledger.add_checked_blocks."""
        began, wrote = self._clock.monotonic(), self._ledger.writing_s
        outcome, errors = self._ledger.add_checked_blocks(blocks, self._clock.now_ms())
        self._follow(outcome)
        disk_s = self._ledger.writing_s - wrote
        return outcome, AddedBlocks(errors, max(0.0, self._clock.monotonic() - began - disk_s), disk_s)

    def seek_final(self) -> tuple[BlockOutcome, tuple[MatrixId, ...]]:
        """Follow the votes where they show that a block off this chain is final; else as `retry_held`."""
        ledger = self._ledger
        found = self._votes.find_final(ledger.state, compute_passed_epoch(ledger.params, ledger.final.header.height))
        if found is None:
            return BlockOutcome((), (), False), ()
        try:
            outcome = ledger.pledge(found)
        except VerdictMissing as error:
            return BlockOutcome((), (), False), error.ids
        self._follow(outcome)
        return outcome, outcome.missing

    def retry_held(self) -> tuple[BlockOutcome, tuple[MatrixId, ...]]:
        """Try blocks that waited for matrices; the second value is what is missing still."""
        try:
            outcome = self._ledger.retry_held(self._clock.now_ms())
        except VerdictMissing as error:
            return BlockOutcome((), (), False), error.ids
        self._follow(outcome)
        return outcome, outcome.missing

    def add_step(self, step: Step) -> None:
        self._ledger.add_step(step)

    def begin_import(self, block: BlockId) -> StateImport:
        return self._ledger.begin_import(block)

    def add_range(self, block: BlockId, place: Place, found: StateRange) -> bool:
        """A part of the state after `block`; False where another one's is on its way in by now."""
        importer = self._ledger.importer
        if importer is None or importer.state is None or importer.state.block != block:
            return False
        return self._ledger.add_range(place, found)

    def finish_import(self) -> BlockOutcome:
        return self._ledger.finish_import()

    def abandon_import(self) -> None:
        self._ledger.abandon_import()

    def add_transaction(self, tx: Transaction) -> TxId:
        return self._mempool.add(tx, self._ledger.state, Height(self._ledger.tip.header.height))

    def add_transactions(self, transactions: Sequence[Transaction]) -> int:
        """Take back what a stopped node had in its pool; what no longer fits is left out."""
        taken = 0
        for tx in transactions:
            try:
                self.add_transaction(tx)
                taken += 1
            except InosError as error:
                log.debug("pool transaction left out", code=error.code)
        return taken

    def make_template(self, beneficiary: Address) -> Template:
        aggregate = self._votes.make_aggregate(self._ledger.state)
        make = partial(
            make_template,
            self._ledger,
            self._mempool,
            beneficiary=beneficiary,
            now_ms=self._clock.now_ms(),
        )
        try:
            template = make(aggregate=aggregate)
        except RuleViolation as error:
            if aggregate is None:
                raise
            log.error("an aggregate made here is refused", code=error.code, error=error.message)
            template = make()
        self._mempool.on_refused(template.refusals, self._ledger.state)
        return template

    def _follow(self, outcome: BlockOutcome) -> None:
        """Bring the pool after the chain: what was undone comes back, what was included goes."""
        for block_id in outcome.disconnected:
            block = self._ledger.get_block(block_id)
            if block is not None:
                self._mempool.on_disconnected(block, self._ledger.state)
        self._votes.forget_below(self._ledger.tip.header.height)
        if not len(self._mempool):
            return
        for block_id in outcome.connected:
            block = self._ledger.get_block(block_id)
            if block is not None:
                self._mempool.on_connected(block)
