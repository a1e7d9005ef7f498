"""The network as the node sees it: start, run, stop, and a list of peers."""

import asyncio
import random
from collections.abc import Iterable

import structlog
from msgspec import structs

from inos.core.verification.seals import SealVerifier
from inos.network.connections import Connections
from inos.network.discovery.addresses.service import AddressService
from inos.network.discovery.routing.service import RoutingService, RoutingStatus
from inos.network.endpoints import compute_group, describe_group, split_endpoint
from inos.network.errors import Misbehaviour
from inos.network.files import MemoryFiles
from inos.network.handler import PeerHandler
from inos.network.identity import NodeIdentity, PeerAddress
from inos.network.link import Transport
from inos.network.peers.bans import BanList
from inos.network.peers.kinds import LinkKind
from inos.network.peers.manager import PeerManager
from inos.network.peers.peer import Peer
from inos.network.peers.static import StaticPeers
from inos.network.ports import Files, NodePort
from inos.network.settings import PROTOCOL_VERSION, NetworkSettings
from inos.network.status import AddressInfo, BanInfo, NetworkStatus, PeerInfo
from inos.network.sync.progress import SyncStatus
from inos.network.sync.relay.blocks import BlockRelayStats
from inos.network.sync.service import SyncService
from inos.network.transport.websocket import WebSocketTransport
from inos.network.wire.control import Hello
from inos.primitives.clock import Clock, SystemClock
from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.randomness import Randomness
from inos.primitives.units import MatrixId, NodeId

log = structlog.get_logger("inos.network")


