"""Checks blocks that came, side by side and in any order: all that can be said without their parents' state."""

import asyncio
from collections.abc import Callable
from typing import Final

from inos.core.verification.seals import SealVerifier
from inos.network.errors import Misbehaviour
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.sync.blocks.window import Body, Window
from inos.network.sync.penalties import Penalise
from inos.primitives.blocks import compute_tx_root
from inos.primitives.clock import Clock
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import compute_tx_id

CHECKS: Final = 64
"""Blocks checked at a time; the verifier makes batches of them."""


class BlockChecker:
    """Takes blocks that came from the window, and marks them there. `on_checked` is called after each."""

    def __init__(
        self,
        node: NodePort,
        window: Window[Peer],
        verifier: SealVerifier,
        clock: Clock,
        penalise: Penalise,
        on_checked: Callable[[], None],
    ) -> None:
        self._node = node
        self._window = window
        self._verifier = verifier
        self._clock = clock
        self._penalise = penalise
        self._on_checked = on_checked
        self._free = asyncio.Semaphore(CHECKS)
        self._has_bodies = asyncio.Event()

    def wake(self) -> None:
        """A block came."""
        self._has_bodies.set()

    async def run(self) -> None:
        """Check what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._free.acquire()
                taken = self._window.take_unchecked()
                while taken is None:
                    self._has_bodies.clear()
                    await self._has_bodies.wait()
                    taken = self._window.take_unchecked()
                group.create_task(self._check(*taken))

    async def _check(self, body: Body, source: Peer) -> None:
        try:
            sealed_at = await self._check_seal(body)
            is_suspect = not await self._are_transactions_valid(body)
            self._window.set_checked(body.id, sealed_at, self._clock.monotonic(), is_suspect=is_suspect)
        except Misbehaviour as fault:
            self._window.reject(source, body.id, self._clock.monotonic())
            await self._penalise(source, fault)
        finally:
            self._free.release()
            self._on_checked()

    async def _check_seal(self, body: Body) -> float:
        """What the block id does not cover is checked here, so that a peer that spoils body or witness
        of a good block is at fault, and never the block. Returns when it was done.
        """
        block, header = body.block, body.block.header
        if compute_tx_root(block.transactions, block.aggregate) != header.tx_root:
            raise Misbehaviour("bad-tx-root", f"transactions that are not those of block {header.height}")
        try:
            await self._verifier.check(self._node.params, header, body.witness)
        except RuleViolation as error:
            raise Misbehaviour(error.code, f"the witness of block {header.height}: {error.message}") from error
        return self._clock.monotonic()

    async def _are_transactions_valid(self, body: Body) -> bool:
        """What is in the pool has been checked before. An invalid one is the block's own fault; the node says which."""
        pool = self._node.mempool
        unknown = [tx for tx in body.block.transactions if not pool.has(compute_tx_id(tx))]
        if not unknown:
            return True
        try:
            await self._verifier.check_transactions(self._node.params, unknown)
        except RuleViolation:
            return False
        return True
