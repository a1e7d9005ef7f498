"""The routing service: it answers requests, runs lookups, finds providers, and keeps the table in the background."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog
from msgspec import Struct

from inos.network.discovery.routing.announcements import MatrixList, ProviderAnnouncements
from inos.network.discovery.routing.candidates import ProviderCandidates
from inos.network.discovery.routing.endpoints import compute_address_group, make_peer_address
from inos.network.discovery.routing.lookup import Ask, Lookup, LookupResult
from inos.network.discovery.routing.maintenance import TableMaintenance
from inos.network.discovery.routing.metric import make_id_near
from inos.network.discovery.routing.queries import WRONG_CONTACT, Connections, Penalise, Queries, make_contacts
from inos.network.discovery.routing.records import ProviderRecords
from inos.network.discovery.routing.settings import K, RoutingSettings
from inos.network.discovery.routing.table import RoutingTable
from inos.network.errors import HandshakeFailed, Misbehaviour
from inos.network.identity import PeerAddress
from inos.network.peers.peer import Peer
from inos.network.wire.base import Request
from inos.network.wire.kademlia import (
    MAX_PROVIDERS,
    Contact,
    FindNodes,
    FindProviders,
    Nodes,
    Provide,
    Provided,
    Providers,
)
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.randomness import Randomness
from inos.primitives.units import MatrixId, NodeId

log = structlog.get_logger("inos.network")

CONFIRMERS: Final = 6
"""In one search this many providers are confirmed at the same time."""
MAX_SEARCHES: Final = 8
TICK_S: Final = 5.0


class RoutingStatus(Struct, frozen=True):
    """These numbers describe the state of routing to people."""

    contacts: int
    buckets: int
    records: int
    """This node keeps this many records of other nodes' matrices."""
    provided: int
    """This node announces this many matrices."""


