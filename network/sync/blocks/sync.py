"""Fetches bodies and witnesses from all peers that have them, by their speed, and delivers them to the node in order.

The pipeline is: `wanted` finds what is missing, `window` holds it, each peer is sent as many requests as its `pace`
allows, `checker` checks seals and signatures concurrently, and `delivery` gives batches of blocks to the node, each of
which is one write to disk.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from inos.core.bounded import TokenBucket
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import NetworkSettings
from inos.network.sync.block_status import needs_body
from inos.network.sync.blocks.checker import BlockChecker
from inos.network.sync.blocks.delivery import BlockDelivery
from inos.network.sync.blocks.pace import Pace
from inos.network.sync.blocks.wanted import WantedBlocks
from inos.network.sync.blocks.window import Body, Stall, Window
from inos.network.sync.monitor import SyncMonitor
from inos.network.sync.penalties import Penalise
from inos.network.wire.chain import MAX_BLOCK_IDS, BlockData, GetBlocks
from inos.network.wire.control import NotFound
from inos.network.wire.limits import get_limit
from inos.primitives.blocks import compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.codec import encode
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

WORKERS: Final = 4
"""This many requests are open to one peer, so that it need not wait between two."""
REFILL_S: Final = 1.0
MAX_STRIKES: Final = 3
"""A peer is disconnected, and not banned, after this many timeouts in a row."""
POLL_S: Final = 0.25
STALL_S: Final = 2.0
"""If the block that stalls the window does not arrive in this time, it is requested from another peer too. The time is
doubled whenever that happens, and shortened again while blocks arrive, as in Bitcoin Core."""
MAX_STALL_S: Final = 64.0
STALL_DECAY: Final = 0.85
WARN_S: Final = 60.0


class BlockSync:
    """Fetches blocks from all peers."""

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        clock: Clock,
        list_peers: Callable[[], Iterable[Peer]],
        penalise: Penalise,
        monitor: SyncMonitor,
    ) -> None:
        self._ledger = node.ledger
        self._suspended: set[BlockId] = set()
        self._limits = settings.limits
        self._size = settings.window_blocks
        self._clock = clock
        self._list_peers = list_peers
        self._penalise = penalise
        self._window: Window[Peer] = Window(2 * settings.window_blocks, settings.window_bytes)
        self._wanted = WantedBlocks(node.ledger, settings.window_blocks, clock, list_peers)
        self._has_work = asyncio.Event()
        self._is_stale = asyncio.Event()
        self._checker = BlockChecker(node, self._window, clock, penalise, self._on_checked)
        self._delivery = BlockDelivery(node, self._window, clock, penalise, monitor, self._on_delivered)
        self._paces: dict[Peer, Pace] = {}
        self._least_stall_s = min(STALL_S, settings.limits.block)
        self._stall_s = self._least_stall_s
        self._warned_at = -WARN_S

    def suspend_fetch(self, id: BlockId) -> None:
        """Do not fetch the block, because it is on its way as a compact block."""
        self._suspended.add(id)

    def resume_fetch(self, id: BlockId) -> None:
        """Fetch the block again like any other, if it has not arrived."""
        self._suspended.discard(id)
        if not needs_body(self._ledger, id):
            self._wanted.on_progress()
        self.wake()

    def wake(self) -> None:
        """Note that other blocks may be wanted now."""
        self._is_stale.set()

    async def run(self) -> None:
        """Keep the window filled and deliver what is complete, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (self._refill(), self._checker.run(), self._delivery.run(), self._replace_stalled()):
                group.create_task(work)

    async def _refill(self) -> None:
        while True:
            self._is_stale.clear()
            wanted = [one for one in self._wanted.find() if one[0] not in self._suspended]
            self._window.keep(id for id, _, _ in wanted)
            self._window.want(wanted, self._clock.monotonic())
            self._warn_if_unserved()
            # Even without a new block, a peer that did not deliver may be asked again by now.
            self._has_work.set()
            try:
                async with asyncio.timeout(REFILL_S):
                    await self._is_stale.wait()
            except TimeoutError:
                continue
            if len(self._window) >= self._size // 2:
                await asyncio.sleep(POLL_S)  # The list is long, and there is enough to do.

    def _warn_if_unserved(self) -> None:
        """Say so once a minute if all connected peers were started from a snapshot or pruned above the next block."""
        lowest, now = self._window.find_lowest(), self._clock.monotonic()
        firsts = [peer.first_block for peer in self._paces]
        if lowest is None or not firsts or min(firsts) <= lowest or now - self._warned_at < WARN_S:
            return
        self._warned_at = now
        log.warning(
            "no connected peer has the next block",
            height=lowest,
            peers_have_from=min(firsts),
            hint="start with --snapshot on an empty data directory, or name a node that keeps all blocks with --peer",
        )

    def _on_checked(self) -> None:
        self._delivery.wake()
        self._has_work.set()

    def _on_delivered(self, connected: int) -> None:
        if connected:
            self._wanted.on_progress()
            self._stall_s = max(self._least_stall_s, self._stall_s * STALL_DECAY)
        if len(self._window) < self._size // 2:
            self._is_stale.set()

    async def fetch_from(self, peer: Peer) -> None:
        """Request wanted blocks from one peer for as long as it is connected.

        Raises:
            Misbehaviour: the peer sent something that was not requested.
        """
        limit = get_limit(GetBlocks)
        budget = TokenBucket(limit.per_s / 2, limit.burst / 2, self._clock.monotonic())
        self._paces[peer] = Pace()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(self._fetch(peer, budget))
        finally:
            del self._paces[peer]

    async def _fetch(self, peer: Peer, budget: TokenBucket) -> None:
        """Request blocks repeatedly; `budget` keeps this node below the rate of requests that the other side allows."""
        strikes, pace = 0, self._paces[peer]
        while True:
            room = min(pace.get_room(), MAX_BLOCK_IDS)
            ids = self._take_next(peer, room) if room else []
            if not ids:
                self._has_work.clear()
                await self._has_work.wait()
                continue
            try:
                if not budget.take(self._clock.monotonic()):
                    await asyncio.sleep(POLL_S)
                await self._ask(peer, ids)
                strikes = 0
            except RequestFailed as error:
                strikes += error.code == "timeout"
                log.debug("no blocks from peer", peer=peer.name, code=error.code, count=len(ids))
                if strikes >= MAX_STRIKES:
                    await peer.close("stalling")
                    return

    def _take_next(self, peer: Peer, room: int) -> list[BlockId]:
        return self._window.take(peer, peer.best_height, room, self._clock.monotonic(), peer.first_block)

    async def _ask(self, peer: Peer, ids: list[BlockId]) -> None:
        left, pace, in_flight = set(ids), self._paces[peer], len(ids)
        pace.begin(in_flight, self._clock.monotonic())
        try:
            with peer.requests.open(BlockData, replies=len(ids) + 1) as pending:
                await peer.send_request(pending, GetBlocks(pending.request, tuple(ids)), self._limits.block)
                while left:
                    reply = await pending.next(self._limits.block)
                    if isinstance(reply, NotFound):
                        left -= {BlockId(id) for id in reply.ids}
                    if isinstance(reply, BlockData):
                        self._take(peer, reply, left)
                        in_flight -= 1
                        pace.on_block(self._clock.monotonic())
        finally:
            now = self._clock.monotonic()
            pace.end(in_flight, now)
            self._window.give_back(peer, ids, now)
            self._has_work.set()

    def _take(self, peer: Peer, reply: BlockData, left: set[BlockId]) -> None:
        id = compute_block_id(reply.block.header)
        if id not in left:
            raise Misbehaviour("wrong-block", f"block {id.hex()} was not requested")
        left.discard(id)
        peer.known_blocks.add(id)
        size = len(encode(reply.block)) + len(reply.witness.x_strip) + len(reply.witness.w_strip)
        self._window.put(peer, Body(id, reply.block, reply.witness, size), self._clock.monotonic())
        self._checker.wake()

    async def _replace_stalled(self) -> None:
        """If one block stalls the window, request from other peers what the slow peer has not delivered, without a
        penalty."""
        while True:
            await asyncio.sleep(POLL_S)
            now = self._clock.monotonic()
            stall = self._window.find_stall(now, self._stall_s)
            if stall is None or not self._is_replaceable(stall):
                continue
            overdue = self._window.list_overdue(stall.peer, now, self._stall_s)
            log.debug(
                "blocks requested from other peers", height=stall.height, slow=stall.peer.name, count=len(overdue)
            )
            self._window.give_back(stall.peer, overdue, now)
            if stall.peer in self._paces:
                self._paces[stall.peer].on_stall()
            self._stall_s = min(MAX_STALL_S, 2 * self._stall_s)
            self._has_work.set()

    def _is_replaceable(self, stall: Stall[Peer]) -> bool:
        return any(
            peer is not stall.peer and peer.first_block <= stall.height <= peer.best_height for peer in self._paces
        )
