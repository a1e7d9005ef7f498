"""Templates for workers, and blocks of the tickets that win under them."""

import asyncio
from collections import deque
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from inos.chain.template import Template
from inos.primitives.blocks import Block, compute_block_id, encode_target
from inos.primitives.codec import encode
from inos.primitives.errors import InosError
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.units import Address, Anchor
from inos.work import Win
from inos.workers.errors import Offence
from inos.workers.limits import GRACE_S, TEMPLATE_S
from inos.workers.messages import NewTemplate, WorkHeader, encode_message, make_work_header
from inos.workers.server.ports import NodePort

log: Final = structlog.get_logger("workers")

NONCE_BYTES: Final = 8
_TEN_FIELDS: Final = b"\x9a"
_U64: Final = b"\xcf"


class IssuedTemplate(Struct, frozen=True, eq=False):
    """A template as workers have it."""

    number: int
    template: Template
    message: bytes
    """The NewTemplate, encoded once for all workers."""
    made_at: float
    preimage: bytes
    """What is hashed for an anchor begins with this; see docs/workers.md."""

    def compute_anchor(self, nonce: int) -> Anchor:
        """Return the anchor of the template under a worker's nonce."""
        return Anchor(compute_hash(Context.ANCHOR, self.preimage + nonce.to_bytes(NONCE_BYTES, "big")))


class Templates:
    """Holds the current template and those replaced a few seconds ago.

    Args:
        beneficiary: all blocks pay this address.
    """

    def __init__(self, node: NodePort, beneficiary: Address) -> None:
        self._node = node
        self._beneficiary = beneficiary
        self._making = asyncio.Lock()
        self._replaced: deque[tuple[IssuedTemplate, float]] = deque()
        self._number = 0
        self.current: IssuedTemplate | None = None
        self._submitted = 0
        self.won = self.stale = 0
        """Blocks that workers found, and those of them that another block was faster than."""

    def is_current(self) -> bool:
        """Return False if another template is to be made: on another tip, or because of its age."""
        current = self.current
        if current is None or current.template.header.parent != self._node.ledger.tip.id:
            return False
        return self._node.clock.monotonic() - current.made_at < TEMPLATE_S

    async def renew(self) -> IssuedTemplate:
        """Return the current template, made again if it is not current.

        Raises:
            InosError: the node can make no template now.
        """
        async with self._making:
            if self.current is not None and self.is_current():
                return self.current
            template = await self._node.templates.make(self._beneficiary)
            now = self._node.clock.monotonic()
            if self.current is not None:
                self._replaced.append((self.current, now))
            self._prune()
            self._number += 1
            header = make_work_header(template.header)
            message = encode_message(NewTemplate(self._number, header, encode_target(template.allowed_target)))
            self.current = IssuedTemplate(self._number, template, message, now, make_preimage(header))
            return self.current

    def find(self, number: int) -> IssuedTemplate | None:
        """Return a template whose shares count now, or None if it was replaced too long ago.

        Raises:
            Offence: "unknown-template": there was none of this number.
        """
        if not 1 <= number <= self._number:
            raise Offence("unknown-template", f"this node has issued no template {number}")
        self._prune()
        if self.current is not None and self.current.number == number:
            return self.current
        return next((issued for issued, _ in self._replaced if issued.number == number), None)

    def get_oldest(self) -> int:
        """Return the number of the oldest template that `find` still returns."""
        self._prune()
        return self._replaced[0][0].number if self._replaced else self._number

    def _prune(self) -> None:
        """Forget templates that were replaced too long ago."""
        oldest = self._node.clock.monotonic() - GRACE_S
        while self._replaced and self._replaced[0][1] < oldest:
            self._replaced.popleft()

    async def submit(self, issued: IssuedTemplate, nonce: int, win: Win) -> None:
        """Build the block of a ticket that wins, and add it to the chain; nothing if its template has won already."""
        if issued.number <= self._submitted:
            return
        self._submitted, template = issued.number, issued.template
        block = Block(replace(template.header, nonce=nonce, seal=win.seal), template.transactions, template.aggregate)
        block_id = compute_block_id(block.header)
        try:
            outcome = await self._node.blocks.add(block, win.witness)
        except InosError as error:
            log.error("a worker's block is refused", block=block_id.hex(), code=error.code, error=error.message)
            return
        if outcome.connected:
            self.won += 1
            log.info("a worker won a block", block=block_id.hex(), height=block.header.height)
        else:
            self.stale += 1


def make_preimage(header: WorkHeader) -> bytes:
    """Return what an anchor's hash is of, without the nonce: an array of one field more than the header. The nonces of
    workers take nine bytes, since their prefixes are at least 2^31."""
    return _TEN_FIELDS + encode(header)[1:] + _U64
