"""The node as the RPC sees it: inos.rpc.ports.NodePort over service, network and miner."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.agents.voter.voter import Voter
from inos.agents.watcher import Watcher
from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool
from inos.consensus.params import Params
from inos.consensus.records import StateKey
from inos.consensus.statetree import StateProof
from inos.core.events import Subscription
from inos.core.service import NodeService
from inos.core.templates import Desk
from inos.core.votes import VoteRoom
from inos.genesis import Network
from inos.mesh.store import MatrixStore
from inos.miner import Miner
from inos.network.service import NetworkService
from inos.network.settings import PROTOCOL_VERSION
from inos.network.status import AddressInfo, BanInfo, NetworkStatus
from inos.network.sync.progress import SyncStatus
from inos.node.health import HealthChecks
from inos.node.monitor import PulseTaker
from inos.node.snapshots import Snapshots
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, Height, MatrixId, NodeId, TxId
from inos.rpc import Health, PeerInfo, Provider, Pulse, RoutingInfo


class RpcNode:
    """Reads and calls for the RPC server.

    Args:
        stop: begins the ordered stop of the whole node.
    """

    def __init__(
        self,
        service: NodeService,
        peers: NetworkService,
        miner: Miner | None,
        node_id: NodeId,
        stop: Callable[[], None],
        watcher: Watcher | None = None,
        voter: Voter | None = None,
        *,
        pulse: PulseTaker,
        health: HealthChecks,
        snapshots: Snapshots,
    ) -> None:
        self._service = service
        self._peers = peers
        self._stop = stop
        self._pulse = pulse
        self._health = health
        self.snapshots = snapshots
        self.miner = miner
        self.watcher = watcher
        self.voter = voter
        self.templates = Desk(service)
        self.node_id = node_id
        self.protocol_version = PROTOCOL_VERSION

    @property
    def params(self) -> Params:
        return self._service.params

    @property
    def network(self) -> Network:
        return self._service.network

    @property
    def genesis_id(self) -> BlockId:
        return self._service.genesis_id

    @property
    def ledger(self) -> Ledger:
        return self._service.ledger

    @property
    def votes(self) -> VoteRoom:
        return self._service.votes

    @property
    def mempool(self) -> Mempool:
        return self._service.mempool

    @property
    def matrices(self) -> MatrixStore:
        return self._service.matrices

    def subscribe(self) -> Subscription:
        return self._service.subscribe()

    def health(self) -> Health:
        return self._health.get(self._pulse.get())

    def get_pulse(self) -> Pulse:
        return self._pulse.get()

    def get_sync_status(self) -> SyncStatus:
        return self._peers.sync.monitor.get_status()

    def net_peers(self) -> Sequence[PeerInfo]:
        return [
            PeerInfo(
                node_id=peer.id,
                address=peer.address,
                is_inbound=not peer.is_outbound,
                height=Height(peer.height),
                connected_at=peer.since_ms,
                latency_ms=-1 if peer.latency_ms is None else round(peer.latency_ms),
                kind=peer.kind.value,
                group=peer.group,
                score=peer.score,
                bytes_received=peer.bytes_in,
                bytes_sent=peer.bytes_out,
            )
            for peer in self._peers.peers()
        ]

    def net_status(self) -> NetworkStatus:
        return self._peers.get_status()

    def net_addresses(self) -> Sequence[AddressInfo]:
        return self._peers.list_addresses()

    def net_bans(self) -> Sequence[BanInfo]:
        return self._peers.list_bans()

    def lift_bans(self, subject: str) -> int:
        return self._peers.bans.lift(subject)

    def net_routing(self) -> RoutingInfo:
        status = self._peers.routing.get_status()
        return RoutingInfo(
            contacts=status.contacts, buckets=status.buckets, records=status.records, provided=status.provided
        )

    async def find_providers(self, matrix: MatrixId, limit: int) -> Sequence[Provider]:
        found = await self._peers.routing.find_providers(matrix, limit)
        return [Provider(node_id=each.id, host=each.host, port=each.port) for each in found]

    async def provide_matrix(self, matrix: MatrixId) -> int:
        return await self._peers.routing.provide(matrix)

    def request_stop(self) -> None:
        self._stop()

    async def add_transaction(self, tx: Transaction) -> TxId:
        return await self._service.add_transaction(tx)

    async def prove_past(self, block: BlockId, key: StateKey) -> tuple[bytes | None, StateProof] | None:
        return await self._service.prove_past(block, key)

    async def add_matrix(self, array: NDArray[np.int8] | NDArray[np.int32]) -> MatrixRef:
        return await self._service.add_matrix(array)

    async def add_rows(
        self, matrix: MatrixId, shape: tuple[int, int, int], first: int, rows: NDArray[Any] | None
    ) -> int:
        return await self._service.add_some(matrix, shape, first, rows)

    async def pin_matrix(self, matrix: MatrixId, is_pinned: bool) -> None:
        await self._service.depot.pin(matrix, is_pinned)

    async def drop_matrix(self, matrix: MatrixId) -> bool:
        return await self._service.depot.drop(matrix)

    async def set_quota(self, quota: int | None) -> None:
        await self._service.depot.set_quota(quota)

    async def fetch_matrix(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        return await self._service.fetch_matrix(matrix, timeout_s)