class NetworkService:
    """Everything between this node and others.

    `await start()` listens (so that a port in use is told at once), `await run()` works until
    `stop()` is called or it is cancelled. After `stop()` it cannot be started again.

    Args:
        clock, rng: injected; by default the machine's.
        transport: WebSockets with Noise by default.
        files: where addresses of peers are kept; by default they end with the service.
        verifier: checks seals and signatures, by default in threads; closed with the service.
    """

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        identity: NodeIdentity,
        *,
        verifier: SealVerifier,
        clock: Clock | None = None,
        rng: Randomness | None = None,
        transport: Transport | None = None,
        files: Files | None = None,
    ) -> None:
        self._node = node
        self._settings = settings
        self._identity = identity
        self._stopping = asyncio.Event()
        self._clock: Clock = clock if clock is not None else SystemClock()
        the_clock = self._clock
        the_rng: Randomness = rng if rng is not None else random.SystemRandom()
        self._transport: Transport = (
            transport
            if transport is not None
            else WebSocketTransport(
                identity, node.genesis_id, host=settings.host, port=settings.port, limits=settings.limits
            )
        )
        the_files: Files = files if files is not None else MemoryFiles()
        self._bans = BanList(settings.ban_s, [peer.id for peer in settings.peers], the_files, the_clock)
        connections = Connections(lambda: self._manager)
        self._routing = RoutingService(
            identity.node_id, node.matrices, settings.routing, connections, self._penalise, the_clock, the_rng
        )
        self._verifier = verifier
        self._sync = SyncService(
            identity.node_id,
            node,
            settings,
            the_clock,
            self._list_peers,
            self._penalise,
            self._verifier,
            self._routing,
            the_rng,
        )
        self._addresses = AddressService(
            identity,
            settings,
            connections,
            the_files,
            the_clock,
            the_rng,
            get_tip=self._sync.get_tip,
            get_port=lambda: self.listen_port,
        )
        self._manager = PeerManager(
            identity.node_id,
            settings,
            self._transport,
            PeerHandler(self._sync, self._addresses),
            self._make_hello,
            self._check_hello,
            the_clock,
            the_rng,
            self._bans,
            compute_hash(Context.ADDRESS_BOOK, b"inbound slots" + identity.secret),
            lambda link: self._addresses.on_arrival(split_endpoint(link.remote_address)[0]),
        )
        self._static = StaticPeers(identity.node_id, self._manager, settings, the_clock, the_rng)

    @property
    def node_id(self) -> NodeId:
        return self._identity.node_id

    @property
    def listen_port(self) -> int:
        """The port others reach this node at; 0 before `start`."""
        return self._transport.port

    @property
    def spread_stats(self) -> BlockRelayStats:
        """What came of new blocks since the start: how many, how many bytes, and how many of them twice."""
        return self._sync.spread_stats

    def peers(self) -> list[PeerInfo]:
        """Connected peers, in the order they came."""
        return [
            PeerInfo(
                id=peer.id,
                address=peer.link.remote_address,
                is_outbound=peer.link.is_outbound,
                kind=peer.kind,
                is_brief=peer.is_brief,
                group=describe_group(peer.group),
                score=round(peer.score.get(self._clock.monotonic())),
                user_agent=peer.hello.user_agent,
                height=peer.best_height,
                latency_ms=None if peer.latency_s is None else peer.latency_s * 1000,
                bytes_in=peer.link.bytes_in,
                bytes_out=peer.link.bytes_out,
                bytes_waiting=peer.out.count_bytes(),
                since_ms=peer.since_ms,
            )
            for peer in self._manager.peers.values()
        ]

    def get_status(self) -> NetworkStatus:
        """Reachability, slots and the address book in figures."""
        peers = self._manager.peers.values()
        outbound = [peer for peer in peers if peer.kind is LinkKind.OUTBOUND]
        found, own = self._addresses, self._addresses.get_own()
        return NetworkStatus(
            listen_port=self.listen_port,
            reachability=found.get_or_dial.value,
            observed_host=found.observed_host,
            announced="" if own is None else str(own),
            discovery=self._settings.discovery,
            links={kind.value: sum(peer.kind is kind for peer in peers) for kind in LinkKind},
            max_outbound=self._settings.max_outbound,
            max_inbound=self._settings.max_inbound,
            outbound_groups=len({peer.group for peer in outbound}),
            known_new=found.book.new_count,
            known_tried=found.book.tried_count,
            is_stale=found.is_stale,
            spread=structs.asdict(self._sync.spread_stats),
        )

    def list_addresses(self) -> list[AddressInfo]:
        """The address book, those seen last first."""
        entries = sorted(self._addresses.book, key=lambda entry: -entry.seen_ms)
        return [
            AddressInfo(
                id=entry.address.id,
                host=entry.address.host,
                port=entry.address.port,
                group=describe_group(compute_group(entry.address.host, entry.address.port)),
                is_tried=entry.is_tried,
                seen_ms=max(0, entry.seen_ms),
                attempt_ms=entry.attempt_ms,
                reached_ms=entry.reached_ms,
                attempts=entry.attempts,
            )
            for entry in entries
        ]

    def get_sync_status(self) -> SyncStatus:
        """Where sync stands, how fast it is and what bounds it."""
        return self._sync.get_status()

    def list_bans(self) -> list[BanInfo]:
        """Nodes, then network groups, that are refused now."""
        nodes = [
            BanInfo(False, ban.subject.hex(), ban.until_ms, ban.since_ms, ban.reason) for ban in self._bans.list_ids()
        ]
        groups = [
            BanInfo(True, describe_group(ban.subject), ban.until_ms, ban.since_ms, ban.reason)
            for ban in self._bans.list_groups()
        ]
        return nodes + groups

    def lift_bans(self, subject: str) -> int:
        """End bans by a node's id in hex, a group's name, or "all" of them; how many there were."""
        return self._bans.lift(subject)

    async def start(self) -> None:
        """Listen.

        Raises:
            NetworkError: "port-in-use", "cannot-listen".
        """
        await self._bans.load()
        await self._transport.listen(self._make_hello, self._manager.accept)
        log.info("network listening", id=self.node_id.hex(), port=self.listen_port)

    async def run(self) -> None:
        """Dial, sync and relay until `stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                works = (self._sync, self._addresses, self._routing, self._static, self._bans)
                work = group.create_task(self._manager.run(*(each.run() for each in works)))
                await self._stopping.wait()
                work.cancel()
        finally:
            await self._close()

    async def stop(self) -> None:
        """Close every link, then return; `run` ends. May be repeated."""
        await self._addresses.save()
        await self._bans.save()
        self._stopping.set()
        await self._close()

    async def _close(self) -> None:
        await self._manager.stop()
        await self._transport.stop()
        self._verifier.close()

    async def fetch_matrix(self, id: MatrixId, timeout_s: float) -> None:
        """Have the matrix in the node's store within `timeout_s` seconds.

        Raises:
            MatrixMissing: nobody had it in time.
        """
        await self._sync.fetch_matrix(id, timeout_s)

    @property
    def is_running(self) -> bool:
        """Whether links can be dialled."""
        return self._manager.is_running

    async def get_or_dial(self, address: PeerAddress, limit_s: float) -> Peer:
        """See PeerManager.reach."""
        return await self._manager.get_or_dial(address, limit_s)

    async def provide(self, id: MatrixId) -> int:
        """Tell the nodes nearest to a matrix that this one has it; how many of them keep record of it.

        Raises:
            MatrixMissing: this node has it not.
        """
        return await self._routing.provide(id)

    async def find_providers(self, id: MatrixId, limit: int = 3) -> list[PeerAddress]:
        """At most `limit` other nodes that have just proven to have a matrix."""
        return await self._routing.find_providers(id, limit)

    def get_routing_status(self) -> RoutingStatus:
        """How many contacts, records and provided matrices there are."""
        return self._routing.get_status()

    def _list_peers(self) -> Iterable[Peer]:
        return self._manager.list_full()

    async def _penalise(self, peer: Peer, fault: Misbehaviour) -> None:
        await self._manager.penalise(peer, fault)

    def _make_hello(self, is_brief: bool = False) -> bytes:
        tip = self._node.ledger.tip
        return encode(
            Hello(
                version=PROTOCOL_VERSION,
                chain_id=self._node.params.chain_id,
                genesis_id=self._node.genesis_id,
                user_agent=self._settings.user_agent[:64],
                tip=tip.id,
                height=tip.header.height,
                weight=min(tip.weight, 2**256 - 1).to_bytes(32, "big"),
                listen_port=self.listen_port,
                is_brief=is_brief,
            )
        )

    def _check_hello(self, hello: Hello) -> str:
        if hello.chain_id != self._node.params.chain_id:
            return "other-chain"
        if hello.genesis_id != self._node.genesis_id:
            return "other-genesis"
        return ""
