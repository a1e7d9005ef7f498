"""What peers are good for, put together: the chain's sync, and finding peers."""

import asyncio

from inos.network.discovery.addresses.service import AddressService
from inos.network.peers.peer import Peer
from inos.network.sync.service import Sync
from inos.network.wire.addresses import GetAddresses
from inos.network.wire.base import Notice, Request
from inos.primitives.units import BlockId


class Handler:
    """Satisfies `inos.network.peers.session.SessionHandler`."""

    def __init__(self, sync: Sync, addresses: AddressService) -> None:
        self._sync = sync
        self._addresses = addresses

    def get_tip(self) -> tuple[BlockId, int]:
        return self._sync.get_tip()

    def hear(self, peer: Peer, notice: Notice) -> bool:
        return self._sync.hear(peer, notice) or self._addresses.hear(peer, notice)

    async def answer(self, peer: Peer, request: Request) -> None:
        if isinstance(request, GetAddresses):
            await self._addresses.answer(peer, request)
        else:
            await self._sync.answer(peer, request)

    async def follow(self, peer: Peer) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sync.follow(peer))
            group.create_task(self._addresses.follow(peer))
