"""The template service makes blocks to be mined on the tip, for the miner in this process and for miners outside it."""

import asyncio
from collections import OrderedDict
from functools import partial
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from inos.chain.ledger import BlockOutcome
from inos.chain.mempool import Mempool
from inos.chain.template import Template, make_template
from inos.chain.view import LedgerView
from inos.chain.votepool import VotePool
from inos.core.blocks import BlockService
from inos.core.errors import NodeError
from inos.core.events import EventBus
from inos.core.result_holders import ResultHolders
from inos.core.threads import Threads
from inos.primitives.blocks import Block, compute_anchor, compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Seal, Witness
from inos.primitives.units import Address, BlockId
from inos.primitives.votes import Aggregate
from inos.work import verify

log: Final = structlog.get_logger("node")

MAX_TEMPLATES: Final = 256
"""This many issued templates are kept at one time; the oldest are dropped first."""
REUSE_S: Final = 1.0
"""A template for the same miner on the same tip is issued again for this long, because making one takes the writer's
time."""


class IssuedTemplate(Struct, frozen=True):
    """Holds a template that was given to a miner."""

    id: BlockId
    """This is the anchor of its header with nonce 0, which no other template has."""
    template: Template
    made_at: float
    """The template was made at this monotonic time, in seconds."""


class TemplateService:
    """Serves all miners. It belongs to the event loop's thread."""

    def __init__(
        self,
        ledger: LedgerView,
        mempool: Mempool,
        votes: VotePool,
        blocks: BlockService,
        holders: ResultHolders,
        events: EventBus,
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._mempool = mempool
        self._making = asyncio.Lock()
        self._votes = votes
        self._blocks = blocks
        self._holders = holders
        self._events = events
        self._threads = threads
        self._clock = clock
        self._issued: OrderedDict[BlockId, IssuedTemplate] = OrderedDict()
        self._latest: dict[Address, IssuedTemplate] = {}

    async def make(self, beneficiary: Address) -> Template:
        """Make a block to be mined on the tip, without seal and nonce; it carries votes if there are enough."""
        async with self._making:
            aggregate = await self._threads.write(lambda: self._votes.make_aggregate(self._ledger.state))
            template = await self._execute(beneficiary, aggregate)
            if template.refusals:
                await self._threads.write(partial(self._mempool.on_refused, template.refusals, self._ledger.state))
        return template

    async def _execute(self, beneficiary: Address, aggregate: Aggregate | None) -> Template:
        make = partial(
            make_template,
            self._ledger,
            self._mempool,
            beneficiary=beneficiary,
            now_ms=self._clock.now_ms(),
            is_ready=self._holders.is_ready,
        )
        try:
            return await self._threads.execute(partial(make, aggregate=aggregate))
        except RuleViolation as error:
            if aggregate is None:
                raise
            # The tip may have moved since the votes were added up.
            log.info("own votes left out", code=error.code, error=error.message)
            return await self._threads.execute(make)

    async def issue(self, beneficiary: Address) -> IssuedTemplate:
        """Make a template that can be submitted later by its id."""
        known = self._latest.get(beneficiary)
        if known is not None and self._is_fresh(known):
            return known
        template = await self.make(beneficiary)
        issued = IssuedTemplate(BlockId(compute_anchor(template.header)), template, self._clock.monotonic())
        self._issued[issued.id] = issued
        self._latest = {key: old for key, old in self._latest.items() if self._is_fresh(old)}
        self._latest[beneficiary] = issued
        while len(self._issued) > MAX_TEMPLATES:
            self._issued.popitem(last=False)
        return issued

    def _is_fresh(self, issued: IssuedTemplate) -> bool:
        is_on_tip = issued.template.header.parent == self._ledger.tip.id
        return is_on_tip and self._clock.monotonic() - issued.made_at < REUSE_S

    async def wait_tip(self, known: BlockId, wait_s: float) -> None:
        """Return when the tip is another block than `known`, after `wait_s` seconds at the latest."""
        try:
            async with asyncio.timeout(wait_s), self._events.subscribe() as events:
                if self._ledger.tip.id == known:
                    async for _ in events:
                        if self._ledger.tip.id != known:
                            return
        except TimeoutError:
            return

    async def submit(self, id: BlockId, nonce: int, seal: Seal, witness: Witness) -> tuple[BlockId, BlockOutcome]:
        """Check a win under an issued template, and add the block.

        Raises:
            NodeError: "template-unknown": it was never issued, or was dropped since.
            InvalidCertificate: the seal does not win under this template and nonce.
            RuleViolation, NotYet: for the same reasons as `BlockService.add`.
        """
        issued = self._issued.get(id)
        if issued is None:
            raise NodeError(
                "template-unknown",
                f"this node has no template {id.hex()}",
                hint="templates are dropped in time; ask for a new one with miner_template",
            )
        header = replace(issued.template.header, nonce=nonce, seal=seal)
        check = partial(verify, seal, witness, compute_anchor(header), issued.template.allowed_target)
        await asyncio.to_thread(check)
        block = Block(header, issued.template.transactions, issued.template.aggregate)
        outcome = await self._blocks.add(block, witness)
        return compute_block_id(header), outcome
