"""One iterative lookup: it asks the nearest known nodes for nearer ones until the nearest k have all answered.

Only a node that answered counts: the asking node reached it and it proved its id. Naming nodes costs nothing, so dead
names are held against the node that gave them. The other names of such a node are asked last, and from a node with too
many dead names they are ignored (S/Kademlia by Baumgart and Mies, 2007, uses disjoint paths for the same purpose). Few
nodes of one network group are among the nearest.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Final

from msgspec import Struct

from inos.network.discovery.routing.metric import compute_distance
from inos.network.discovery.routing.settings import ALPHA, GROUP_IN_SHORTLIST, MAX_IN_FLIGHT, K, RoutingSettings
from inos.network.discovery.routing.table import GroupOf
from inos.network.identity import PeerAddress
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError
from inos.primitives.units import NodeId

MAX_CANDIDATES: Final = 1024
DEAD_NAMES: Final = 4
"""The further names of a node are ignored once it gave this many dead names, and more dead than living ones."""

Ask = Callable[[PeerAddress], Awaitable[Iterable[PeerAddress]]]
"""Returns the contacts that a node names; raises LinkError, RequestFailed or Misbehaviour if it names none."""
OnFailure = Callable[[PeerAddress, frozenset[NodeId], Exception], Awaitable[None]]
"""The function is called with the node that did not answer, the nodes that named it, and the error: an InosError or
TimeoutError."""


class LookupResult(Struct, frozen=True):
    """A lookup returns this result."""

    closest: tuple[PeerAddress, ...]
    """At most K nodes answered and are the nearest, nearest first, with few of one group."""
    asked: int
    failed: int
    hops: int
    """The longest path from a node known at the start to one of `closest` has this many steps."""


class _Candidate:
    """Another node has named this node, or it was known from the start."""

    def __init__(self, address: PeerAddress, distance: int, hop: int) -> None:
        self.address = address
        self.distance = distance
        self.hop = hop
        self.named_by: set[NodeId] = set()
        """These nodes named it; the set is empty if it was known from the start."""
        self.state = "new"
        """The state is "new", "asked", "answered" or "failed"."""


class Lookup:
    """Searches once for the nodes nearest to `target`; call `run` once.

    Args:
        start: the nodes that this node knows itself.
        is_enough: called after each answer; the lookup ends when it returns True.
    """

    def __init__(
        self,
        target: bytes,
        own_id: NodeId,
        start: Iterable[PeerAddress],
        ask: Ask,
        settings: RoutingSettings,
        compute_group: GroupOf,
        clock: Clock,
        *,
        on_failure: OnFailure,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._target = target
        self._own_id = own_id
        self._ask = ask
        self._settings = settings
        self._compute_group = compute_group
        self._clock = clock
        self._on_failure = on_failure
        self._is_enough = is_enough
        self._candidates: dict[PeerAddress, _Candidate] = {}
        self._living: set[NodeId] = set()
        self._dead_names: Counter[NodeId] = Counter()
        self._living_names: Counter[NodeId] = Counter()
        self._open_names: Counter[NodeId] = Counter()
        """For each node this many of the names that it gave are being asked now."""
        self._in_flight: dict[asyncio.Task[None], float] = {}
        for address in start:
            self._add(address, None)

    async def run(self) -> LookupResult:
        """Ask nodes until no nearer one is known or the time is over; return what was found by then."""
        try:
            async with asyncio.timeout(self._settings.lookup), asyncio.TaskGroup() as group:
                await self._work(group)
                for task in self._in_flight:
                    task.cancel()
        except TimeoutError:
            pass  # The result then holds what was found by now.
        return self._make_outcome()

    async def _work(self, group: asyncio.TaskGroup) -> None:
        while not self._is_enough():
            while self._has_room() and (candidate := self._pick()) is not None:
                candidate.state = "asked"
                task = group.create_task(self._query(candidate))
                self._in_flight[task] = self._clock.monotonic()
            if not self._in_flight:
                return
            wait_s = self._compute_wait()
            done, _ = await asyncio.wait(self._in_flight, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del self._in_flight[task]

    def _has_room(self) -> bool:
        prompt = sum(not self._is_slow(started) for started in self._in_flight.values())
        return prompt < ALPHA and len(self._in_flight) < MAX_IN_FLIGHT

    def _is_slow(self, started: float) -> bool:
        return self._clock.monotonic() - started >= self._settings.slow

    def _compute_wait(self) -> float | None:
        """Return the seconds until a request becomes slow, so that another one may be sent beside it."""
        now = self._clock.monotonic()
        waits = [started + self._settings.slow - now for started in self._in_flight.values()]
        return min((wait for wait in waits if wait > 0), default=None)

    async def _query(self, candidate: _Candidate) -> None:
        address, named_by = candidate.address, frozenset(candidate.named_by)
        self._open_names.update(named_by)
        try:
            async with asyncio.timeout(self._settings.query):
                named = tuple(await self._ask(address))
        except (InosError, TimeoutError) as error:
            candidate.state = "failed"
            self._dead_names.update(candidate.named_by)
            await self._on_failure(address, frozenset(candidate.named_by), error)
            return
        finally:
            self._open_names.subtract(named_by)
        candidate.state = "answered"
        self._living.add(address.id)
        self._living_names.update(candidate.named_by)
        for each in named[:K]:
            self._add(each, candidate)

    def _add(self, address: PeerAddress, by: _Candidate | None) -> None:
        if address.id == self._own_id:
            return
        candidate = self._candidates.get(address)
        if candidate is None:
            if len(self._candidates) >= MAX_CANDIDATES:
                return
            distance = compute_distance(address.id, self._target)
            candidate = _Candidate(address, distance, 0 if by is None else by.hop + 1)
            self._candidates[address] = candidate
            if by is not None:
                candidate.named_by.add(by.address.id)
        elif by is not None and candidate.named_by:
            candidate.named_by.add(by.address.id)

    def _pick(self) -> _Candidate | None:
        """Return the next node to ask: of the K nearest that may still count, the one that the most truthful nodes
        named."""
        living = [each for each in self._candidates.values() if each.state != "failed" and self._is_believed(each)]
        new = [each for each in self._list_closest(living) if each.state == "new"]
        return min(new, key=self._compute_rank, default=None)

    def _compute_rank(self, candidate: _Candidate) -> tuple[int, int]:
        doubt = min((self._dead_names[id] + self._open_names[id] for id in candidate.named_by), default=0)
        return doubt, candidate.distance

    def _is_believed(self, candidate: _Candidate) -> bool:
        """Return False if only nodes named it of whose names too many are dead or not answered yet."""
        if candidate.state != "new" or not candidate.named_by:
            return True
        for id in candidate.named_by:
            doubt = self._dead_names[id] + self._open_names[id]
            if doubt < DEAD_NAMES or doubt <= self._living_names[id]:
                return True
        return False

    def _list_closest(self, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        """Return the K nearest of `candidates`, few of one group. A node may appear under several addresses."""
        ids: set[NodeId] = set()
        groups: Counter[Hashable] = Counter()
        closest = []
        for each in sorted(candidates, key=lambda candidate: candidate.distance):
            id = each.address.id
            if id in self._living and each.state != "answered":
                continue
            if id not in ids:
                group = self._compute_group(each.address)
                if groups[group] >= GROUP_IN_SHORTLIST:
                    continue
                if len(ids) >= K:
                    break
                groups[group] += 1
                ids.add(id)
            closest.append(each)
        return closest

    def _make_outcome(self) -> LookupResult:
        states = Counter(each.state for each in self._candidates.values())
        closest = self._list_closest(each for each in self._candidates.values() if each.state == "answered")
        return LookupResult(
            closest=tuple(each.address for each in closest),
            asked=states["answered"] + states["failed"] + states["asked"],
            failed=states["failed"],
            hops=max((each.hop for each in closest), default=0),
        )
