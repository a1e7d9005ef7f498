"""Looks after the matrix store of a running node: what is needed, what the disk spoils, what is to be fetched again."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import structlog

from inos.chain.events import TipChanged, TransactionAdded
from inos.core.events import Hub
from inos.core.matrices.needs import Needs
from inos.core.matrices.service import Depot
from inos.core.threads import Threads
from inos.mesh.store import MatrixStore
from inos.primitives.errors import InosError
from inos.primitives.units import MatrixId

log: Final = structlog.get_logger("node")
T = TypeVar("T")

NEEDS_S: Final = 5.0
"""At the latest after so long the needs are looked at again, whatever the events say."""
LOOK_S: Final = 0.2
"""At most once in so long, however many transactions come."""
MEND_S: Final = 1.0
SAVE_S: Final = 60.0
STEPS: Final = 16
"""Runs scrubbed in one turn, at most."""


class Steward:
    """Runs until cancelled.

    Args:
        list_needs: see inos.core.matrices.needs.
        scrub_rate: bytes a second the scrubber reads; 0 for none.
    """

    def __init__(
        self,
        store: MatrixStore,
        depot: Depot,
        hub: Hub,
        threads: Threads,
        list_needs: Callable[[], Needs],
        scrub_rate: int,
    ) -> None:
        self._store = store
        self._depot = depot
        self._hub = hub
        self._threads = threads
        self._list_needs = list_needs
        self._scrub_rate = scrub_rate

    async def run(self) -> None:
        """Look after it, until cancelled; what is needed is known before anything else is done."""
        await self._try("looking at what is needed", self._look)
        async with asyncio.TaskGroup() as group:
            for work in (self._follow(), self._mend(), self._scrub(), self._save()):
                group.create_task(work)

    async def _look(self) -> None:
        needs = await self._threads.check(self._list_needs)
        self._store.set_needed(needs.now, needs.late)

    async def _follow(self) -> None:
        async with self._hub.subscribe() as events:
            while True:
                try:
                    async with asyncio.timeout(NEEDS_S):
                        while not isinstance(await anext(events), TipChanged | TransactionAdded):
                            pass
                except TimeoutError:
                    pass
                await self._try("looking at what is needed", self._look)
                await asyncio.sleep(LOOK_S)

    async def _mend(self) -> None:
        """Take up files found damaged: what is right of them is kept, and the rest asked of other nodes."""
        told: set[MatrixId] = set()
        while True:
            missing = self._store.list_missing()
            told &= {id for id, _ in missing}
            for id, info in missing:
                if info is not None and id not in told:
                    log.warning("matrix damaged or cut off; what is missing is fetched again", id=id.hex())
                    told.add(id)
                    await self._try("mending a matrix", partial(self._depot.begin, info))
            self._depot.ask([id for id, _ in missing if not self._store.has(id)])
            await asyncio.sleep(MEND_S)

    async def _scrub(self) -> None:
        while self._scrub_rate:
            read = await self._try("reading matrices back", partial(self._threads.check, self._scrub_some))
            await asyncio.sleep(read / self._scrub_rate if read else MEND_S)

    def _scrub_some(self) -> int:
        """Bytes read: up to what may be read in a second."""
        total = 0
        for _ in range(STEPS):
            read = self._store.scrubber.step()
            total += read
            if not read or total >= self._scrub_rate:
                break
        return total

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            await self._try("dropping what came in part", partial(self._threads.keep, self._store.drop_stale))
            await self._try("saving what the matrix store remembers", partial(self._threads.keep, self._store.save))

    async def _try(self, what: str, call: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await call()
        except InosError as error:
            log.warning(f"{what} failed", code=error.code, error=error.message)
            return None
