"""The network as the node uses it: start, run, stop, and the status of peers, addresses and bans."""

import asyncio

import structlog
from msgspec import structs

from inos.network.discovery.addresses.service import AddressService
from inos.network.discovery.routing.service import RoutingService
from inos.network.endpoints import compute_group, describe_group
from inos.network.files import MemoryFiles
from inos.network.handler import PeerHandler
from inos.network.identity import NodeIdentity
from inos.network.link import Transport
from inos.network.peers.bans import BanList
from inos.network.peers.kinds import LinkKind
from inos.network.peers.manager import PeerManager
from inos.network.peers.static import StaticPeers
from inos.network.ports import Files, NodePort
from inos.network.settings import PROTOCOL_VERSION, NetworkSettings
from inos.network.status import AddressInfo, BanInfo, NetworkStatus, PeerInfo
from inos.network.sync.service import SyncService
from inos.network.transport.websocket import WebSocketTransport
from inos.network.wire.control import Hello
from inos.primitives.clock import Clock
from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.randomness import Randomness
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")


class NetworkService:
    """Connects this node to other nodes.

    `await start()` listens, so that a port in use is reported at once. `await run()` works until `stop()` is called or
    the task is cancelled. A stopped service cannot be started again.

    Args:
        clock, rng: the sources of time and randomness.
        transport: makes the links; WebSockets with Noise by default.
        files: keep the addresses of peers; by default they are lost with the service.
    """

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        identity: NodeIdentity,
        *,
        clock: Clock,
        rng: Randomness,
        transport: Transport | None = None,
        files: Files | None = None,
    ) -> None:
        self._node = node
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._files: Files = files if files is not None else MemoryFiles()
        self._stopping = asyncio.Event()
        self._transport: Transport = (
            transport
            if transport is not None
            else WebSocketTransport(
                identity,
                node.genesis_id,
                host=settings.host,
                port=settings.port,
                limits=settings.limits,
                max_proven=settings.max_inbound + settings.max_short,
            )
        )
        self.node_id = identity.node_id
        self.listen_port = 0
        """Other nodes reach this one at this port; it is 0 before `start`."""
        self.bans = BanList(settings.ban_s, [peer.id for peer in settings.peers], self._files, self._clock)
        self.manager = self._make_manager(identity)
        self.routing = self._make_routing()
        self.sync = self._make_sync()
        self.addresses = self._make_addresses(identity)
        self._static = StaticPeers(self.node_id, self.manager, settings, self._clock, self._rng)

    def _make_manager(self, identity: NodeIdentity) -> PeerManager:
        return PeerManager(
            self.node_id,
            self._settings,
            self._transport,
            self._make_hello,
            self._check_hello,
            self._get_tip,
            self._clock,
            self._rng,
            self.bans,
            compute_hash(Context.ADDRESS_BOOK, b"inbound slots" + identity.secret),
        )

    def _make_routing(self) -> RoutingService:
        return RoutingService(
            self.node_id,
            self._node.matrices.store,
            self._settings.routing,
            self.manager,
            self.manager.penalise,
            self._clock,
            self._rng,
        )

    def _make_sync(self) -> SyncService:
        return SyncService(
            self.node_id,
            self._node,
            self._settings,
            self._clock,
            self.manager.list_full,
            self.manager.penalise,
            self.routing,
            self.manager.get_or_dial,
            self._rng,
        )

    def _make_addresses(self, identity: NodeIdentity) -> AddressService:
        return AddressService(
            identity,
            self._settings,
            self.manager,
            self._files,
            self._clock,
            self._rng,
            get_tip=self._get_tip,
            get_port=lambda: self.listen_port,
        )

    def _get_tip(self) -> tuple[BlockId, int]:
        tip = self._node.ledger.tip
        return tip.id, tip.header.height

    def peers(self) -> list[PeerInfo]:
        """Return the connected peers in the order in which they connected."""
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
            for peer in self.manager.peers.values()
        ]

    def count_peers(self) -> int:
        return len(self.manager.peers)

    def get_status(self) -> NetworkStatus:
        """Return reachability, links and the size of the address book."""
        peers = self.manager.peers.values()
        outbound = [peer for peer in peers if peer.kind is LinkKind.OUTBOUND]
        found, own = self.addresses, self.addresses.get_own()
        return NetworkStatus(
            listen_port=self.listen_port,
            reachability=found.reach.value,
            observed_host=found.reachability.observed_host,
            announced="" if own is None else str(own),
            discovery=self._settings.discovery,
            links={kind.value: sum(peer.kind is kind for peer in peers) for kind in LinkKind},
            max_outbound=self._settings.max_outbound,
            max_inbound=self._settings.max_inbound,
            outbound_groups=len({peer.group for peer in outbound}),
            known_new=found.book.new_count,
            known_tried=found.book.tried_count,
            is_stale=found.rotation.is_stale,
            block_relay=structs.asdict(self.sync.block_relay.stats),
        )

    def list_addresses(self) -> list[AddressInfo]:
        """Return the address book; the addresses seen last come first."""
        entries = sorted(self.addresses.book, key=lambda entry: -entry.seen_ms)
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

    def list_bans(self) -> list[BanInfo]:
        """Return the nodes and then the network groups that are banned now."""
        nodes = [
            BanInfo(False, ban.subject.hex(), ban.until_ms, ban.since_ms, ban.reason) for ban in self.bans.list_ids()
        ]
        groups = [
            BanInfo(True, describe_group(ban.subject), ban.until_ms, ban.since_ms, ban.reason)
            for ban in self.bans.list_groups()
        ]
        return nodes + groups

    async def start(self) -> None:
        """Listen for links from other nodes.

        Raises:
            NetworkError: "port-in-use", "cannot-listen".
        """
        await self.bans.load()
        await self.addresses.load()
        await self.manager.listen(PeerHandler(self.sync, self.addresses))
        self.listen_port = self._transport.port
        log.info("network listening", id=self.node_id.hex(), port=self.listen_port)

    async def run(self) -> None:
        """Dial, sync and relay until `stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                works = (self.sync, self.addresses, self.routing, self._static, self.bans)
                work = group.create_task(self.manager.run(*(each.run for each in works)))
                await self._stopping.wait()
                work.cancel()
        finally:
            await self._close()

    async def stop(self) -> None:
        """Close every link and return; `run` then ends. This method may be called again."""
        await self.addresses.save()
        await self.bans.save()
        self._stopping.set()
        await self._close()

    async def _close(self) -> None:
        await self.manager.stop()
        await self._transport.stop()
        self.listen_port = 0

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
                first_block=self._node.ledger.first_block,
            )
        )

    def _check_hello(self, hello: Hello) -> str:
        if hello.chain_id != self._node.params.chain_id:
            return "other-chain"
        if hello.genesis_id != self._node.genesis_id:
            return "other-genesis"
        return ""
