"""What the RPC needs of a node. The node's service satisfies it by shape; structs here are filled by the node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from inos.primitives.errors import InosError
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, NodeId, TimeMs, TxId

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from inos.agents.status import VoterStatus, WatchStatus
    from inos.chain.ledger import BlockOutcome, Ledger
    from inos.chain.mempool import Mempool
    from inos.consensus.params import Params
    from inos.consensus.records import StateKey
    from inos.consensus.statetree import StateProof
    from inos.genesis import Network
    from inos.mesh.store import MatrixStore
    from inos.miner.figures import MinerStatus
    from inos.network.status import AddressInfo, BanInfo, NetworkStatus
    from inos.network.sync.progress import SyncStatus
    from inos.primitives.matrices import MatrixRef, Seal, Witness
    from inos.primitives.transactions import RegisterVoter, Transaction
    from inos.primitives.units import Nano
    from inos.primitives.votes import Link


class PeerInfo(Struct, frozen=True, kw_only=True):
    """One connected peer."""

    node_id: NodeId
    address: str
    """host:port as seen from here."""
    is_inbound: bool
    height: Height
    """Height of the peer's tip as last told."""
    connected_at: TimeMs
    latency_ms: int
    """Of the last ping; -1 before the first."""
    kind: str
    """static, outbound, feeler, short or inbound."""
    group: str
    """Its network group."""
    score: int
    """Penalty points; at the limit the peer is disconnected."""
    bytes_received: int
    bytes_sent: int


class RoutingInfo(Struct, frozen=True, kw_only=True):
    """How this node finds who has which matrix."""

    contacts: int
    """Nodes in the routing table."""
    buckets: int
    records: int
    """What other nodes provide, kept here for whoever asks."""
    provided: int
    """Matrices this node tells others it has."""


class Provider(Struct, frozen=True):
    """A node that has a matrix, and where it is dialled."""

    node_id: NodeId
    host: str
    port: int


class Check(Struct, frozen=True):
    """One question about the node's health and its answer in words."""

    name: str
    is_ok: bool
    detail: str
    hint: str = ""
    """What to do where it fails."""
    code: str = ""
    """Which of its causes it is, where it fails."""


class Health(Struct, frozen=True):
    """All checks; the node is well when every one is."""

    checks: tuple[Check, ...]
    is_ready: bool
    """Whether it follows the chain, so that what it answers is of now."""

    @property
    def is_ok(self) -> bool:
        return all(check.is_ok for check in self.checks)


class SnapshotStatus(Struct, frozen=True):
    """The copy of the node that was asked for last."""

    state: Literal["none", "running", "done", "failed"]
    path: str = ""
    step: str = ""
    """What is being copied, and how many of how many bytes of it are."""
    copied: int = 0
    of: int = 0
    bytes: int = 0
    """Of the whole copy, once it is done."""
    matrices: int = 0
    error: InosError | None = None


class Snapshots(Protocol):
    """Makes copies of the node's data while it runs."""

    def begin(self, path: Path, has_matrices: bool) -> bool:
        """Start a copy; False where one is being made."""

    def get_status(self) -> SnapshotStatus: ...


class Pulse(Struct, frozen=True, kw_only=True):
    """What the node noticed of itself since it was started."""

    uptime_s: float
    loop_lag_s: float
    """How much longer than asked for the event loop slept last."""
    blocks_connected: int
    blocks_undone: int
    deepest_reorganisation: int
    clock_ahead_ms: int | None
    """Of the clocks of the blocks' miners; None before enough blocks have come."""


class MinerControl(Protocol):
    """The node's miner, started or not."""

    def get_status(self) -> MinerStatus: ...

    def get_rows_done(self, job: JobId) -> int | None:
        """Rows made of a job's product; None where this miner has not taken it on."""

    def start(self) -> None:
        """Begin, or go on; nothing happens where it runs already."""

    def stop(self) -> None:
        """Pause; nothing happens where it rests already."""


class VoterControl(Protocol):
    """The node's voter on finality."""

    def get_status(self) -> VoterStatus: ...

    def make_registration(self, address: Address, bond: Nano) -> RegisterVoter:
        """Key and proof for a registration that the account of `address` sends."""

    async def register(self, bond: Nano) -> TxId:
        """Register with the node's own account. NodeError "no-account", RuleViolation, PoolRejected."""

    async def unbond(self) -> TxId: ...

    async def withdraw(self) -> TxId: ...


