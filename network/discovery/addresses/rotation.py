"""Outbound links that are no use: the worst one gives way while the chain stands still, and those left behind go."""

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
"""An outbound link has at least so long to show that it is good for something."""
BEHIND_BLOCKS: Final = 20
"""A peer so far below this node's tip for `behind_s` is no help; it is let go, never banned."""


class OutboundRotation:
    """Watches the tip and the outbound peers.

    Args:
        get_tip: id and height of the best connected block.
        kick: called when a slot more is to be filled.
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
        """Whether the chain has stood still for `stale_tip_s`."""
        return self._clock.monotonic() - self._moved_at > self._settings.stale_tip_s

    def get_most(self) -> int:
        """Outbound slots now: one more while the chain stands still, to hear of another view."""
        return self._settings.max_outbound + (1 if self.is_stale and self._settings.max_outbound else 0)

    async def run(self) -> None:
        """Look now and then, until cancelled."""
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
                log.info("outbound peer let go", peer=peer.name, reason="behind", height=peer.best_height)
                await peer.close("behind")

    async def _close_worst(self) -> None:
        """Above the usual number, close the one whose last new block is the oldest; of several the youngest."""
        now, peers = self._clock.monotonic(), self._list()
        if len(peers) <= self._settings.max_outbound:
            return
        settled = [peer for peer in peers if now - peer.connected_at > MIN_STAY_S and not peer.is_busy]
        if settled:
            worst = min(settled, key=lambda peer: (peer.contributions.block_at, -peer.connected_at))
            log.info("outbound peer let go", peer=worst.name, reason="chain stands still")
            await worst.close("rotated")
