"""Fetches bodies and witnesses from all peers that have them, by their speed, and hands them to the node in order.

Pipeline: `wanted` says what is missing -> `window` -> questions to peers, as many as each one's `pace` allows ->
`checking`: seal and signatures, side by side -> runs of blocks to the node, each run one batch on disk.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from inos.core.verification.seals import SealVerifier
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.bounded import TokenBucket
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import NetworkSettings
from inos.network.sync.block_status import needs_body
from inos.network.sync.blocks.checker import BlockChecker
from inos.network.sync.blocks.delivery import Hand
from inos.network.sync.blocks.pace import Pace
from inos.network.sync.blocks.wanted import WantedBlocks
from inos.network.sync.blocks.window import Body, Holdup, Window
from inos.network.sync.penalties import Punish
from inos.network.sync.progress_watch import SyncWatch
from inos.network.wire.chain import MAX_BLOCK_IDS, BlockData, GetBlocks
from inos.network.wire.control import NotFound
from inos.network.wire.limits import get_limit
from inos.primitives.blocks import compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.codec import encode
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

WORKERS: Final = 4
"""Questions open to one peer at a time, so that it need not wait for us between two."""
REFILL_S: Final = 1.0
MAX_STRIKES: Final = 3
"""Timeouts in a row after which a peer is dropped (not banned)."""
LOOK_S: Final = 0.25
HOLDUP_S: Final = 2.0
"""How long the block that holds up the window is waited for before another peer is asked too; doubled each time that
happens and by and by shortened again while blocks come, as Bitcoin Core's stalling timeout."""
MAX_HOLDUP_S: Final = 64.0
HOLDUP_DECAY: Final = 0.85


class BlockSync:
    """One for all peers."""

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        clock: Clock,
        list_peers: Callable[[], Iterable[Peer]],
        punish: Punish,
        verifier: SealVerifier,
        watch: SyncWatch,
    ) -> None:
        self._ledger = node.ledger
        self._held: set[BlockId] = set()
        self._limits = settings.limits
        self._size = settings.window_blocks
        self._clock = clock
        self._list_peers = list_peers
        self._punish = punish
        self._window: Window[Peer] = Window(2 * settings.window_blocks, settings.window_bytes)
        self._wanted = WantedBlocks(node.ledger, settings.window_blocks, clock, list_peers)
        self._has_work = asyncio.Event()
        self._is_stale = asyncio.Event()
        self._checker = BlockChecker(node, self._window, verifier, clock, punish, self._on_checked)
        self._hand = Hand(node, self._window, clock, punish, watch, self._on_handed_on)
        self._paces: dict[Peer, Pace] = {}
        self._least_holdup_s = min(HOLDUP_S, settings.limits.block)
        self._holdup_s = self._least_holdup_s

    def hold(self, id: BlockId) -> None:
        """The block is on its way as a compact one: do not fetch it."""
        self._held.add(id)

    def release(self, id: BlockId) -> None:
        """It has come, or is fetched like any other."""
        self._held.discard(id)
        if not needs_body(self._ledger, id):
            self._wanted.on_progress()
        self.kick()

    def kick(self) -> None:
        """Look again at what is wanted."""
        self._is_stale.set()

    async def run(self) -> None:
        """Keep the window filled and hand on what is complete, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (self._refill(), self._checker.run(), self._hand.run(), self._relieve()):
                group.create_task(work)

    async def _refill(self) -> None:
        while True:
            self._is_stale.clear()
            wanted = [one for one in self._wanted.find() if one[0] not in self._held]
            self._window.keep(id for id, _, _ in wanted)
            self._window.want(wanted, self._clock.monotonic())
            # Also without anything new: a peer that did not deliver may be asked again by now.
            self._has_work.set()
            try:
                async with asyncio.timeout(REFILL_S):
                    await self._is_stale.wait()
            except TimeoutError:
                continue

    def _on_checked(self) -> None:
        self._hand.wake()
        self._has_work.set()

    def _on_handed_on(self, connected: int) -> None:
        if connected:
            self._wanted.on_progress()
            self._holdup_s = max(self._least_holdup_s, self._holdup_s * HOLDUP_DECAY)
        if len(self._window) < self._size // 2:
            self._is_stale.set()

    async def fetch_from(self, peer: Peer) -> None:
        """Ask one peer for wanted blocks for as long as it is connected.

        Raises:
            Misbehaviour: it sent something else than what it was asked for.
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
        """`budget` keeps this node below the rate of questions the other side allows, however small they get."""
        strikes, pace = 0, self._paces[peer]
        while True:
            room = min(pace.get_room(), MAX_BLOCK_IDS)
            ids = self._window.take(peer, peer.best_height, room, self._clock.monotonic()) if room else []
            if not ids:
                self._has_work.clear()
                await self._has_work.wait()
                continue
            try:
                if not budget.take(self._clock.monotonic()):
                    await asyncio.sleep(LOOK_S)
                await self._ask(peer, ids)
                strikes = 0
            except RequestFailed as error:
                strikes += error.code == "timeout"
                log.debug("blocks not delivered", peer=peer.name, code=error.code, count=len(ids))
                if strikes >= MAX_STRIKES:
                    await peer.close("stalling")
                    return

    async def _ask(self, peer: Peer, ids: list[BlockId]) -> None:
        left, pace, in_flight = set(ids), self._paces[peer], len(ids)
        pace.begin(in_flight, self._clock.monotonic())
        try:
            with peer.requests.open(BlockData, replies=len(ids) + 1) as pending:
                await peer.ask(pending, GetBlocks(pending.request, tuple(ids)), self._limits.block)
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
            raise Misbehaviour("wrong-block", f"block {id.hex()} was not asked for")
        left.discard(id)
        peer.known_blocks.add(id)
        size = len(encode(reply.block)) + len(reply.witness.x_strip) + len(reply.witness.w_strip)
        self._window.put(peer, Body(id, reply.block, reply.witness, size), self._clock.monotonic())
        self._checker.wake()

    async def _relieve(self) -> None:
        """Where one block holds up all others, ask others for what the slow peer has not given; nobody is blamed."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._clock.monotonic()
            holdup = self._window.find_holdup(now, self._holdup_s)
            if holdup is None or not self._is_replaceable(holdup):
                continue
            overdue = self._window.list_overdue(holdup.peer, now, self._holdup_s)
            log.debug("blocks asked of others", height=holdup.height, slow=holdup.peer.name, count=len(overdue))
            self._window.give_back(holdup.peer, overdue, now)
            if holdup.peer in self._paces:
                self._paces[holdup.peer].on_stall()
            self._holdup_s = min(MAX_HOLDUP_S, 2 * self._holdup_s)
            self._has_work.set()

    def _is_replaceable(self, holdup: Holdup[Peer]) -> bool:
        return any(peer is not holdup.peer and peer.best_height >= holdup.height for peer in self._paces)