class VotesInfo(Protocol):
    """Votes the node has heard."""

    def count_votes(self, link: Link) -> int: ...

    def get_caught(self) -> Sequence[bytes]:
        """BLS keys this node has evidence against."""


class WatchControl(Protocol):
    """The node's watcher of optimistic results."""

    def get_status(self) -> WatchStatus: ...


class Templates(Protocol):
    """Work for miners outside the node; see inos.core.templates."""

    async def wait_tip(self, known: BlockId, wait_s: float) -> None: ...

    async def make_offer(self, beneficiary: Address) -> Any:
        """An id and a inos.chain.template.Template."""

    async def submit(self, id: BlockId, nonce: int, seal: Seal, witness: Witness) -> tuple[BlockId, BlockOutcome]: ...


class EventStream(Protocol):
    """What the node tells its listeners, from the moment the context is entered: things of inos.chain.events."""

    async def __aenter__(self) -> EventStream: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> EventStream: ...

    async def __anext__(self) -> object: ...


class NodePort(Protocol):
    """The node as the RPC sees it. Reads are of the connected tip and do not block."""

    @property
    def params(self) -> Params: ...

    @property
    def network(self) -> Network: ...

    @property
    def genesis_id(self) -> BlockId: ...

    @property
    def node_id(self) -> NodeId: ...

    @property
    def protocol_version(self) -> int:
        """Version of the protocol between nodes."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def mempool(self) -> Mempool: ...

    @property
    def matrices(self) -> MatrixStore: ...

    @property
    def watcher(self) -> WatchControl | None: ...

    @property
    def voter(self) -> VoterControl | None:
        """None where the node was started without --vote."""

    @property
    def votes(self) -> VotesInfo: ...

    @property
    def miner(self) -> MinerControl | None:
        """None where the node was started without a beneficiary."""

    @property
    def templates(self) -> Templates: ...

    def subscribe(self) -> EventStream:
        """Events from now on; a listener that lags misses the oldest."""

    @property
    def snapshots(self) -> Snapshots: ...

    def health(self) -> Health: ...

    def get_pulse(self) -> Pulse: ...

    def get_sync_status(self) -> SyncStatus: ...

    def net_peers(self) -> Sequence[PeerInfo]: ...

    def net_status(self) -> NetworkStatus:
        """Reachability, links and the address book in figures."""

    def net_addresses(self) -> Sequence[AddressInfo]:
        """The address book, those seen last first."""

    def net_bans(self) -> Sequence[BanInfo]:
        """Nodes, then network groups, that are refused now."""

    def lift_bans(self, subject: str) -> int:
        """End bans by a node's id in hex, a group's name, or "all" of them; how many there were."""

    def net_routing(self) -> RoutingInfo: ...

    async def find_providers(self, matrix: MatrixId, limit: int) -> Sequence[Provider]:
        """At most `limit` other nodes that have just proven to have a matrix."""

    async def provide_matrix(self, matrix: MatrixId) -> int:
        """Tell the network that this node has a matrix; how many nodes keep record of it. Else MatrixMissing."""

    def request_stop(self) -> None:
        """Begin an ordered stop of the whole node; returns at once."""

    async def add_transaction(self, tx: Transaction) -> TxId:
        """Put a transaction into the pool and announce it; RuleViolation, PoolRejected or NotYet where refused."""

    async def prove_past(self, block: BlockId, key: StateKey) -> tuple[bytes | None, StateProof] | None:
        """A record after a recent checkpoint with its proof; None where that state is not kept here."""

    async def add_matrix(self, array: NDArray[np.int8] | NDArray[np.int32]) -> MatrixRef:
        """Store a matrix, so that this node serves it by id."""

    async def add_rows(
        self, matrix: MatrixId, shape: tuple[int, int, int], first: int, rows: NDArray[Any] | None
    ) -> int:
        """Store some rows of a matrix (data type, rows, columns); how many there are now. MeshError, InvalidMatrix."""

    async def pin_matrix(self, matrix: MatrixId, is_pinned: bool) -> None:
        """Never drop a matrix, or let it give way again; on disk when this returns. MeshError."""

    async def drop_matrix(self, matrix: MatrixId) -> bool:
        """Delete a matrix; False where it is pinned, needed, or not here."""

    async def set_quota(self, quota: int | None) -> None:
        """How many bytes matrices may take; None for what the node was started with. MeshError."""

    async def fetch_matrix(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        """The matrix from this node's store, or from peers within `timeout_s` seconds; else MatrixMissing."""
