"""This node announces the matrices that it holds: new ones soon, all again in time, to new neighbours at once."""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from inos.network.discovery.routing.lookup import LookupResult
from inos.network.discovery.routing.metric import compute_distance
from inos.network.discovery.routing.settings import ALPHA, K, RoutingSettings
from inos.network.discovery.routing.table import RoutingTable
from inos.network.identity import PeerAddress
from inos.network.wire.kademlia import MAX_PROVIDED
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.units import MatrixId, NodeId

log = structlog.get_logger("inos.network")

RETRY_FIRST_S: Final = 5.0
RETRY_MOST_S: Final = 300.0
"""If no node took a record, the wait before the next attempt doubles from the first value to this one."""
MAX_NEIGHBOURS: Final = 64
"""At most this many new neighbours wait to be told."""
NEIGHBOUR_IDS: Final = 256
"""A new neighbour is told of at most this many matrices; it hears of the others in their turn."""
NEIGHBOUR_AGAIN_S: Final = 60.0

ProvideTo = Callable[[PeerAddress, Sequence[MatrixId]], Awaitable[int]]
FindNearest = Callable[[bytes], Awaitable[LookupResult]]


class MatrixList(Protocol):
    """Lists the matrices that this node has."""

    def has(self, id: MatrixId, /) -> bool: ...

    def list_ids(self) -> Sequence[MatrixId]: ...


