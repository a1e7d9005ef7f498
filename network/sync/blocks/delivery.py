"""Delivers checked blocks to the node in batches: blocks that connect together are written together."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from inos.network.errors import Misbehaviour
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.sync.blocks.window import Ready, Window
from inos.network.sync.monitor import SyncMonitor
from inos.network.sync.penalties import Penalise
from inos.network.sync.progress import Bottleneck
from inos.primitives.clock import Clock
from inos.primitives.errors import ClockAhead, InosError, NotYet, RuleViolation, VerdictMissing

log = structlog.get_logger("inos.network")

RUN: Final = 64
"""One batch has this many blocks; at about 40 KB each it has a few megabytes, and takes a fraction of a second."""
RETRY_S: Final = 2.0


class BlockDelivery:
    """Delivers one batch at a time, in order. `on_done` is called with the number of blocks connected or stored."""

    def __init__(
        self,
        node: NodePort,
        window: Window[Peer],
        clock: Clock,
        penalise: Penalise,
        monitor: SyncMonitor,
        on_done: Callable[[int], None],
    ) -> None:
        self._node = node
        self._window = window
        self._clock = clock
        self._penalise = penalise
        self._monitor = monitor
        self._on_done = on_done
        self._has_blocks = asyncio.Event()

    def wake(self) -> None:
        """Note that a block may be ready."""
        self._has_blocks.set()

    async def run(self) -> None:
        """Deliver what is ready, until cancelled."""
        since = self._clock.monotonic()
        while True:
            run = self._window.pop_ready(RUN)
            if not run:
                self._has_blocks.clear()
                await self._has_blocks.wait()
                continue
            self._note_wait(run[0], since)
            done = await self._add(run)
            since = self._clock.monotonic()
            self._on_done(done)

    def _note_wait(self, first: Ready[Peer], since: float) -> None:
        """Record what the first block of a batch has waited for since the last batch was done."""
        for what, at in (
            (Bottleneck.NETWORK, first.came_at),
            (Bottleneck.SEALS, first.sealed_at),
            (Bottleneck.SIGNATURES, first.checked_at),
        ):
            self._monitor.add_wait(what, at - since)
            since = max(since, at)

    async def _add(self, run: Sequence[Ready[Peer]]) -> int:
        """Deliver a batch; return how many blocks were connected or stored."""
        errors: Sequence[InosError | None]
        try:
            errors = await self._give(run)
        except InosError as trouble:
            errors = [trouble] * len(run)
        done, has_failed = 0, False
        for ready, error in zip(run, errors, strict=True):
            # Blocks after an invalid one are invalid too, and the peer that gave them may not have known.
            done += await self._settle(ready, error, is_to_blame=not has_failed)
            has_failed = has_failed or isinstance(error, RuleViolation)
        return done

    async def _give(self, run: Sequence[Ready[Peer]]) -> Sequence[InosError | None]:
        checked = [ready.checked for ready in run if ready.checked is not None]
        if not checked:
            await self._node.blocks.add(run[0].body.block, run[0].body.witness)
            return (None,)
        added = await self._node.blocks.add_checked(checked)
        self._monitor.add_wait(Bottleneck.STATE, added.state_s)
        self._monitor.add_wait(Bottleneck.DISK, added.disk_s)
        return added.errors

    async def _settle(self, ready: Ready[Peer], error: InosError | None, *, is_to_blame: bool) -> bool:
        """Process the result of one block; return True if the block is in the database now."""
        id, block, now = ready.body.id, ready.body.block, self._clock.monotonic()
        height = block.header.height
        match error:
            case None:
                self._window.remove(id)
                self._monitor.add_connected(len(block.transactions))
                ready.source.credit_block()
            case RuleViolation():
                self._window.postpone(id, now + RETRY_S)
                if is_to_blame:
                    await self._penalise(ready.source, Misbehaviour(error.code, f"block {height}: {error.message}"))
                return False
            case VerdictMissing():
                # The node has stored and held the block, and reports the matrices that it wants.
                self._window.remove(id)
                self._monitor.blocked_by = f"block {height} waits for {len(error.ids)} matrices that no peer gave"
            case ClockAhead():
                self._monitor.blocked_by = f"block {height} is ahead of this node's clock"
                self._window.postpone(id, now + (error.until - self._clock.now_ms()) / 1000)
                return False
            case NotYet():
                log.debug("block cannot be added yet", height=height, code=error.code)
                self._window.postpone(id, now + RETRY_S)
                return False
            case _:
                log.warning("block not added", height=height, code=error.code, reason=error.message)
                self._monitor.blocked_by = f"this node cannot take block {height}: {error.message}"
                self._window.postpone(id, now + RETRY_S)
                return False
        return True
