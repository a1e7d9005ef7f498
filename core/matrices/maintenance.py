"""Maintenance of the matrix store computes what is needed, finds damage, and fetches what is missing."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import structlog

from inos.chain.events import TipChanged, TransactionAdded
from inos.core.events import EventBus
from inos.core.matrices.needs import Needs
from inos.core.matrices.service import MatrixService
from inos.core.threads import Threads
from inos.primitives.errors import InosError
from inos.primitives.units import MatrixId

log: Final = structlog.get_logger("node")
T = TypeVar("T")

NEEDS_S: Final = 5.0
"""The needs are computed again after this long at the latest, even if no event arrives."""
LOOK_S: Final = 0.2
"""They are computed at most once in this time, however many transactions arrive."""
REPAIR_S: Final = 1.0
REPEAT_S: Final = 3.0
"""Matrices that are still missing are asked for again this often."""
SAVE_S: Final = 60.0
STEPS: Final = 16
"""This many runs are scrubbed in one turn, at most."""


class MatrixMaintenance:
    """Runs until cancelled.

    Args:
        list_needs: see inos.core.matrices.needs.
        scrub_rate: the scrubber reads this many bytes a second; 0 turns it off.
    """

    def __init__(
        self,
        matrices: MatrixService,
        events: EventBus,
        threads: Threads,
        list_needs: Callable[[], Needs],
        scrub_rate: int,
    ) -> None:
        self._matrices = matrices
        self._store = matrices.store
        self._events = events
        self._threads = threads
        self._list_needs = list_needs
        self._scrub_rate = scrub_rate

    async def run(self) -> None:
        """Maintain the store, until cancelled. What is needed is known before anything else is done."""
        await self._try("computing needed matrices", self._update_needs)
        async with asyncio.TaskGroup() as group:
            for work in (self._follow(), self._repair(), self._repeat_requests(), self._scrub(), self._save()):
                group.create_task(work)

    async def _update_needs(self) -> None:
        needs = await self._threads.check(self._list_needs)
        self._store.retention.set_needed(needs.now, needs.late)

    async def _follow(self) -> None:
        async with self._events.subscribe() as events:
            while True:
                await events.wait_for(TipChanged, TransactionAdded, limit_s=NEEDS_S)
                await self._try("computing needed matrices", self._update_needs)
                await asyncio.sleep(LOOK_S)

    async def _repair(self) -> None:
        """Keep what is right of damaged or unfinished files, and ask other nodes for the rest."""
        begun: set[MatrixId] = set()
        while True:
            missing = self._store.list_missing()
            begun &= {id for id, _ in missing}
            for id, info in missing:
                if info is not None and id not in begun:
                    if self._store.is_damaged(id):
                        log.warning("matrix damaged or truncated; fetching the missing parts again", id=id.hex())
                    begun.add(id)
                    await self._try("repairing a matrix", partial(self._matrices.begin, info))
            self._matrices.ask([id for id, _ in missing if not self._store.has(id)])
            await asyncio.sleep(REPAIR_S)

    async def _repeat_requests(self) -> None:
        while True:
            await asyncio.sleep(REPEAT_S)
            self._matrices.repeat_requests()

    async def _scrub(self) -> None:
        while self._scrub_rate:
            read = await self._try("scrubbing matrices", partial(self._threads.check, self._scrub_some))
            await asyncio.sleep(read / self._scrub_rate if read else REPAIR_S)

    def _scrub_some(self) -> int:
        """Check up to what may be read in a second, and return the bytes read."""
        total = 0
        for _ in range(STEPS):
            read = self._store.scrubber.step()
            total += read
            if not read or total >= self._scrub_rate:
                break
        return total

    async def _save(self) -> None:
        retention, store = self._store.retention, self._threads.store
        while True:
            await asyncio.sleep(SAVE_S)
            await self._try("dropping incomplete matrices", partial(store, retention.drop_stale))
            await self._try("dropping unfinished uploads", partial(store, self._matrices.uploads.expire))
            await self._try("saving pins and demand", partial(store, retention.save))

    async def _try(self, what: str, call: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await call()
        except InosError as error:
            log.warning("matrix maintenance failed", what=what, code=error.code, error=error.message)
            return None
