"""A session does this work for a peer: sync of the chain and discovery by addresses share each link."""

import asyncio

from inos.network.discovery.addresses.service import AddressService
from inos.network.peers.peer import Peer
from inos.network.sync.service import SyncService
from inos.network.wire.addresses import GetAddresses
from inos.network.wire.base import Notice, Request


class PeerHandler:
    """Distributes the messages of a session. It satisfies `inos.network.peers.session.SessionHandler`."""

    def __init__(self, sync: SyncService, addresses: AddressService) -> None:
        self._sync = sync
        self._addresses = addresses

    def on_arrival(self, host: str) -> None:
        self._addresses.on_arrival(host)

    def handle_notice(self, peer: Peer, notice: Notice) -> bool:
        return self._sync.votes.handle_notice(peer, notice) or self._addresses.handle_notice(peer, notice)

    async def handle_request(self, peer: Peer, request: Request) -> None:
        if isinstance(request, GetAddresses):
            await self._addresses.exchange.answer(peer, request)
        else:
            await self._sync.handle_request(peer, request)

    async def run_peer(self, peer: Peer) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sync.run_peer(peer))
            group.create_task(self._addresses.run_peer(peer))