class RoutingService:
    """Runs the Kademlia node.

    Args:
        held: the matrices that may be announced.
        connections: reaches nodes; each peer that it returns has proven its id.
        penalise: counts a fault against a connected peer.
    """

    def __init__(
        self,
        own_id: NodeId,
        held: MatrixList,
        settings: RoutingSettings,
        connections: Connections,
        penalise: Penalise,
        clock: Clock,
        rng: Randomness,
    ) -> None:
        self._own_id = own_id
        self._held = held
        self._settings = settings
        self._connections = connections
        self._penalise = penalise
        self._clock = clock
        self._rng = rng
        self._table = RoutingTable(own_id, compute_address_group, clock.monotonic())
        self._records = ProviderRecords(settings, compute_address_group)
        self._queries = Queries(own_id, settings, connections, penalise, rng)
        self._announcements = ProviderAnnouncements(
            held, settings, self._table, self._provide_to, self._find_nodes, clock, rng
        )
        self._maintenance = TableMaintenance(self._table, settings, connections, clock, self._announcements.announce_to)
        self._searches = asyncio.Semaphore(MAX_SEARCHES)

    def get_status(self) -> RoutingStatus:
        return RoutingStatus(
            contacts=len(self._table),
            buckets=len(self._table.buckets),
            records=len(self._records),
            provided=len(self._announcements),
        )

    def on_connected(self, peer: Peer) -> None:
        """Note that a peer has connected."""
        self._maintenance.on_connected(peer)
        address = make_peer_address(peer.id, peer.link.remote_address, peer.hello.listen_port or 1)
        if address is not None:
            self._announcements.announce_to(address)

    def on_added(self, id: MatrixId) -> None:
        """Announce a matrix soon that this node now has as a whole."""
        self._announcements.add(id)

    async def handle_request(self, peer: Peer, request: Request) -> bool:
        """Answer one request; return False if the request is not for routing.

        Raises:
            LinkError: the link has ended.
        """
        match request:
            case FindNodes():
                contacts = self._list_contacts(request.target, peer)
                await peer.out.put(Nodes(request.request, contacts))
            case Provide():
                kept = tuple(self._keep(peer, MatrixId(id)) for id in request.ids)
                await peer.out.put(Provided(request.request, kept))
            case FindProviders():
                providers = self._records.get(MatrixId(request.id), self._clock.monotonic())
                allowed = make_contacts(providers, peer)[:MAX_PROVIDERS]
                await peer.out.put(Providers(request.request, allowed, self._list_contacts(request.id, peer)))
            case _:
                return False
        self._maintenance.on_connected(peer)
        return True

    def _list_contacts(self, target: bytes, asker: Peer) -> tuple[Contact, ...]:
        return make_contacts(self._table.find_closest(target, 2 * K), asker)[:K]

    def _keep(self, peer: Peer, key: MatrixId) -> int:
        """Return for how many seconds the record is kept: only of this peer itself, and only if the key is near to this
        node."""
        provider = make_peer_address(peer.id, peer.link.remote_address, peer.hello.listen_port)
        if provider is None or self._table.count_closer(key) >= K:
            return 0
        return int(self._settings.record_ttl_s) if self._records.add(key, provider, self._clock.monotonic()) else 0

    async def run(self) -> None:
        """Keep the table, refresh its buckets and announce what is held, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (self._maintenance.run(), self._refresh(), self._announcements.run()):
                group.create_task(work)

    async def provide(self, id: MatrixId) -> int:
        """Tell the nodes nearest to a matrix that this one has it; return how many keep a record of it.

        The announcement is repeated in time for as long as the matrix is held.

        Raises:
            MatrixMissing: this node does not have the matrix.
        """
        if not self._held.has(id):
            raise MatrixMissing([id])
        return await self._announcements.provide_now(id)

    async def find_providers(self, id: MatrixId, limit: int) -> list[PeerAddress]:
        """Return at most `limit` other nodes that have just proven to have the matrix, in the order they were
        confirmed."""
        offers = ProviderCandidates(self._own_id, limit, self._settings.providers_tried)
        offers.offer(self._own_id, tuple(self._records.get(id, self._clock.monotonic())))

        async def ask(address: PeerAddress) -> Iterable[PeerAddress]:
            found = await self._queries.find_providers(address, id)
            self._note(address)
            offers.offer(address.id, found.providers)
            return found.contacts

        async def look() -> None:
            await self._look_up(id, ask, lambda: offers.is_enough)
            offers.complete()

        try:
            async with asyncio.timeout(self._settings.lookup), self._searches, asyncio.TaskGroup() as group:
                for work in (look(), *(self._confirm(id, offers) for _ in range(CONFIRMERS))):
                    group.create_task(work)
        except TimeoutError:
            log.debug("a search for providers took too long", id=id.hex())
        return list(offers.confirmed.values())[:limit]

    async def find_nearest(self, id: MatrixId) -> list[PeerAddress]:
        """Return at most K other nodes that answered and are nearest to an id, nearest first."""
        async with self._searches:
            return list((await self._find_nodes(id)).closest)

    async def _confirm(self, id: MatrixId, offers: ProviderCandidates) -> None:
        while (provider := await offers.next()) is not None:
            try:
                async with asyncio.timeout(self._settings.confirm):
                    await self._queries.confirm(provider, id)
            except (InosError, TimeoutError) as error:
                self._records.drop(id, provider.id)
                log.debug("provider not confirmed", address=str(provider), id=id.hex(), reason=repr(error))
                continue
            offers.add_confirmed(provider)

    async def _find_nodes(self, target: bytes) -> LookupResult:
        async def ask(address: PeerAddress) -> Iterable[PeerAddress]:
            named = await self._queries.find_nodes(address, target)
            self._note(address)
            return named

        return await self._look_up(target, ask)

    async def _look_up(self, target: bytes, ask: Ask, is_enough: Callable[[], bool] = lambda: False) -> LookupResult:
        penalised: set[NodeId] = set()

        async def blame(address: PeerAddress, named_by: frozenset[NodeId], error: Exception) -> None:
            self._maintenance.suspect(address.id)
            if isinstance(error, HandshakeFailed) and error.code == "wrong-peer":
                new = named_by - penalised
                penalised.update(new)
                await self._penalise_namers(address, new)

        lookup = Lookup(
            target,
            self._own_id,
            self._list_start(target),
            ask,
            self._settings,
            compute_address_group,
            self._clock,
            on_failure=blame,
            is_enough=is_enough,
        )
        self._table.set_refreshed(target, self._clock.monotonic())
        return await lookup.run()

    def _list_start(self, target: bytes) -> list[PeerAddress]:
        """Return the nearest contacts, and the connected peers, which answer without being dialled."""
        places = (
            make_peer_address(peer.id, peer.link.remote_address, peer.hello.listen_port or 1)
            for peer in self._connections.list_full()
        )
        return [*self._table.find_closest(target), *(address for address in places if address is not None)]

    def _note(self, address: PeerAddress) -> None:
        peer = self._connections.peers.get(address.id)
        if peer is not None:
            self._maintenance.on_connected(peer)

    async def _penalise_namers(self, address: PeerAddress, named_by: frozenset[NodeId]) -> None:
        """Penalise the peers that named a wrong contact."""
        for id in sorted(named_by):
            peer = self._connections.peers.get(id)
            if peer is not None:
                await self._penalise(
                    peer, Misbehaviour("wrong-contact", f"another node lives at {address}", WRONG_CONTACT)
                )

    async def _provide_to(self, address: PeerAddress, ids: Sequence[MatrixId]) -> int:
        """Return for how many of `ids` a node keeps a record; 0 if the node cannot be asked."""
        try:
            async with asyncio.timeout(self._settings.query):
                return await self._queries.provide(address, ids)
        except (InosError, TimeoutError) as error:
            log.debug("matrix not announced", address=str(address), reason=str(error))
            return 0

    async def _refresh(self) -> None:
        """Look up the own id after the first contact and again in time, and look into buckets that were not used
        lately."""
        next_own = 0.0
        while True:
            await asyncio.sleep(TICK_S * (0.5 + self._rng.random()))
            now = self._clock.monotonic()
            self._records.expire(now)
            if not self._list_start(self._own_id):
                continue
            if now >= next_own:
                await self._find_nodes(self._own_id)
                await self._refresh_buckets(self._table.list_stale(now)[:1])
                next_own = now + self._settings.own_refresh_s * (0.75 + self._rng.random() / 2)
            await self._refresh_buckets(self._table.list_stale(now - self._settings.refresh_s))

    async def _refresh_buckets(self, buckets: Sequence[tuple[int, bool]]) -> None:
        for bits, is_exact in buckets:
            await self._find_nodes(make_id_near(self._own_id, bits, is_exact=is_exact, rng=self._rng))
