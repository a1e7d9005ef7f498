"""The vote service checks votes on checkpoints in threads and keeps them in the pool. They come from the network and
from this node's own voter."""

import asyncio
from functools import partial
from typing import Final

import structlog

from inos.chain.events import TipChanged, VoteAdded
from inos.chain.view import LedgerView
from inos.chain.votepool import Taken, VotePool
from inos.core.events import EventBus
from inos.core.threads import Threads
from inos.primitives.errors import InosError
from inos.primitives.votes import Vote

log: Final = structlog.get_logger("finality")

CHECKS_AT_ONCE: Final = 2


class VoteService:
    """Satisfies `inos.network.ports.VotesPort`. Callers read `pool` directly."""

    def __init__(self, pool: VotePool, ledger: LedgerView, events: EventBus, threads: Threads) -> None:
        self.pool = pool
        self._ledger = ledger
        self._events = events
        self._threads = threads
        self._checking: set[Vote] = set()
        self._turn = asyncio.Semaphore(CHECKS_AT_ONCE)

    def has(self, vote: Vote) -> bool:
        """Return True if the vote is here, or being checked."""
        return vote in self._checking or self.pool.has(vote)

    async def add(self, vote: Vote) -> Taken:
        """Check a vote, take it, and tell subscribers if it is new.

        Raises:
            RuleViolation: its signature is not that of the voter. NotYet "vote-out-of-time".
        """
        if self.has(vote):
            return Taken.KNOWN
        self._checking.add(vote)
        try:
            async with self._turn:
                tip, state = self._ledger.tip, self._ledger.state
                found = await self._threads.check(partial(self.pool.check, vote, state, tip.header.height))
            return await self._threads.complete(self._take(vote, found))
        finally:
            self._checking.discard(vote)

    async def _take(self, vote: Vote, found: Taken) -> Taken:
        """Take a checked vote, and tell subscribers if it is new."""
        taken = await self._threads.write(partial(self.pool.add, vote, found))
        if taken is Taken.CAUGHT:
            log.warning("a voter signed two conflicting votes", key=vote.key.hex(), epoch=vote.link.target.epoch)
        if taken in (Taken.NEW, Taken.CAUGHT):
            self._events.publish(VoteAdded(vote))
        return taken

    async def list_votes(self, first_epoch: int, limit: int) -> list[Vote]:
        """Return votes: see VotePool.list_votes."""
        return await self._threads.write(partial(self.pool.list_votes, first_epoch, limit))

    async def run(self) -> None:
        """Check again what waited for its voter whenever the tip moves, until cancelled."""
        async with self._events.subscribe() as events:
            async for event in events:
                if isinstance(event, TipChanged) and self.pool.waiting:
                    for vote in await self._threads.write(partial(self.pool.take_waiting, self._ledger.state)):
                        await self._retry(vote)

    async def _retry(self, vote: Vote) -> None:
        try:
            await self.add(vote)
        except InosError as error:  # the peer that sent it waits for no answer any more
            log.debug("waiting vote refused", code=error.code, epoch=vote.link.target.epoch)
