"""Links for a few requests are opened on demand beside the slots, shared, bounded, and closed when idle."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from inos.network.errors import LinkError
from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.settings import NetworkSettings
from inos.primitives.clock import Clock
from inos.primitives.units import NodeId

Connect = Callable[[PeerAddress, LinkKind], Awaitable[Peer]]
"""Dials and starts a session; raises LinkError."""


class ShortLinks:
    """Manages the brief links that this side opened, and those that other nodes opened to it.

    Args:
        peers: all connected peers, as the manager keeps them.
    """

    def __init__(self, peers: Mapping[NodeId, Peer], connect: Connect, settings: NetworkSettings, clock: Clock) -> None:
        self._peers = peers
        self._connect = connect
        self._settings = settings
        self._clock = clock
        self._opening: dict[NodeId, asyncio.Event] = {}

    async def get_or_dial(self, address: PeerAddress, limit_s: float) -> Peer:
        """Return a connected or dialled peer, as `PeerManager.get_or_dial` describes."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._reach(address)
        except TimeoutError:
            raise LinkError("cannot-dial", f"cannot reach {address}: no answer within {limit_s:g} s") from None

    async def _reach(self, address: PeerAddress) -> Peer:
        present = self._find(address.id)
        if present is None and address.id in self._opening:
            # Another caller dials it already; if that fails, dialling again at once would fail too.
            await self._opening[address.id].wait()
            present = self._find(address.id)
            if present is None:
                raise LinkError("cannot-dial", f"cannot reach {address}: another attempt has just failed")
        if present is not None:
            present.touch()
            return present
        await self._make_room(inbound=False)
        opened = self._opening[address.id] = asyncio.Event()
        try:
            return await self._connect(address, LinkKind.SHORT)
        except LinkError:
            present = self._find(address.id)
            if present is None:
                raise
            return present  # The peer dialled this node in the meantime, and that link was kept.
        finally:
            del self._opening[address.id]
            opened.set()

    def _find(self, id: NodeId) -> Peer | None:
        peer = self._peers.get(id)
        return peer if peer is not None and not peer.is_closing else None

    async def _make_room(self, *, inbound: bool) -> None:
        present = self._list(inbound=inbound)
        opening = 0 if inbound else len(self._opening)
        if len(present) + opening < self._settings.max_short:
            return
        idle = [peer for peer in present if not peer.is_busy]
        if not idle:
            raise LinkError(
                "too-many-links",
                f"{self._settings.max_short} links for a few requests are open already, and all are busy",
            )
        await min(idle, key=lambda peer: peer.used_at).close("made-room")

    async def admit_inbound(self) -> bool:
        """Return True if another inbound brief link is accepted, closing the one that was idle the longest if
        necessary."""
        try:
            await self._make_room(inbound=True)
        except LinkError:
            return False
        return True

    def _list(self, *, inbound: bool) -> list[Peer]:
        peers = [peer for peer in self._peers.values() if peer.is_brief and not peer.is_closing]
        return [peer for peer in peers if (peer.kind is LinkKind.INBOUND) == inbound]

    async def run(self) -> None:
        """Close idle links, until cancelled."""
        idle_s = self._settings.short_idle_s
        while True:
            await asyncio.sleep(idle_s / 4)
            now = self._clock.monotonic()
            for inbound, limit_s in ((False, idle_s), (True, 2 * idle_s)):
                for peer in self._list(inbound=inbound):
                    if not peer.is_busy and now - peer.used_at > limit_s:
                        await peer.close("idle")
