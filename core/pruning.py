"""Keeps a node's database small: old blocks go as the last final block moves on. See inos.chain.pruning."""

import asyncio
from functools import partial
from typing import Final

import structlog

from inos.chain.events import TipChanged
from inos.chain.ledger import Ledger
from inos.chain.pruning import PREFIXES
from inos.core.events import EventBus
from inos.core.threads import Threads

log: Final = structlog.get_logger("node")

AT_ONCE: Final = 128
"""Blocks in one turn of the writer, some 50 ms."""
PAUSE_S: Final = 0.05
"""The writer does other work between two turns."""
LOOK_S: Final = 60.0
COMPACTED: Final = 4096
"""After this many blocks the ranges of keys that they were in are compacted, in small parts."""


class PruneService:
    """Removes blocks more than `keep` below the last final one."""

    def __init__(self, ledger: Ledger, events: EventBus, threads: Threads, keep: int) -> None:
        self._ledger = ledger
        self._events = events
        self._threads = threads
        self._keep = keep
        self._removed = 0

    async def run(self) -> None:
        """Remove what is old enough whenever the chain has moved, until cancelled."""
        async with self._events.subscribe() as events:
            while True:
                removed = await self._threads.write(partial(self._ledger.prune, self._keep, AT_ONCE))
                self._removed += removed
                if removed == AT_ONCE:
                    await asyncio.sleep(PAUSE_S)
                    continue
                if self._removed >= COMPACTED:
                    await self._compact()
                await events.wait_for(TipChanged, limit_s=LOOK_S)

    async def _compact(self) -> None:
        log.info("old blocks removed", blocks=self._removed, first_block=self._ledger.view.first_block)
        self._removed = 0
        for prefix in PREFIXES:
            for byte in range(256):
                await self._threads.check(partial(self._ledger.view.database.compact_part, prefix + bytes([byte])))
