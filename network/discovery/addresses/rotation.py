"""Rotation replaces the worst outbound peer while the chain does not grow, and disconnects peers that fall behind."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from inos.network.discovery.addresses.slots import PeerLinks
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.settings import NetworkSettings
from inos.primitives.clock import Clock
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

MIN_STAY_S: Final = 30.0
"""An outbound link has this long to prove useful."""
BEHIND_BLOCKS: Final = 20
"""A peer that is this many blocks below this node's tip for `behind_s` is disconnected, and never banned."""


class OutboundRotation:
    """Watches the tip and the outbound peers.

    Args:
        get_tip: returns id and height of the best connected block.
        wake: called when one more slot is to be filled.
    """

    def __init__(
        self,
        links: PeerLinks,
        settings: NetworkSettings,
        clock: Clock,
        get_tip: Callable[[], tuple[BlockId, int]],
        kick: Callable[[], None],
    ) -> None:
        self._links = links
        self._settings = settings
        self._clock = clock
        self._get_tip = get_tip
        self._wake = kick
        self._tip = get_tip()[0]
        self._moved_at = clock.monotonic()
        self._behind_since: dict[Peer, float] = {}

    @property
    def is_stale(self) -> bool:
        """The property is True if the chain has not grown for `stale_tip_s`."""
        return self._clock.monotonic() - self._moved_at > self._settings.stale_tip_s

    def get_slot_count(self) -> int:
        """Return the number of outbound slots: one more than usual while the chain does not grow, to hear of another
        view."""
        return self._settings.max_outbound + (1 if self.is_stale and self._settings.max_outbound else 0)

    async def run(self) -> None:
        """Check the tip and the peers repeatedly, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.rotation_interval_s)
            tip, height = self._get_tip()
            if tip != self._tip:
                self._tip, self._moved_at = tip, self._clock.monotonic()
            await self._close_behind(height)
            await self._close_worst()
            if self.is_stale:
                self._wake()

    def _list(self) -> list[Peer]:
        peers = self._links.peers.values()
        return [peer for peer in peers if peer.kind is LinkKind.OUTBOUND and not peer.is_closing]

    async def _close_behind(self, height: int) -> None:
        now, peers = self._clock.monotonic(), self._list()
        behind = {peer for peer in peers if peer.best_height + BEHIND_BLOCKS < height}
        self._behind_since = {peer: self._behind_since.get(peer, now) for peer in behind}
        for peer, since in self._behind_since.items():
            if now - since > self._settings.behind_s:
                log.info("outbound peer disconnected", peer=peer.name, reason="behind", height=peer.best_height)
                await peer.close("behind")

    async def _close_worst(self) -> None:
        """If there are too many peers, close the one whose last new block is oldest; of several, the youngest."""
        now, peers = self._clock.monotonic(), self._list()
        if len(peers) <= self._settings.max_outbound:
            return
        settled = [peer for peer in peers if now - peer.connected_at > MIN_STAY_S and not peer.is_busy]
        if settled:
            worst = min(settled, key=lambda peer: (peer.contributions.block_at, -peer.connected_at))
            log.info("outbound peer disconnected", peer=worst.name, reason="the chain does not grow")
            await worst.close("rotated")
