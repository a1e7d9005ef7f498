"""Maintenance of the routing table: nodes are dialled before they enter it and pinged before they leave it."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

from inos.core.bounded import ExpiringSet
from inos.network.discovery.routing.endpoints import make_peer_address
from inos.network.discovery.routing.queries import Connections
from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.discovery.routing.table import RoutingTable
from inos.network.endpoints import split_endpoint
from inos.network.errors import LinkError
from inos.network.identity import PeerAddress
from inos.network.peers.peer import Peer
from inos.primitives.clock import Clock
from inos.primitives.units import NodeId

log = structlog.get_logger("inos.network")

MAX_WAITING: Final = 256
"""At most this many nodes wait to be dialled; more are ignored, because they appear again."""
WORKERS: Final = 3
TRY_AGAIN_S: Final = 300.0
"""An address that a peer claims is not dialled a second time within this time."""
PACE_S: Final = 0.1
"""Each worker waits this long between two dials, so that a flood of strangers causes no flood of dials."""


def get_dialled_address(peer: Peer) -> PeerAddress | None:
    """Return the address at which a peer was dialled and proved itself; return None for a peer that dialled
    this node."""
    if not peer.link.is_outbound:
        return None
    return make_peer_address(peer.id, peer.link.remote_address, split_endpoint(peer.link.remote_address)[1])


class TableMaintenance:
    """Decides which nodes enter and leave the table.

    Args:
        on_contact: called for each node that became a contact.
    """

    def __init__(
        self,
        table: RoutingTable,
        settings: RoutingSettings,
        connections: Connections,
        clock: Clock,
        on_contact: Callable[[PeerAddress], None],
    ) -> None:
        self._table = table
        self._settings = settings
        self._connections = connections
        self._clock = clock
        self._on_contact = on_contact
        self._waiting: OrderedDict[NodeId, PeerAddress] = OrderedDict()
        self._tried: ExpiringSet[PeerAddress] = ExpiringSet(4 * MAX_WAITING)
        self._has_work = asyncio.Event()

    def on_connected(self, peer: Peer) -> None:
        """Note that a proven peer is connected; either side may have dialled."""
        place = get_dialled_address(peer)
        if place is not None:
            self._see(place)
            return
        claimed = make_peer_address(peer.id, peer.link.remote_address, peer.hello.listen_port)
        if claimed is None:
            return
        now = self._clock.monotonic()
        if self._table.get(peer.id) == claimed:
            self._see(claimed)
        elif not self._tried.has(claimed, now):
            self._tried.add(claimed, now + TRY_AGAIN_S)
            self._enqueue(claimed)

    def suspect(self, id: NodeId) -> None:
        """Note that a node did not answer; if it is a contact, it is pinged."""
        contact = self._table.get(id)
        if contact is not None:
            self._enqueue(contact)

    async def run(self) -> None:
        """Dial the waiting nodes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._has_work.clear()
                await self._has_work.wait()
            _, address = self._waiting.popitem(last=False)
            await self._check(address)
            await asyncio.sleep(PACE_S)

    async def _check(self, address: PeerAddress) -> None:
        is_contact = self._table.get(address.id) == address
        if is_contact and address.id in self._connections.peers:
            self._see(address)
            return
        try:
            async with asyncio.timeout(self._settings.query):
                await self._connections.verify_address(address)
        except (LinkError, TimeoutError) as error:
            log.debug("node not reached", address=str(address), reason=str(error))
            # While no peer is connected, this node itself may be offline, and its table is worth keeping.
            if is_contact and self._connections.peers:
                self._lose(address.id)
            return
        self._see(address)

    def _see(self, address: PeerAddress) -> None:
        was_contact = self._table.get(address.id) == address
        oldest = self._table.see(address, self._clock.monotonic())
        if oldest is not None and self._is_due(oldest.id):
            self._enqueue(oldest)
        if not was_contact and self._table.get(address.id) == address:
            self._on_contact(address)

    def _lose(self, id: NodeId) -> None:
        spare = self._table.fail(id)
        log.debug("contact lost", node=id.hex()[:12])
        if spare is not None:
            self._enqueue(spare)

    def _is_due(self, id: NodeId) -> bool:
        seen_at = self._table.get_seen_at(id)
        return seen_at is not None and self._clock.monotonic() - seen_at >= self._settings.check_again_s

    def _enqueue(self, address: PeerAddress) -> None:
        if address.id in self._waiting or len(self._waiting) >= MAX_WAITING:
            return
        self._waiting[address.id] = address
        self._has_work.set()
