"""The RPC needs these services of a node, each with the few members that methods call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from inos.primitives.errors import InosError
from inos.primitives.matrices import DType
from inos.primitives.units import Address, BlockId, JobId, MatrixId, NodeId, TxId

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inos.agents.status import VoterStatus, WatchStatus
    from inos.chain.ledger import BlockOutcome
    from inos.chain.mempool import Mempool
    from inos.chain.view import LedgerView
    from inos.chain.votepool import Evidence
    from inos.consensus.params import Params
    from inos.consensus.records import StateKey
    from inos.consensus.statetree import StateProof
    from inos.core.monitor import NodeStats
    from inos.genesis import Network
    from inos.mesh.store import MatrixStore
    from inos.miner.stats import MinerStatus
    from inos.network.discovery.routing.service import RoutingStatus
    from inos.network.identity import PeerAddress
    from inos.network.status import AddressInfo, BanInfo, NetworkStatus, PeerInfo
    from inos.network.sync.progress import SyncStatus
    from inos.primitives.matrices import MatrixRef, Seal, Witness
    from inos.primitives.transactions import RegisterVoter, Transaction
    from inos.primitives.units import Nano
    from inos.primitives.votes import Link
    from inos.rpc.health import Health
    from inos.workers.pool.pool import Pool
    from inos.workers.server.status import WorkersStatus


class SnapshotStatus(Struct, frozen=True):
    """Describes the latest copy of the node."""

    state: Literal["none", "running", "done", "failed"]
    path: str = ""
    step: str = ""
    """What is being copied now."""
    step_bytes: int = 0
    step_total_bytes: int = 0
    bytes: int = 0
    """Counts the bytes of the complete copy, once it is done."""
    matrices: int = 0
    error: InosError | None = None


class SnapshotsPort(Protocol):
    """Makes copies of the node's data while it runs."""

    def begin(self, path: Path, has_matrices: bool) -> bool:
        """Start a copy, and return False if one is being made."""

    def get_status(self) -> SnapshotStatus: ...


class MinerPort(Protocol):
    """Mines for the node, while it is started."""

    def get_status(self) -> MinerStatus: ...

    def get_rows_done(self, job: JobId) -> int | None:
        """Return how many rows of a job's product are made, or None if this miner has not taken the job on."""

    def start(self) -> None:
        """Start, or resume. Nothing happens if it runs already."""

    def stop(self) -> None:
        """Pause. Nothing happens if it is paused already."""


class WorkersPort(Protocol):
    """Lets workers multiply for the node."""

    def get_status(self) -> WorkersStatus: ...


class VoterPort(Protocol):
    """Votes on finality for the node."""

    def get_status(self) -> VoterStatus: ...

    def make_registration(self, address: Address, bond: Nano) -> RegisterVoter:
        """Return key and proof for a registration that the account of `address` sends."""

    async def register(self, bond: Nano) -> TxId:
        """Register with the node's own account. NodeError "no-account", RuleViolation, PoolRejected."""

    async def unbond(self) -> TxId: ...

    async def withdraw(self) -> TxId: ...


class VotePoolPort(Protocol):
    """Holds the votes the node has received."""

    def count_votes(self, link: Link) -> int: ...

    def get_evidence(self) -> tuple[Evidence, ...]:
        """Return pairs of conflicting votes, one for each voter that signed some."""


class VotesPort(Protocol):
    """Checks votes."""

    @property
    def pool(self) -> VotePoolPort: ...


class WatcherPort(Protocol):
    """Watches optimistic results for the node."""

    def get_status(self) -> WatchStatus: ...


class TemplatesPort(Protocol):
    """Issues work for miners outside the node; see inos.core.templates."""

    async def wait_tip(self, known: BlockId, wait_s: float) -> None: ...

    async def issue(self, beneficiary: Address) -> Any:
        """Return an id and an inos.chain.template.Template."""

    async def submit(self, id: BlockId, nonce: int, seal: Seal, witness: Witness) -> tuple[BlockId, BlockOutcome]: ...


class EventStream(Protocol):
    """Yields events of inos.core.events, from the moment the context is entered."""

    async def __aenter__(self) -> EventStream: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> EventStream: ...

    async def __anext__(self) -> object: ...


class EventsPort(Protocol):
    """Publishes the node's events."""

    def subscribe(self) -> EventStream:
        """Return the events from now on. A subscriber that lags misses the oldest."""


class TransactionsPort(Protocol):
    """Takes transactions."""

    async def send(self, tx: Transaction) -> TxId:
        """Execute a transaction on the tip and take it into the pool; RuleViolation, PoolRejected or NotYet if it is
        refused."""

    async def send_many(self, transactions: Sequence[Transaction]) -> Sequence[TxId | InosError | None]:
        """Take several transactions as by `send`; return the id of each, or what refused it.

        None stands for one that was not taken, since its check takes long: `send` takes it.
        """


class PastStatesPort(Protocol):
    """Reads the states after recent checkpoints."""

    async def prove(self, block: BlockId, key: StateKey) -> tuple[bytes | None, StateProof] | None:
        """Return a record with its proof, or None if that state is not kept here."""


