"""Templates for miners outside this process, and the wins they bring back."""

import asyncio
from collections import OrderedDict
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from inos.chain.ledger import BlockOutcome
from inos.chain.template import Template
from inos.core.errors import NodeError
from inos.core.service import NodeService
from inos.primitives.blocks import Block, compute_anchor, compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.matrices import Seal, Witness
from inos.primitives.units import Address, BlockId
from inos.work import verify

MAX_TEMPLATES: Final = 256
"""Kept at one time; the oldest go first."""
MAX_WAITERS: Final = 16
"""Callers that may wait for a new tip at one time."""
REUSE_S: Final = 1.0
"""Asked again so soon on the same tip, the same template is given out: making one costs the node's writer."""


class Offer(Struct, frozen=True):
    """A template as it was handed out."""

    id: BlockId
    """The anchor of its header with nonce 0: nothing else has it."""
    template: Template
    made_at: float


class Desk:
    """One for all callers; belongs to the event loop's thread."""

    def __init__(self, service: NodeService) -> None:
        self._service = service
        self._clock: Clock = service.clock
        self._offers: OrderedDict[BlockId, Offer] = OrderedDict()
        self._latest: dict[Address, Offer] = {}
        self._waiters = 0

    async def make_offer(self, beneficiary: Address) -> Offer:
        """A template on the present tip."""
        known = self._latest.get(beneficiary)
        if known is not None and self._is_fresh(known):
            return known
        template = await self._service.get_template(beneficiary)
        offer = Offer(BlockId(compute_anchor(template.header)), template, self._clock.monotonic())
        self._offers[offer.id] = offer
        self._latest = {key: old for key, old in self._latest.items() if self._is_fresh(old)}
        self._latest[beneficiary] = offer
        while len(self._offers) > MAX_TEMPLATES:
            self._offers.popitem(last=False)
        return offer

    def _is_fresh(self, offer: Offer) -> bool:
        is_on_tip = offer.template.header.parent == self._service.ledger.tip.id
        return is_on_tip and self._clock.monotonic() - offer.made_at < REUSE_S

    async def wait_tip(self, known: BlockId, wait_s: float) -> None:
        """Return once the tip is another than `known`, after `wait_s` seconds at the latest.

        Raises:
            NodeError: "too-many-waiters".
        """
        if self._waiters >= MAX_WAITERS:
            raise NodeError(
                "too-many-waiters", f"{MAX_WAITERS} callers wait for a new tip already", hint="ask without waiting"
            )
        self._waiters += 1
        try:
            async with asyncio.timeout(wait_s), self._service.subscribe() as events:
                if self._service.ledger.tip.id == known:
                    async for _ in events:
                        if self._service.ledger.tip.id != known:
                            return
        except TimeoutError:
            return
        finally:
            self._waiters -= 1

    async def submit(self, id: BlockId, nonce: int, seal: Seal, witness: Witness) -> tuple[BlockId, BlockOutcome]:
        """Check a win and hand the block in.

        Raises:
            NodeError: "template-unknown", where it was never given out or has been forgotten.
            InvalidCertificate: the seal does not win under this template and nonce.
            RuleViolation, NotYet: as `NodeService.add_block`.
        """
        offer = self._offers.get(id)
        if offer is None:
            raise NodeError(
                "template-unknown",
                f"this node holds no template {id.hex()}",
                hint="templates are forgotten in time; ask for a new one with miner_template",
            )
        header = replace(offer.template.header, nonce=nonce, seal=seal)
        check = partial(verify, seal, witness, compute_anchor(header), offer.template.allowed_target)
        await asyncio.to_thread(check)
        outcome = await self._service.add_block(
            Block(header, offer.template.transactions, offer.template.aggregate), witness
        )
        return compute_block_id(header), outcome
