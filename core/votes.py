"""Votes from the network and from this node's own voter: checked off the loop, taken in the writer's turn."""

import asyncio
from functools import partial
from typing import Final

import structlog

from inos.chain.events import TipChanged, VoteAdded
from inos.chain.ledger import Ledger
from inos.chain.votepool import Evidence, Taken, VotePool
from inos.core.events import Hub
from inos.core.threads import Threads
from inos.primitives.errors import InosError
from inos.primitives.votes import Link, Vote

log: Final = structlog.get_logger("finality")

CHECKS_AT_ONCE: Final = 2


class VoteRoom:
    """Satisfies `inos.network.ports.VotesPort`."""

    def __init__(self, pool: VotePool, ledger: Ledger, threads: Threads, hub: Hub) -> None:
        self._pool = pool
        self._ledger = ledger
        self._threads = threads
        self._hub = hub
        self._checking: set[Vote] = set()
        self._turn = asyncio.Semaphore(CHECKS_AT_ONCE)

    @property
    def pool(self) -> VotePool:
        """To read from."""
        return self._pool

    def has(self, vote: Vote) -> bool:
        """Whether it is here, or being checked."""
        return vote in self._checking or self._pool.has(vote)

    async def add(self, vote: Vote) -> Taken:
        """Check a vote, take it, and tell listeners where it is new.

        Raises:
            RuleViolation: nobody signed it. NotYet "vote-out-of-time".
        """
        if self.has(vote):
            return Taken.KNOWN
        self._checking.add(vote)
        try:
            async with self._turn:
                tip, state = self._ledger.tip, self._ledger.state
                found = await self._threads.check(partial(self._pool.check, vote, state, tip.header.height))
            taken = await self._threads.write(partial(self._pool.add, vote, found))
        finally:
            self._checking.discard(vote)
        if taken is Taken.CAUGHT:
            log.warning("a voter signed what nobody may sign both", key=vote.key.hex(), epoch=vote.link.target.epoch)
        if taken in (Taken.NEW, Taken.CAUGHT):
            self._hub.publish(VoteAdded(vote))
        return taken

    async def list_votes(self, first_epoch: int, limit: int) -> list[Vote]:
        """See VotePool.list_votes."""
        return await self._threads.write(partial(self._pool.list_votes, first_epoch, limit))

    def count_votes(self, link: Link) -> int:
        """Votes for a link that are here."""
        return self._pool.count_votes(link)

    def get_caught(self) -> tuple[bytes, ...]:
        """Keys there is evidence against."""
        return tuple(each.first.key for each in self._pool.get_evidence())

    def get_evidence(self) -> tuple[Evidence, ...]:
        """Against whoever was caught."""
        return self._pool.get_evidence()

    async def run(self) -> None:
        """Look again at what waited whenever the tip moves, until cancelled."""
        async with self._hub.subscribe() as events:
            async for event in events:
                if isinstance(event, TipChanged) and self._pool.waiting:
                    for vote in await self._threads.write(partial(self._pool.take_waiting, self._ledger.state)):
                        await self._try(vote)

    async def _try(self, vote: Vote) -> None:
        """A vote that waited; who told it is not there to be blamed any more."""
        try:
            await self.add(vote)
        except InosError as error:
            log.debug("vote that waited refused", code=error.code, epoch=vote.link.target.epoch)
