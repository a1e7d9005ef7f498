"""The lottery turns templates into anchors, and winning tickets into blocks."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from inos.chain.template import Template
from inos.miner.payout import Payout
from inos.miner.ports import NodePort
from inos.miner.settings import MinerSettings
from inos.miner.stats import MinerStats
from inos.primitives.blocks import Block, Header, compute_anchor, compute_block_id
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import Anchor, BlockId, Target
from inos.work import Win

log: Final = structlog.get_logger("miner")

LOG_S: Final = 10.0
MAKING_PART: Final = 20
"""The miner waits for templates for at most one part in so many of its time, as long as the tip is the same."""


class Draw(Struct, frozen=True):
    """One slice is mined under one draw. No two slices share an anchor."""

    header: Header
    template: Template
    anchor: Anchor
    target: Target


class Lottery:
    """Makes draws, and turns a win into a block.

    Args:
        payout: chooses the beneficiary of each block.
        nonce: the nonces of this run start here.
        on_template: is called with the transactions of each new template.
    """

    def __init__(
        self,
        node: NodePort,
        settings: MinerSettings,
        payout: Payout,
        stats: MinerStats,
        nonce: int,
        on_template: Callable[[Sequence[Transaction]], None],
    ) -> None:
        self._node = node
        self._payout = payout
        self._settings = settings
        self._stats = stats
        self._nonce = nonce
        self._on_template = on_template
        self._template: Template | None = None
        self._made_at = self._making_s = 0.0
        self._logged_at: float | None = None
        self._unlogged = 0
        """Blocks won since the last line about one."""

    async def draw(self) -> Draw:
        """Make a draw on the current tip, under a template that is not older than the settings allow.

        Raises:
            InosError: the node cannot make a template now.
        """
        template = self._template
        if template is None or self._is_stale(template):
            began = self._node.clock.monotonic()
            template = await self._payout.get_template()
            self._template, self._made_at = template, self._node.clock.monotonic()
            self._making_s = self._made_at - began
            self._on_template(template.transactions)
        self._nonce += 1
        header = replace(template.header, nonce=self._nonce)
        return Draw(header, template, compute_anchor(header), Target(template.allowed_target))

    async def submit(self, draw: Draw, win: Win) -> None:
        """Build the block of a winning ticket, and add it to the chain."""
        block = Block(replace(draw.header, seal=win.seal), draw.template.transactions, draw.template.aggregate)
        block_id = compute_block_id(block.header)
        try:
            outcome = await self._node.blocks.add(block, win.witness)
        except InosError as error:
            self._stats.last_error = f"[{error.code}] {error.message}"
            log.error("own block refused", block=block_id.hex(), code=error.code, error=error.message)
            return
        finally:
            self._template = None
        is_connected = bool(outcome.connected)
        self._stats.count_block(is_connected=is_connected)
        if is_connected:
            self._log_won(block_id, block.header.height)
        else:
            log.info("stale block won", block=block_id.hex(), height=block.header.height)

    def _log_won(self, block: BlockId, height: int) -> None:
        """Log a block at info, at most one each LOG_S seconds: a new chain may have many in a second."""
        now = self._node.clock.monotonic()
        if self._logged_at is not None and now - self._logged_at < LOG_S:
            self._unlogged += 1
            log.debug("block won", block=block.hex(), height=height)
            return
        log.info("block won", block=block.hex(), height=height, others=self._unlogged)
        self._logged_at, self._unlogged = now, 0

    def _is_stale(self, template: Template) -> bool:
        """Return True on another tip, or if the template is so old that making another one is worth the time."""
        age_s = self._node.clock.monotonic() - self._made_at
        is_old = age_s >= max(self._settings.template_ms / 1000, MAKING_PART * self._making_s)
        return is_old or template.header.parent != self._node.ledger.tip.id
