"""The peer manager as those see it that the manager's sessions need first."""

from collections.abc import Callable, Iterable, Mapping

from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.peers.manager import PeerManager
from inos.network.peers.peer import Peer
from inos.primitives.units import NodeId


class Connections:
    """Satisfies what discovery needs of connections; passes everything on to the manager."""

    def __init__(self, get_manager: Callable[[], PeerManager]) -> None:
        self._get_manager = get_manager

    @property
    def peers(self) -> Mapping[NodeId, Peer]:
        return self._get_manager().peers

    def list_full(self) -> Iterable[Peer]:
        return self._get_manager().list_full()

    def count(self, kind: LinkKind, /) -> int:
        return self._get_manager().count(kind)

    def is_refused(self, address: PeerAddress, /) -> bool:
        return self._get_manager().is_refused(address)

    async def connect(self, address: PeerAddress, kind: LinkKind, /) -> Peer:
        return await self._get_manager().connect(address, kind)

    async def dial_feeler(self, address: PeerAddress, /) -> None:
        await self._get_manager().dial_feeler(address)

    async def get_or_dial(self, address: PeerAddress, limit_s: float) -> Peer:
        return await self._get_manager().get_or_dial(address, limit_s)

    async def verify_address(self, address: PeerAddress) -> None:
        await self._get_manager().verify_address(address)
