"""The block service adds headers and blocks to the chain, and tries deferred ones again."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from inos.chain.checked import CheckedBlock
from inos.chain.events import BlockEarly, TipChanged
from inos.chain.ledger import BlockOutcome
from inos.chain.preparation import PreparedBlock
from inos.chain.view import LedgerView
from inos.chain.votepool import VotePool
from inos.core.deferred import EarlyBlocks, retry_deferred
from inos.core.events import EventBus
from inos.core.threads import Threads
from inos.core.verification.backends import VerificationBackend
from inos.core.verification.products import ProductVerifier
from inos.core.writer import AddedBlocks, ChainWriter
from inos.primitives.blocks import Block, Header, compute_block_id, encode_target
from inos.primitives.clock import Clock
from inos.primitives.errors import ClockAhead, InosError, RuleViolation, VerdictMissing
from inos.primitives.matrices import Witness
from inos.primitives.units import BlockId

log: Final = structlog.get_logger("node")

RETRY_S: Final = 0.25
"""The service looks at deferred blocks this often."""


class BlockService:
    """Executes blocks in threads, changes the chain in the writer thread, and publishes on the event loop when the tip
    moved."""

    def __init__(
        self,
        ledger: LedgerView,
        writer: ChainWriter,
        votes: VotePool,
        products: ProductVerifier,
        backend: VerificationBackend,
        events: EventBus,
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._writer = writer
        self._votes = votes
        self._products = products
        self._backend = backend
        self._turn = asyncio.Lock()
        """Blocks are executed and connected in the order in which they came: of equals the first one wins."""
        self._events = events
        self._threads = threads
        self._clock = clock
        self._early = EarlyBlocks()
        self._ahead: tuple[BlockId, asyncio.Future[PreparedBlock | None]] | None = None
        """The block that `execute_ahead` executes, and the outcome."""

    async def add_headers(self, headers: Sequence[Header]) -> None:
        """Add headers in order.

        Raises:
            RuleViolation, NotYet: the first header that fails raises; those before it are added.
        """
        try:
            await self._threads.write(partial(self._writer.add_headers, tuple(headers)))
        except ClockAhead as error:
            self._events.publish(BlockEarly(error.ahead_ms))
            raise

    async def add(self, block: Block, witness: Witness) -> BlockOutcome:
        """Check and connect a block with its witness.

        Raises:
            RuleViolation: it is invalid and stays so.
            ClockAhead: it is deferred until its time comes. VerdictMissing: it is held until its results are checked.
            ParentMissing: it is not kept.
        """
        return await self._threads.complete(self._add(block, witness))

    async def _add(self, block: Block, witness: Witness) -> BlockOutcome:
        async with self._turn:
            prepared = await self._prepare(block, witness)
            try:
                outcome = await self._threads.write(partial(self._writer.add_block, block, witness, prepared))
            except ClockAhead as error:
                self._defer_early(error, block, witness)
                raise
            except VerdictMissing as error:
                self._products.request(error.products, error.ids)
                raise
            self.publish(outcome)
        return outcome

    async def execute_ahead(self, block: Block) -> None:
        """Execute a block on the tip whose seal was checked, while its transactions are still being checked.

        `add_checked` takes the outcome, which nothing else sees. One block is executed ahead at a time, and none with
        votes: their signature, which is checked meanwhile, would be computed twice.
        """
        if (
            block.aggregate is not None
            or not self._is_next(block)
            or (self._ahead is not None and not self._ahead[1].done())
        ):
            return
        outcome: asyncio.Future[PreparedBlock | None] = asyncio.get_running_loop().create_future()
        self._ahead = compute_block_id(block.header), outcome
        prepared = None
        try:
            prepared = await self._threads.execute(partial(self._ledger.prepare, block))
        except InosError as error:
            log.debug("block not executed ahead", code=error.code)  # `add_checked` meets the error again.
        finally:
            if not outcome.done():  # A caller that waits for it may have been cancelled.
                outcome.set_result(prepared)

    async def add_checked(self, blocks: Sequence[CheckedBlock]) -> AddedBlocks:
        """Connect checked blocks in order. Blocks ahead of the clock or with unchecked results are deferred as by
        `add`."""
        return await self._threads.complete(self._add_checked(blocks))

    async def _add_checked(self, blocks: Sequence[CheckedBlock]) -> AddedBlocks:
        async with self._turn:
            prepared = await self._prepare(blocks[0].block, None) if len(blocks) == 1 else None
            call = partial(self._writer.add_checked_blocks, tuple(blocks), prepared)
            outcome, added = await self._threads.write(call)
            for checked, error in zip(blocks, added.errors, strict=True):
                if isinstance(error, ClockAhead):
                    self._defer_early(error, checked.block, checked.witness)
            self.publish(outcome)
        return added

    def _defer_early(self, error: ClockAhead, block: Block, witness: Witness) -> None:
        """Keep a block until its time comes, and tell subscribers how far it is ahead."""
        self._early.add(error.until, block, witness)
        self._events.publish(BlockEarly(error.ahead_ms))

    async def vouch(self, tip: BlockId) -> None:
        """Count results more than `result_depth` blocks below `tip` as checked, because a sample of the work was
        checked.
        """
        await self._move(partial(self._writer.vouch, tip))

    async def retry_held(self) -> None:
        """Try the blocks again that wait for the checks of their results."""
        await retry_deferred("held block", partial(self._move, self._writer.retry_held))

    def publish(self, outcome: BlockOutcome) -> None:
        """Have unchecked results checked, and tell subscribers how the chain moved, if it did."""
        self._products.request(outcome.unchecked, outcome.missing)
        if outcome.disconnected:
            log.info("reorganisation", depth=len(outcome.disconnected), height=self._ledger.tip.header.height)
        if outcome.connected or outcome.disconnected:
            self._events.publish(TipChanged(self._ledger.tip, outcome.connected, outcome.disconnected))

    async def run(self) -> None:
        """Try deferred blocks again, until cancelled; a node that was stopped goes on with those that it held."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._products.run(self.retry_held))
            group.create_task(self._retry())

    async def _prepare(self, block: Block, witness: Witness | None) -> PreparedBlock | None:
        """Execute a block on the tip outside the writer, which has little to do for it then.

        This is done only if work stands behind the block: it has the target of the next block and a seal.

        Args:
            witness: None if the seal was checked.
        """
        if self._ahead is not None and self._ahead[0] == compute_block_id(block.header):
            (_, outcome), self._ahead = self._ahead, None
            if (prepared := await outcome) is not None:
                return prepared
        if not self._is_next(block):
            return None
        if witness is not None:
            try:
                await self._backend.check_seal(self._ledger.params, block.header, witness)
            except RuleViolation:
                return None  # The writer finds it again, and says so.
        return await self._threads.execute(partial(self._ledger.prepare, block))

    def _is_next(self, block: Block) -> bool:
        """Return True if the block has the parent and the target of the next one."""
        header = block.header
        if header.parent != self._ledger.tip.id or self._ledger.is_awaiting_state:
            return False
        return header.target == encode_target(self._ledger.begin_next().target)

    async def _retry(self) -> None:
        await self.retry_held()
        while True:
            await asyncio.sleep(RETRY_S)
            for early in self._early.take_due(self._clock.now_ms()):
                await retry_deferred("early block", partial(self.add, early.block, early.witness))
            if len(self._votes):
                await retry_deferred("block that votes show to be final", partial(self._move, self._writer.seek_final))

    async def _move(self, call: Callable[[], BlockOutcome]) -> None:
        self.publish(await self._threads.write(call))
