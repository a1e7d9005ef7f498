"""Checks downloaded blocks concurrently and in any order, as far as that is possible without their parents' state."""

import asyncio
from collections.abc import Callable
from typing import Final

from inos.chain.checked import CheckedBlock
from inos.consensus.validity import BodyMismatch
from inos.core.verification.blocks import CheckedSeal
from inos.network.errors import Misbehaviour
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.sync.blocks.window import Body, Window
from inos.network.sync.penalties import Penalise
from inos.primitives.clock import Clock
from inos.primitives.errors import RuleViolation

CHECKS: Final = 64
"""This many blocks are checked at a time; the backend makes batches of them."""


class BlockChecker:
    """Takes downloaded blocks from the window and marks them there. `on_checked` is called after each."""

    def __init__(
        self,
        node: NodePort,
        window: Window[Peer],
        clock: Clock,
        penalise: Penalise,
        on_checked: Callable[[], None],
    ) -> None:
        self._node = node
        self._window = window
        self._clock = clock
        self._penalise = penalise
        self._on_checked = on_checked
        self._free = asyncio.Semaphore(CHECKS)
        self._has_bodies = asyncio.Event()

    def wake(self) -> None:
        """Note that a block has arrived."""
        self._has_bodies.set()

    async def run(self) -> None:
        """Check the blocks that arrive, until cancelled."""
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
            checked = await self._node.verifier.check_whole(body.block, body.witness)
            sealed_at = 0.0  # The whole wait counts as one for signatures, which take almost all of it.
            if checked is None:
                seal = await self._check_seal(body)
                sealed_at = self._clock.monotonic()
                checked = await self._check_body(seal, body)
            elif not body.block.transactions:
                sealed_at = self._clock.monotonic()
            self._window.set_checked(body.id, sealed_at, self._clock.monotonic(), checked)
        except Misbehaviour as fault:
            self._window.reject(source, body.id, self._clock.monotonic())
            await self._penalise(source, fault)
        finally:
            self._free.release()
            self._on_checked()

    async def _check_seal(self, body: Body) -> CheckedSeal:
        """Check what the block id does not cover, so that a peer that spoils the witness of a good block is at fault,
        and not the block."""
        try:
            return await self._node.verifier.check_seal(body.block.header, body.witness)
        except RuleViolation as error:
            height = body.block.header.height
            raise Misbehaviour(error.code, f"the witness of block {height}: {error.message}") from error

    async def _check_body(self, seal: CheckedSeal, body: Body) -> CheckedBlock | None:
        """Return the checked block, or None for an invalid transaction, which is the block's own fault and is found
        again by the node."""
        try:
            return await self._node.verifier.check_body(seal, body.block)
        except BodyMismatch as error:
            height = body.block.header.height
            raise Misbehaviour(error.code, f"the transactions are not those of block {height}") from error
        except RuleViolation:
            return None