class MatricesPort(Protocol):
    """Stores and fetches matrices."""

    @property
    def store(self) -> MatrixStore: ...

    async def put(self, array: NDArray[Any]) -> MatrixRef:
        """Store a matrix, so that this node serves it by id."""

    async def put_bytes(self, data: bytes) -> MatrixRef:
        """Store a file, so that this node serves it by id."""

    async def put_rows(
        self, matrix: MatrixId, shape: tuple[DType, int, int], first: int, rows: NDArray[Any] | None
    ) -> int:
        """Store some rows of a matrix (data type, rows, columns), and return how many are here.

        Raises:
            MeshError, InvalidMatrix.
        """

    async def pin(self, matrix: MatrixId) -> None:
        """Never drop a matrix; the pin is on disk when this returns. It may raise MeshError."""

    async def unpin(self, matrix: MatrixId) -> bool:
        """Remove a pin, and return False if there was none. It may raise MeshError."""

    async def drop(self, matrix: MatrixId) -> bool:
        """Delete a matrix, and return False if it is pinned, needed, or not here."""

    async def set_quota(self, quota: int | None) -> None:
        """Set how many bytes matrices may take; None restores the node's first limit. It may raise MeshError."""

    async def fetch(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        """Return a matrix from the store, or from peers within `timeout_s` seconds; otherwise raise MatrixMissing.
        A file is one row of uint8."""


class BansPort(Protocol):
    """Holds the nodes and network groups that are refused."""

    def lift(self, subject: str) -> int:
        """End bans by a node's id in hex, a group's name, or "all", and return how many there were."""


class RoutingPort(Protocol):
    """Holds the table of nodes, and the records of which node has which matrix."""

    def get_status(self) -> RoutingStatus: ...

    async def find_providers(self, id: MatrixId, limit: int) -> Sequence[PeerAddress]:
        """Return at most `limit` other nodes that have just proven to have a matrix."""

    async def provide(self, id: MatrixId) -> int:
        """Tell the network that this node has a matrix, and return how many nodes keep the record.

        It raises MatrixMissing if this node lacks the matrix.
        """


class SyncMonitorPort(Protocol):
    """Monitors the progress of sync."""

    def get_status(self) -> SyncStatus: ...


class SyncPort(Protocol):
    """Follows the chain of peers."""

    @property
    def monitor(self) -> SyncMonitorPort: ...


class PeersPort(Protocol):
    """Connects this node with others; inos.network.service.NetworkService satisfies it."""

    @property
    def bans(self) -> BansPort: ...

    @property
    def routing(self) -> RoutingPort: ...

    @property
    def sync(self) -> SyncPort: ...

    def peers(self) -> Sequence[PeerInfo]: ...

    def count_peers(self) -> int: ...

    def get_status(self) -> NetworkStatus:
        """Return reachability, links and the counts of the address book."""

    def list_addresses(self) -> Sequence[AddressInfo]:
        """Return the address book, those seen last first."""

    def list_bans(self) -> Sequence[BanInfo]:
        """Return the nodes, then the network groups, that are refused now."""


class MonitorPort(Protocol):
    """Measures the node itself."""

    def get_stats(self) -> NodeStats: ...


class HealthPort(Protocol):
    """Checks the node itself."""

    def check(self) -> Health: ...


class NodePort(Protocol):
    """Gives the RPC the services of a node. Reads are of the connected tip and do not block."""

    @property
    def params(self) -> Params: ...

    @property
    def network(self) -> Network: ...

    @property
    def genesis_id(self) -> BlockId: ...

    @property
    def node_id(self) -> NodeId: ...

    @property
    def ledger(self) -> LedgerView: ...

    @property
    def mempool(self) -> Mempool: ...

    @property
    def events(self) -> EventsPort: ...

    @property
    def transactions(self) -> TransactionsPort: ...

    @property
    def matrices(self) -> MatricesPort: ...

    @property
    def templates(self) -> TemplatesPort: ...

    @property
    def votes(self) -> VotesPort: ...

    @property
    def past_states(self) -> PastStatesPort: ...

    @property
    def p2p(self) -> PeersPort: ...

    @property
    def watcher(self) -> WatcherPort | None:
        """This is None if the node was started without --watch."""

    @property
    def voter(self) -> VoterPort | None:
        """This is None if the node was started without --vote."""

    @property
    def miner(self) -> MinerPort | None:
        """This is None if the node was started without a beneficiary."""

    @property
    def workers(self) -> WorkersPort | None:
        """This is None if the node was started without a beneficiary."""

    @property
    def pool(self) -> Pool | None:
        """This is None if the node was started without --pool."""

    @property
    def snapshots(self) -> SnapshotsPort: ...

    @property
    def monitor(self) -> MonitorPort: ...

    @property
    def health(self) -> HealthPort: ...

    def request_stop(self) -> None:
        """Begin an ordered stop of the whole node, and return at once."""
