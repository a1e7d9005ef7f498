"""The sync service combines the parts of sync, runs their work for each peer, and passes them the node's events."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, assert_never

import structlog

from inos.chain.events import BlockEarly, MatrixAdded, MatrixWanted, TipChanged, TransactionAdded, VoteAdded
from inos.consensus.finality import compute_height
from inos.core.events import Event
from inos.network.errors import RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import NetworkSettings
from inos.network.sync.blocks.sync import BlockSync
from inos.network.sync.headers.sync import HeaderSync
from inos.network.sync.headers.work_check import WorkCheck
from inos.network.sync.matrices.copies import CopyMaintenance, CopyRouting
from inos.network.sync.matrices.provider_search import GetOrDial
from inos.network.sync.matrices.sync import MatrixSync
from inos.network.sync.monitor import SyncMonitor
from inos.network.sync.penalties import Penalise
from inos.network.sync.relay.announcer import Announcer
from inos.network.sync.relay.blocks import BlockRelay
from inos.network.sync.relay.transactions import TransactionRelay
from inos.network.sync.relay.votes import VoteRelay
from inos.network.sync.serving import RequestServer
from inos.network.sync.snapshot.sync import SnapshotSync
from inos.network.wire.base import Notice, Request
from inos.network.wire.chain import AnnounceBlock
from inos.network.wire.compact import CompactBlock, SetCompact
from inos.network.wire.transactions import AnnounceTransactions
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.transactions import compute_tx_id
from inos.primitives.units import BlockId, MatrixId, NodeId

log = structlog.get_logger("inos.network")

MAX_NEW_BLOCKS: Final = 8
"""The matrices of jobs are prefetched if at most this many blocks connect at once; more are a sync through history."""
MAX_UNDONE: Final = 64
"""After a reorganisation the transactions of at most this many blocks are announced again; new peers hear of the whole
pool anyway."""
RETRY_HEADERS_S: Final = 5.0


class SyncRouting(CopyRouting, Protocol):
    """Sync needs this of routing."""

    async def handle_request(self, peer: Peer, request: Request) -> bool:
        """Answer a request; return False if it is not for routing."""

    def on_connected(self, peer: Peer) -> None:
        """Note that a peer has connected."""

    def on_added(self, id: MatrixId) -> None:
        """Note that the node now has a whole matrix."""


class SyncService:
    """Combines the parts of sync."""

    def __init__(
        self,
        own_id: NodeId,
        node: NodePort,
        settings: NetworkSettings,
        clock: Clock,
        list_peers: Callable[[], Iterable[Peer]],
        penalise: Penalise,
        routing: SyncRouting,
        get_or_dial: GetOrDial,
        rng: Randomness,
    ) -> None:
        self._node = node
        self._server = RequestServer(node)
        self.monitor = SyncMonitor(node, clock, list_peers)
        self._blocks = BlockSync(node, settings, clock, list_peers, penalise, self.monitor)
        expected = 0 if settings.checkpoint is None else compute_height(node.params, settings.checkpoint.epoch)
        self._headers = HeaderSync(node, settings.limits, clock, self._blocks.wake, self.monitor, penalise, expected)
        self._work_check = WorkCheck(node, settings.limits, rng, list_peers, penalise)
        self.block_relay = BlockRelay(node, settings.limits, clock, rng, list_peers, self._headers, self._blocks)
        self._transactions = TransactionRelay(node, settings.limits, clock, penalise)
        self._announcer = Announcer(node, settings.announce_interval_s, clock, rng, list_peers)
        self.matrices = MatrixSync(node, settings, clock, list_peers, penalise, routing, get_or_dial)
        self.votes = VoteRelay(node, settings.limits, clock)
        self._state = SnapshotSync(node, settings, clock, list_peers, penalise, self._blocks.wake)
        self._routing = routing
        self._copies = CopyMaintenance(
            own_id,
            node,
            routing,
            get_or_dial,
            self.matrices.fetch_copy,
            self.matrices.abandon_copy,
            settings.copy_check_s,
            clock,
            rng,
        )

    async def handle_request(self, peer: Peer, request: Request) -> None:
        for part in (self.votes, self.block_relay, self._routing, self._copies):
            if await part.handle_request(peer, request):
                return
        await self._server.handle_request(peer, request)

    async def run(self) -> None:
        """Do all work that belongs to no single peer, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (
                self.monitor.run(),
                self._blocks.run(),
                self._work_check.run(),
                self._announcer.run(),
                self.matrices.run(),
                self.votes.run(),
                self._state.run(),
                self._copies.run(),
                self._listen(),
            ):
                group.create_task(work)

    async def run_peer(self, peer: Peer) -> None:
        """Do all work that belongs to one peer, until its link ends."""
        if not peer.is_brief:
            self._node.result_holders.add_peer(peer)
        self._announcer.add_peer(peer)
        self._routing.on_connected(peer)
        try:
            async with asyncio.TaskGroup() as group:
                for work in (
                    self._process_notices(peer),
                    self._learn_chain(peer),
                    self._blocks.fetch_from(peer),
                    self._transactions.fetch_from(peer),
                    self.matrices.fetch_from(peer),
                    self.votes.fetch_from(peer),
                    self._state.fetch_from(peer),
                ):
                    group.create_task(work)
        finally:
            self._node.result_holders.drop_peer(peer)
            self._announcer.drop_peer(peer)
            self.block_relay.drop_peer(peer)
            self._headers.drop_peer(peer)

    async def _process_notices(self, peer: Peer) -> None:
        """Process the peer's notices, also while requests to it wait for an answer."""
        while True:
            notice = await peer.inbox.next()
            try:
                await self._process_notice(peer, notice)
            except RequestFailed as error:
                log.debug("notice not processed", peer=peer.name, code=error.code)
            peer.attention.set()

    async def _learn_chain(self, peer: Peer) -> None:
        """Learn the peer's chain whenever it claims a new tip and its notices have not brought it."""
        while True:
            await peer.inbox.is_idle.wait()
            peer.attention.clear()
            try:
                await self._headers.catch_up(peer)
            except RequestFailed as error:
                log.debug("no headers from peer", peer=peer.name, code=error.code)
            self._blocks.wake()
            try:
                async with asyncio.timeout(RETRY_HEADERS_S):
                    await peer.attention.wait()
            except TimeoutError:
                continue

    async def _process_notice(self, peer: Peer, notice: Notice) -> None:
        match notice:
            case AnnounceBlock():
                if not await self.block_relay.on_announced(peer, notice.header):
                    await self._headers.on_announced(peer, notice)
            case CompactBlock():
                await self.block_relay.on_pushed(peer, notice)
            case SetCompact():
                self.block_relay.on_set_compact(peer, notice)
            case AnnounceTransactions():
                self._transactions.on_announced(peer, notice.ids)
            case _:
                raise TypeError(f"no part of the node takes a {type(notice).__name__}")

    async def _listen(self) -> None:
        async with self._node.events.subscribe() as events:
            async for event in events:
                self._on_event(event)

    def _announce_undone(self, undone: Sequence[BlockId]) -> None:
        """Announce the transactions of undone blocks again: they are back in the pool, and some peers never had those
        blocks."""
        for id in undone[-MAX_UNDONE:]:
            block = self._node.ledger.get_block(id)
            for tx in block.transactions if block is not None else ():
                tx_id = compute_tx_id(tx)
                if self._node.mempool.has(tx_id):
                    self._announcer.on_returned(tx_id)

    def _on_event(self, event: Event) -> None:
        match event:
            case TipChanged():
                self.block_relay.on_connected(event.connected)
                self._announcer.on_blocks(event.connected)
                self._announce_undone(event.disconnected)
                self._blocks.wake()
                if len(event.connected) <= MAX_NEW_BLOCKS:
                    for id in event.connected:
                        block = self._node.ledger.get_block(id)
                        self.matrices.prefetch(block.transactions if block is not None else ())
            case TransactionAdded():
                self._announcer.on_transaction(event.tx_id)
                tx = self._node.mempool.get(event.tx_id)
                self.matrices.prefetch(() if tx is None else (tx,))
            case VoteAdded():
                self.votes.on_added(event.vote)
            case MatrixAdded():
                self.matrices.on_added(event.id)
                self._routing.on_added(event.id)
            case MatrixWanted():
                self.matrices.want(event.ids, event.max_bytes)
            case BlockEarly():
                pass  # The monitor tells that this node's clock may be slow.
            case _:
                assert_never(event)
