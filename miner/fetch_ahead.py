"""Fetches what the next jobs work on while the miner is busy, so that they begin without a fetch.

First come the jobs that this miner would take next, with their inputs; then the weights and modules of the
specifications that many recent jobs name, since more such jobs will come. These must fit without evicting anything.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from inos.consensus.records import Job, JobState, TaskWork
from inos.core.matrices.named import Named
from inos.miner.fetching import fetch_file
from inos.miner.holdings import Holdings
from inos.miner.policy import Capacity, Offer, iterate_worthwhile
from inos.miner.ports import NodePort
from inos.miner.settings import MinerSettings
from inos.primitives.errors import InosError
from inos.primitives.units import Address, Height, JobId, MatrixId

log: Final = structlog.get_logger("miner")

MAX_OFFERS: Final = 1024
"""So many open jobs are looked at."""
NEXT_JOBS: Final = 4
"""The parts of this many of the best open jobs are fetched ahead."""
RECENT_JOBS: Final = 256
"""Demand is counted over this many of the newest jobs."""
MIN_DEMAND: Final = 2
"""A specification is in demand if at least this many of them name it."""
WINDOW_BLOCKS: Final = 64
"""Nothing is fetched ahead twice in this many blocks: if the store has no room for it, fetching would never end."""
MAX_TRIED: Final = 4096


class Tried(Struct, frozen=True):
    """Remembers what was fetched ahead, or could not be."""

    until: Height
    size: int


class FetchAhead:
    """Chooses what to fetch ahead for the account `me`, and fetches one part at a time."""

    def __init__(self, node: NodePort, settings: MinerSettings, me: Address, holdings: Holdings) -> None:
        self._node = node
        self._settings = settings
        self._me = me
        self._holdings = holdings
        self._tried: dict[MatrixId, Tried] = {}

    async def step(self, capacity: Capacity, avoid: Collection[JobId]) -> bool:
        """Fetch one part, and return False if there is nothing to fetch.

        Args:
            avoid: these jobs are not taken, or were taken already.
        """
        reader, params = self._node.ledger.reader, self._node.params
        self._holdings.named.begin_look()
        listed = reader.list_jobs(state=JobState.OPEN, limit=MAX_OFFERS)
        offers = [Offer(id, job, self._holdings.look(job)) for id, job in listed]
        # A miner that holds as many jobs as it may will take others when it has delivered these.
        next_one = replace(capacity, claims_left=1)
        best = iterate_worthwhile(params, self._settings, self._me, offers, next_one, avoid)
        recent = [job for _, job in reader.list_jobs(limit=RECENT_JOBS, newest_first=True)]
        part = self.choose((offer.job for offer in best), recent, capacity.height)
        if part is not None:
            await self._fetch(part, capacity.height)
        return part is not None

    def choose(self, best: Iterable[Job], recent: Sequence[Job], height: Height) -> Named | None:
        """Return what to fetch next, or None.

        Args:
            best: open jobs that this miner would take, the best first.
            recent: the newest jobs in any state.
        """
        self._tried = {id: each for id, each in self._tried.items() if each.until > height}
        left = self._settings.fetch_ahead_bytes - sum(each.size for each in self._tried.values())
        found = self._choose_part(map(self._holdings.list_missing, islice(best, NEXT_JOBS)), left)
        if found is None:
            room = min(left, self._node.matrices.store.retention.count_free_room())
            found = self._choose_part(map(self._holdings.list_missing_bulk, rank_by_demand(recent)), room)
        return found

    def _choose_part(self, wanted: Iterable[list[Named]], room: int) -> Named | None:
        """Return the first part of the first whose parts may be fetched and fit into the room."""
        for missing in wanted:
            left = [each for each in missing if each.id not in self._tried]
            if left and sum(each.most for each in left) <= room:
                return left[0]
        return None

    async def _fetch(self, part: Named, height: Height) -> None:
        """Fetch one part; failing costs nothing but the time."""
        size = 0
        try:
            found = await fetch_file(self._node.matrices, self._settings.fetch_timeout_s, part.id, part.most)
            size = found.nbytes
        except InosError as error:
            log.info("not fetched ahead", matrix=part.id.hex(), code=error.code, error=error.message)
        self.note(part, size, height)

    def note(self, part: Named, size: int, height: Height) -> None:
        """Remember that a part was fetched with so many bytes; 0 if it could not be had."""
        if len(self._tried) < MAX_TRIED:
            self._tried[part.id] = Tried(Height(height + WINDOW_BLOCKS), size)


def rank_by_demand(recent: Iterable[Job]) -> list[TaskWork]:
    """Return one task of each specification in demand, the most wanted first; equal ones in the order of their ids."""
    tasks = {job.work.spec: job.work for job in recent if isinstance(job.work, TaskWork)}
    counts = Counter(job.work.spec for job in recent if isinstance(job.work, TaskWork))
    wanted = sorted((-count, spec) for spec, count in counts.items() if count >= MIN_DEMAND)
    return [tasks[spec] for _, spec in wanted]