class ProviderAnnouncements:
    """Schedules and sends the announcements.

    Args:
        provide_to: tells one node of at most MAX_PROVIDED matrices, returns for how many of them the node keeps a
            record, and never raises.
        find_nodes: finds the nodes nearest to an id.
    """

    def __init__(
        self,
        held: MatrixList,
        settings: RoutingSettings,
        table: RoutingTable,
        provide_to: ProvideTo,
        find_nodes: FindNearest,
        clock: Clock,
        rng: Randomness,
    ) -> None:
        self._held = held
        self._settings = settings
        self._table = table
        self._provide_to = provide_to
        self._find_nodes = find_nodes
        self._clock = clock
        self._rng = rng
        self._due: OrderedDict[MatrixId, float] = OrderedDict()
        """Each matrix is announced next at this time; the oldest entry comes first."""
        self._heap: list[tuple[float, MatrixId]] = []
        self._failures: dict[MatrixId, int] = {}
        self._neighbours: OrderedDict[NodeId, PeerAddress] = OrderedDict()
        self._announced_to: OrderedDict[NodeId, float] = OrderedDict()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._due)

    def add(self, id: MatrixId) -> None:
        """Schedule a new matrix soon; a matrix that is scheduled already keeps its time."""
        if id in self._due:
            return
        self._schedule(id, self._clock.monotonic())
        self._drop_excess()

    async def provide_now(self, id: MatrixId) -> int:
        """Announce a matrix at once, and again in time; return how many nodes keep a record of it."""
        self._schedule(id, self._clock.monotonic() + self._settings.provide_again_s)
        self._drop_excess()
        return await self.provide([id])

    def announce_to(self, address: PeerAddress) -> None:
        """Queue a node that became a neighbour, or is back, to be told of the matrices near it."""
        now = self._clock.monotonic()
        if (
            self._announced_to.get(address.id, float("-inf")) > now - NEIGHBOUR_AGAIN_S
            or len(self._neighbours) >= MAX_NEIGHBOURS
        ):
            return
        self._announced_to[address.id] = now
        self._announced_to.move_to_end(address.id)
        if len(self._announced_to) > 16 * MAX_NEIGHBOURS:
            self._announced_to.popitem(last=False)
        self._neighbours[address.id] = address
        self._changed.set()

    async def run(self) -> None:
        """Announce what is due at the pace of the settings, until cancelled."""
        for id in self._held.list_ids()[: self._settings.max_provided]:
            self.add(id)
        while True:
            if self._neighbours:
                await self._announce_to_neighbour(self._neighbours.popitem(last=False)[1])
            due = self._take_due()
            if due:
                await self.provide(due)
            else:
                await self._wait()
            await asyncio.sleep(self._settings.provide_pace_s)

    async def provide(self, ids: Sequence[MatrixId]) -> int:
        """Tell the nodes nearest to the first of `ids`; return how many of them keep a record of it.

        The other ids, at most MAX_PROVIDED - 1, are announced with it if the network is so small that its nodes are
        near to everything; otherwise they stay due.
        """
        outcome = await self._find_nodes(ids[0])
        batch = ids if len(outcome.closest) < K else ids[:1]
        kept = 0
        for start in range(0, len(outcome.closest), ALPHA):
            nodes = outcome.closest[start : start + ALPHA]
            async with asyncio.TaskGroup() as group:
                announced = [group.create_task(self._announce(node, batch)) for node in nodes]
            kept += sum(task.result() for task in announced)
        for id in batch:
            self._on_announced(id, kept)
        return kept

    async def _announce(self, node: PeerAddress, ids: Sequence[MatrixId]) -> bool:
        return await self._provide_to(node, ids) > 0

    async def _announce_to_neighbour(self, address: PeerAddress) -> None:
        ids = await self._list_near(address)
        for start in range(0, len(ids), MAX_PROVIDED):
            await self._provide_to(address, ids[start : start + MAX_PROVIDED])
            await asyncio.sleep(self._settings.provide_pace_s / 4)

    async def _list_near(self, address: PeerAddress) -> list[MatrixId]:
        """Return the newest matrices to which fewer than K contacts are nearer than `address`."""
        near = []
        for number, id in enumerate(list(reversed(self._due))[:NEIGHBOUR_IDS]):
            distance = compute_distance(address.id, id)
            if sum(compute_distance(contact.id, id) < distance for contact in self._table) < K:
                near.append(id)
            if number % 16 == 15:
                await asyncio.sleep(0)
        return near

    def _take_due(self) -> list[MatrixId]:
        """Return at most MAX_PROVIDED matrices that are due, the one due longest first; they stay due until
        announced."""
        now, due = self._clock.monotonic(), list[MatrixId]()
        while self._heap and self._heap[0][0] <= now and len(due) < MAX_PROVIDED:
            at, id = heapq.heappop(self._heap)
            if self._due.get(id) != at:
                continue
            if self._held.has(id):
                due.append(id)
            else:
                self._forget(id)
        for id in due[1:]:
            heapq.heappush(self._heap, (self._due[id], id))
        return due

    def _on_announced(self, id: MatrixId, kept: int) -> None:
        if id not in self._due:
            return
        again_s = self._settings.provide_again_s
        failures = 0 if kept else self._failures.get(id, 0) + 1
        if failures:
            self._failures[id] = failures
            again_s = min(again_s, RETRY_MOST_S, RETRY_FIRST_S * 2 ** min(failures - 1, 16))
        else:
            self._failures.pop(id, None)
        self._schedule(id, self._clock.monotonic() + again_s * (0.75 + self._rng.random() / 4))

    def _schedule(self, id: MatrixId, at: float) -> None:
        self._due[id] = at
        heapq.heappush(self._heap, (at, id))
        if len(self._heap) > 2 * len(self._due) + MAX_PROVIDED:
            self._heap = [(at, id) for id, at in self._due.items()]
            heapq.heapify(self._heap)
        self._changed.set()

    def _drop_excess(self) -> None:
        while len(self._due) > self._settings.max_provided:
            self._forget(next(iter(self._due)))

    def _forget(self, id: MatrixId) -> None:
        self._due.pop(id, None)
        self._failures.pop(id, None)

    async def _wait(self) -> None:
        """Wait until an announcement is due or a new one is queued."""
        self._changed.clear()
        if self._neighbours:
            return
        wait_s = self._heap[0][0] - self._clock.monotonic() if self._heap else None
        try:
            async with asyncio.timeout(None if wait_s is None else max(0.0, wait_s)):
                await self._changed.wait()
        except TimeoutError:
            return
