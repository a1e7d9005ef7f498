"""The peers that the user named are dialled at the start and again whenever their link ends."""

import asyncio
from typing import Final

import structlog

from inos.network.errors import LinkError
from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.peers.manager import PeerManager
from inos.network.settings import NetworkSettings
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.units import NodeId

log = structlog.get_logger("inos.network")

STEADY_S: Final = 30.0
"""After a link that lasted this long, the redial waits start from the first value again."""


class StaticPeers:
    """Keeps links to all of `settings.peers`."""

    def __init__(
        self, own_id: NodeId, manager: PeerManager, settings: NetworkSettings, clock: Clock, rng: Randomness
    ) -> None:
        self._own_id = own_id
        self._manager = manager
        self._settings = settings
        self._clock = clock
        self._rng = rng

    async def run(self) -> None:
        """Keep all links, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for address in self._settings.peers:
                if address.id == self._own_id:
                    log.warning("a static peer is this node itself", address=str(address))
                    continue
                group.create_task(self._keep(address))

    async def _keep(self, address: PeerAddress) -> None:
        wait = self._settings.redial_first_s
        while True:
            started = self._clock.monotonic()
            await self._hold(address)
            if self._clock.monotonic() - started > STEADY_S:
                wait = self._settings.redial_first_s
            await asyncio.sleep(wait * (0.5 + self._rng.random()))
            wait = min(wait * 2, self._settings.redial_most_s)

    async def _hold(self, address: PeerAddress) -> None:
        """Return when the link to the node has ended, no matter which side dialled, or when no link could be made."""
        peer = self._manager.peers.get(address.id)
        if peer is None or peer.is_brief or peer.is_closing:
            try:
                peer = await self._manager.connect(address, LinkKind.STATIC)
            except LinkError as error:
                log.info("cannot connect", address=str(address), code=error.code, reason=error.message)
                return
        await peer.ended.wait()
