"""Matrices that no connected peer has are searched: their providers are looked up, dialled, and asked for them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import structlog

from inos.network.errors import LinkError, Misbehaviour, RequestFailed
from inos.network.identity import PeerAddress
from inos.network.peers.peer import Peer
from inos.network.sync.matrices.wanted import WantedMatrices
from inos.network.sync.penalties import Penalise
from inos.primitives.clock import Clock
from inos.primitives.units import MatrixId

log = structlog.get_logger("inos.network")

PROVIDERS: Final = 3
"""A matrix is fetched from this many providers at the same time."""
MAX_SEARCHES: Final = 4
"""This many matrices are searched at the same time."""
TICK_S: Final = 0.5
REACH_S: Final = 5.0


GetOrDial = Callable[[PeerAddress, float], Awaitable[Peer]]
"""Returns a peer within this many seconds, dialling it if it is not connected; raises LinkError."""


class ProviderLookup(Protocol):
    """Finds providers of a matrix."""

    async def find_providers(self, id: MatrixId, limit: int) -> list[PeerAddress]:
        """Return at most `limit` nodes that have just proven to have the matrix."""


Fetch = Callable[[Peer, MatrixId], Awaitable[None]]
"""Fetches one wanted matrix from one peer until it is complete or the peer has no more of it."""


class ProviderSearch:
    """Searches the wanted matrices that no connected peer has."""

    def __init__(
        self,
        wants: WantedMatrices[Peer],
        router: ProviderLookup,
        get_or_dial: GetOrDial,
        list_peers: Callable[[], Iterable[Peer]],
        fetch: Fetch,
        penalise: Penalise,
        clock: Clock,
    ) -> None:
        self._wants = wants
        self._router = router
        self._get_or_dial = get_or_dial
        self._list_peers = list_peers
        self._fetch = fetch
        self._penalise = penalise
        self._clock = clock
        self._searching: set[MatrixId] = set()

    async def run(self) -> None:
        """Search repeatedly, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for id in self._wants.list_unserved(tuple(self._list_peers()), self._clock.monotonic()):
                    if len(self._searching) < MAX_SEARCHES and id not in self._searching:
                        self._searching.add(id)
                        group.create_task(self._search_for(id))
                await asyncio.sleep(TICK_S)

    async def _search_for(self, id: MatrixId) -> None:
        try:
            providers = await self._router.find_providers(id, PROVIDERS)
            log.info("providers searched", id=id.hex(), providers=len(providers))
            async with asyncio.TaskGroup() as group:
                for provider in providers:
                    group.create_task(self._fetch_at(provider, id))
        finally:
            self._searching.discard(id)
            self._wants.on_searched(id, self._clock.monotonic())

    async def _fetch_at(self, provider: PeerAddress, id: MatrixId) -> None:
        try:
            peer = await self._get_or_dial(provider, REACH_S)
        except LinkError as error:
            log.debug("provider not reached", address=str(provider), code=error.code)
            return
        try:
            await self._fetch(peer, id)
        except (LinkError, RequestFailed) as error:
            log.debug("provider disconnected", peer=peer.name, code=error.code)
        except Misbehaviour as fault:
            await self._penalise(peer, fault)
