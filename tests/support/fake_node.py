"""A node in memory for tests of the RPC and its client: real rules and real signatures, no proof of work, no disk.

Blocks are executed by `inos.consensus.execution` on a dictionary; `work_jobs` plays an honest worker.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.chain.events import TipChanged, TransactionAdded
from inos.chain.jobrecords import TrackRecord, decode_record, make_event_changes
from inos.chain.ledger import HistoryEntry, Tip
from inos.chain.ranking import Ranking
from inos.chain.schema import record_key
from inos.chain.totals import Totals, add_block
from inos.chain.view import BlockFinality
from inos.consensus.execution import BlockStats, Execution
from inos.consensus.genesis_state import GenesisState
from inos.consensus.jobevents import JobEvent
from inos.consensus.movements import PLACE_END, PLACE_START, AccountEntry
from inos.consensus.params import Params
from inos.consensus.records import (
    FINALITY_KEY,
    Ballot,
    Committee,
    Finality,
    Job,
    JobState,
    Kind,
    Member,
    StateKey,
    committee_key,
)
from inos.consensus.state import StateView
from inos.consensus.statetree import StateProof, compute_state_root, make_proof
from inos.core.events import EventBus
from inos.core.monitor import NodeStats
from inos.genesis import Network
from inos.mesh.store import MatrixInfo
from inos.miner.stats import MinerState, MinerStatus
from inos.network.discovery.routing.service import RoutingStatus
from inos.network.identity import PeerAddress
from inos.network.status import AddressInfo, BanInfo, NetworkStatus, PeerInfo
from inos.network.sync.progress import RateMeter, SyncMachine, SyncObservation, SyncStatus, WaitTimes, make_status
from inos.primitives.blocks import Block, Header, compute_block_id, compute_tx_root, get_target
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.matrices import DType, MatrixRef, Product
from inos.primitives.transactions import (
    ClaimJob,
    Payload,
    SubmitResult,
    Transaction,
    compute_tx_id,
    get_sender,
    sign_transaction,
)
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, Nano, NodeId, Tickets, TxId, Weight
from inos.primitives.votes import Checkpoint, Link
from inos.rpc.health import Check, Health
from inos.rpc.ports import SnapshotStatus
from inos.wallet.keys import make_key
from inos.work.strips import drop_padding
from inos.workers.server.status import WorkersStatus
from support.consensus_lab import Records
from support.sending import Sending
from support.voters import get_bls_key

WORKER = make_key(bytes(31) + b"\x07")
FEE = Nano(1000)
NETWORK_STATUS = NetworkStatus(
    listen_port=8646,
    reachability="private",
    observed_host="20.1.0.1",
    announced="",
    discovery=True,
    links={"outbound": 3, "inbound": 0},
    max_outbound=8,
    max_inbound=64,
    outbound_groups=3,
    known_new=7,
    known_tried=2,
    is_stale=False,
    block_relay={
        "blocks": 9,
        "bytes": 4000,
        "duplicates": 2,
        "duplicate_bytes": 800,
        "requested": 1,
        "fallbacks": 0,
    },
)


class FakeMatrices:
    """Matrices by id."""

    def __init__(self) -> None:
        self.retention = SimpleNamespace(list_entries=list)
        self.arrays: dict[bytes, NDArray[Any]] = {}

    def put(self, array: NDArray[Any]) -> MatrixRef:
        ref = _make_ref(array)
        self.arrays[ref.id] = array
        return ref

    def info(self, matrix: MatrixId) -> MatrixInfo | None:
        array = self.arrays.get(matrix)
        if array is None:
            return None
        ref = _make_ref(array)
        dtype = {np.int8: DType.INT7, np.int32: DType.INT32, np.uint8: DType.BYTES}[array.dtype.type]
        return MatrixInfo(dtype, ref.rows, ref.cols, ref.root)


def _make_ref(array: NDArray[Any]) -> MatrixRef:
    return work.compute_file_ref(array.data) if array.dtype == np.uint8 else work.matrix_ref(array)


class FakePool:
    """Transactions in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: dict[TxId, Transaction] = {}

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def bytes_used(self) -> int:
        return sum(len(encode(tx)) for tx in self.waiting.values())

    def get(self, tx: TxId) -> Transaction | None:
        return self.waiting.get(tx)

    def list_best_first(self) -> list[TxId]:
        return list(self.waiting)

    list_ids = list_best_first

    def next_nonce(self, address: Address, state: StateView) -> int:
        mine = [tx.nonce + 1 for tx in self.waiting.values() if get_sender(tx) == address]
        return max([state.get_account(address).nonce, *mine])

    def estimate_fee(self, size: int | None = None, cost_us: int = 0) -> Nano:
        return FEE


class FakeLedger:
    """A chain without forks, from which a test may remove the last block; `known` keeps it."""

    def __init__(self, params: Params, genesis: GenesisState) -> None:
        self.params = params
        self.records: dict[StateKey, bytes] = dict(genesis.records)
        self.blocks: list[Block] = [Block(genesis.header, ())]
        self.known = {compute_block_id(genesis.header): self.blocks[0]}
        self.final_height = 0
        self.stats: dict[BlockId, BlockStats] = {}
        self.history: list[tuple[Height, AccountEntry]] = [(Height(0), entry) for entry in genesis.list_entries()]
        self.job_events: list[tuple[Height, JobEvent]] = []
        self.track_records: dict[bytes, bytes | None] = {}
        self.totals: dict[BlockId, Totals] = {}
        self.database: dict[bytes, bytes] = {}

    @property
    def tip(self) -> Tip:
        header = self.blocks[-1].header
        return Tip(compute_block_id(header), header, Weight(sum(f.weight for f in self.stats.values())))

    best_header = tip

    first_block = 1
    base_height = Height(0)

    def get_position(self, tx: TxId) -> None:
        """Return None, as for a transaction that was never on the chain."""

    @property
    def reader(self) -> "FakeLedger":
        return self

    @property
    def final(self) -> Tip:
        header = self.blocks[self.final_height].header
        return Tip(compute_block_id(header), header, Weight(0))

    def get_justified_height(self) -> Height:
        return Height(self.final_height)

    def get_block_finality(self, height: Height) -> BlockFinality:
        return "final" if height <= self.final_height else "none"

    @property
    def state(self) -> StateView:
        return StateView(Records(self.records))

    def get_block_id(self, height: Height) -> BlockId | None:
        return compute_block_id(self.blocks[height].header) if 0 <= height < len(self.blocks) else None

    def get_block(self, block: BlockId) -> Block | None:
        return self.known.get(block)

    def list_headers(self, first: int, limit: int) -> list[Header]:
        return [block.header for block in self.blocks[first : first + limit]]

    def get_header(self, block: BlockId) -> Header | None:
        found = self.get_block(block)
        return None if found is None else found.header

    def get_witness(self, block: BlockId) -> None:
        return None

    def list_steps(self, first: int, limit: int) -> list[Any]:
        return []

    def get_block_stats(self, block: BlockId) -> BlockStats | None:
        return self.stats.get(block)

    def get_totals(self, block: BlockId) -> Totals | None:
        return self.totals.get(block)

    def list_ranking(
        self, ranking: Ranking, *, after: tuple[int, Address] | None = None, limit: int
    ) -> list[tuple[Address, int]]:
        addresses = [Address(key[1:]) for key in self.records if key[0] == Kind.ACCOUNT]
        found = sorted((-self._get_value(ranking, each), each) for each in addresses)
        beyond = [each for each in found if after is None or each > (-after[0], after[1])]
        return [(address, -value) for value, address in beyond if value][:limit]

    def _get_value(self, ranking: Ranking, address: Address) -> int:
        account, record = self.state.get_account(address), self.get_record(address)
        values = {
            Ranking.HOLDINGS: account.balance + account.bonded,
            Ranking.MINED: record.mined,
            Ranking.SETTLED: record.worker.tickets,
        }
        return values[ranking]

    def get_status(self, block: BlockId) -> str:
        return "unknown" if self.get_block(block) is None else "connected"

    def get_transaction(self, tx: TxId) -> tuple[BlockId, int, Transaction] | None:
        for block in self.blocks:
            for index, one in enumerate(block.transactions):
                if compute_tx_id(one) == tx:
                    return compute_block_id(block.header), index, one
        return None

    def prove(self, key: StateKey) -> tuple[bytes | None, StateProof]:
        return self.records.get(key), make_proof(self.records, key)

    def get_history(self, address: Address, *, before: tuple[int, int] | None, limit: int) -> list[HistoryEntry]:
        found = []
        for height, entry in self.history:
            if entry.address == address and (before is None or (height, entry.place) < before):
                is_tx = entry.place not in (PLACE_START, PLACE_END)
                tx_id = compute_tx_id(self.blocks[height].transactions[entry.place - 1]) if is_tx else None
                found.append(HistoryEntry(height, entry.place, tx_id, entry.movements))
        return sorted(found, key=lambda each: (each.height, each.place), reverse=True)[:limit]

    def iterate_records(self) -> list[tuple[StateKey, bytes]]:
        return sorted(self.records.items())

    def list_jobs(
        self,
        *,
        state: JobState | None = None,
        poster: Address | None = None,
        worker: Address | None = None,
        after: JobId | None = None,
        limit: int = 50,
        newest_first: bool = False,
    ) -> list[tuple[JobId, Job]]:
        ids = [JobId(compute_tx_id(tx)) for block in self.blocks for tx in block.transactions]
        jobs = [(job_id, job) for job_id in ids if (job := self.state.get_job(job_id)) is not None]
        if newest_first:
            jobs.reverse()
        if after is not None:
            jobs = jobs[[job_id for job_id, _ in jobs].index(after) + 1 :]
        return [
            (job_id, job)
            for job_id, job in jobs
            if state in (None, job.state) and poster in (None, job.poster) and worker in (None, job.worker)
        ][:limit]

    def find_ids(self, digits: str, limit: int) -> list[tuple[str, bytes]]:
        txs = [compute_tx_id(tx) for block in self.blocks for tx in block.transactions]
        found = [("block", bytes(one)) for one in self.known]
        found += [("job" if self.state.get_job(JobId(one)) else "transaction", bytes(one)) for one in txs]
        return [(kind, one) for kind, one in found if one.hex().startswith(digits)][:limit]

    def get_record(self, address: Address) -> TrackRecord:
        return decode_record(self.track_records.get(record_key(address)))

    def list_job_events(self, job: JobId, *, limit: int) -> list[tuple[Height, JobEvent]]:
        return [(height, event) for height, event in self.job_events if event.job == job][:limit]

    def append(self, transactions: Sequence[Transaction], beneficiary: Address) -> None:
        """Add the next block, executed by the rules."""
        parent = self.blocks[-1].header
        height = Height(parent.height + 1)
        execution = Execution(
            self.params,
            Records(self.records),
            height=height,
            beneficiary=beneficiary,
            target=get_target(parent),
            results=AllRight(),
            parent=BlockId(compute_block_id(parent)),
            bls=get_bls(),
        )
        for tx in transactions:
            execution.add(tx)
        done = execution.finish()
        for key, value in done.changes.items():
            if value is None:
                del self.records[key]
            else:
                self.records[key] = value
        header = Header(
            version=parent.version,
            chain_id=parent.chain_id,
            height=height,
            parent=compute_block_id(parent),
            time_ms=parent.time_ms + self.params.spacing_ms,
            tx_root=compute_tx_root(transactions),
            state_root=compute_state_root(self.records),
            target=parent.target,
            beneficiary=beneficiary,
            nonce=height,
            seal=None,
        )
        self.blocks.append(Block(header, tuple(transactions)))
        self.known[compute_block_id(header)] = self.blocks[-1]
        self.stats[compute_block_id(header)] = done.stats
        before = self.totals.get(BlockId(header.parent), Totals())
        self.totals[compute_block_id(header)] = add_block(before, len(transactions), done.stats, done.job_events)
        self.job_events += [(height, event) for event in done.job_events]
        self.track_records |= make_event_changes(self.track_records.get, height, beneficiary, done.job_events)
        self.history += [(height, entry) for entry in done.history]


class AllRight:
    """Accepts every product as right; a test that needs a wrong one replaces this checker."""

    def get_verdict(self, product: Product) -> bool:
        return True


class FakeMiner:
    """Counts how often it was started and stopped."""

    def __init__(self, beneficiary: Address) -> None:
        self.beneficiary = beneficiary
        self.is_running = False
        self.rows_done: dict[JobId, int] = {}

    def get_rows_done(self, job: JobId) -> int | None:
        return self.rows_done.get(job)

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def get_status(self) -> MinerStatus:
        return MinerStatus(
            state=MinerState.FILLER if self.is_running else MinerState.STOPPED,
            purpose="any",
            beneficiary=self.beneficiary,
            worker=self.beneficiary,
            can_claim=True,
            job=None,
            jobs_in_progress=0,
            job_tickets=Tickets(5),
            filler_tickets=Tickets(7),
            tickets_per_second=12.3456,
            blocks_won=3,
            blocks_stale=0,
            jobs_settled=3,
            jobs_lost=0,
            jobs_taken=0,
            jobs_taken_held=0,
            last_error="",
        )


class FakeVotes:
    """A vote service without votes; a test may add pairs of conflicting ones."""

    def __init__(self) -> None:
        self.pool = self
        self.evidence: list[Any] = []

    def count_votes(self, link: Link) -> int:
        return 0

    def get_evidence(self) -> list[Any]:
        return self.evidence


class FakeSnapshots:
    """Implements inos.rpc.ports.SnapshotsPort, with copies that never finish."""

    def __init__(self) -> None:
        self.status = SnapshotStatus("none")

    def begin(self, path: Path, has_matrices: bool) -> bool:
        if self.status.state == "running":
            return False
        self.status = SnapshotStatus("running", str(path), "ledger", 5, 9)
        return True

    def get_status(self) -> SnapshotStatus:
        return self.status


class FakeMatrixService:
    """Implements inos.rpc.ports.MatricesPort over a dictionary."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self._uploads: dict[bytes, list[NDArray[Any]]] = {}

    async def put(self, array: NDArray[Any]) -> MatrixRef:
        found: MatrixRef = self.store.put(array)
        return found

    async def put_bytes(self, data: bytes | memoryview) -> MatrixRef:
        return await self.put(np.frombuffer(data, np.uint8))

    async def put_rows(
        self, matrix: MatrixId, shape: tuple[DType, int, int], first: int, rows: NDArray[Any] | None
    ) -> int:
        if matrix in self.store.arrays:
            return shape[1]
        kept = self._uploads.setdefault(matrix, [])
        if rows is not None:
            kept.append(rows)
        done = sum(len(part) for part in kept)
        if done == shape[1]:
            assert self.store.put(drop_padding(*shape, np.vstack(kept))).id == matrix
        return done

    async def fetch(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        if matrix not in self.store.arrays:
            raise MatrixMissing([matrix])
        found: NDArray[Any] = self.store.arrays[matrix]
        return found


class FakeNetwork:
    """Implements inos.rpc.ports.PeersPort and its parts; it reports what a test puts here."""

    def __init__(self, node: "FakeNode") -> None:
        self._node = node
        self.bans = self.routing = self.sync = self
        self.connected: list[PeerInfo] = []
        self.addresses: list[AddressInfo] = []
        self.banned: list[BanInfo] = []

    @property
    def monitor(self) -> Any:
        return SimpleNamespace(get_status=self._get_sync_status)

    def _get_sync_status(self) -> SyncStatus:
        height = self._node.ledger.tip.header.height
        observation = SyncObservation(now=1.0, peers=len(self.connected) or 1, height=height, header_height=height)
        machine = SyncMachine(0.0)
        machine.observe(observation)
        return make_status(machine, observation, RateMeter(), WaitTimes())

    def count_peers(self) -> int:
        return len(self.peers())

    def peers(self) -> Sequence[PeerInfo]:
        return self.connected

    def get_status(self) -> Any:
        return NETWORK_STATUS

    def list_addresses(self) -> Sequence[AddressInfo]:
        return self.addresses

    def list_bans(self) -> Sequence[BanInfo]:
        return self.banned

    def lift(self, subject: str) -> int:
        kept = [ban for ban in self.banned if subject not in ("all", ban.subject)]
        count, self.banned = len(self.banned) - len(kept), kept
        return count


class FakeRouting:
    """Implements inos.rpc.ports.RoutingPort: three nodes have what this node has."""

    def __init__(self, node: "FakeNode") -> None:
        self._node = node

    def get_status(self) -> RoutingStatus:
        return RoutingStatus(contacts=4, buckets=3, records=2, provided=len(self._node.store.arrays))

    async def find_providers(self, id: MatrixId, limit: int) -> list[PeerAddress]:
        found = [PeerAddress(self._node.node_id, "192.0.2.7", port) for port in (1, 2, 3)]
        return found[:limit] if id in self._node.store.arrays else []

    async def provide(self, id: MatrixId) -> int:
        if id not in self._node.store.arrays:
            raise MatrixMissing([id])
        return 20


class FakeNode:
    """Implements inos.rpc.ports.NodePort; `mine` and `work_jobs` advance it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.params = network.params
        self.genesis_id = network.genesis_id
        self.node_id = NodeId(bytes([5]) * 32)
        self.ledger = FakeLedger(network.params, network.state)
        self.mempool = FakePool()
        self.store = FakeMatrices()
        self.matrices: Any = FakeMatrixService(self.store)
        self.transactions = Sending(self._add_transaction)
        self.past_states = SimpleNamespace(prove=self._prove_past)
        self.miner: FakeMiner | None = FakeMiner(WORKER.address)
        self.pool: Any = None
        self.workers: Any = SimpleNamespace(get_status=lambda: self.workers_status)
        self.workers_status = WorkersStatus(workers=(), blocks_won=0, blocks_stale=0, errors={})
        self.watcher: Any = None
        self.voter: Any = None
        self.votes = FakeVotes()
        self.p2p = FakeNetwork(self)
        self.p2p.routing = FakeRouting(self)  # type: ignore[assignment]
        self.checks = (Check("tip", True, "fresh"),)
        self.health = SimpleNamespace(check=lambda: Health(self.checks, is_ready=True))
        self.stats = NodeStats(
            uptime_s=5.0,
            loop_lag_s=0.001,
            blocks_connected=3,
            blocks_undone=1,
            deepest_reorganisation=1,
            clock_ahead_ms=None,
        )
        self.monitor = SimpleNamespace(get_stats=lambda: self.stats)
        self.is_stopping = False
        self.refusal: InosError | None = None
        self.spoil: Any = None
        self.has_transactions = asyncio.Event()
        self.events = EventBus()
        self.snapshots = FakeSnapshots()

    def request_stop(self) -> None:
        self.is_stopping = True

    async def _add_transaction(self, tx: Transaction) -> TxId:
        if self.refusal is not None:
            error, self.refusal = self.refusal, None
            raise error
        tx_id = compute_tx_id(tx)
        self.mempool.waiting[tx_id] = tx
        self.has_transactions.set()
        self.events.publish(TransactionAdded(tx_id))
        return tx_id

    async def _prove_past(self, block: BlockId, key: StateKey) -> tuple[bytes | None, StateProof] | None:
        return self.ledger.reader.prove(key) if block == self.ledger.tip.id else None

    def mine(self, beneficiary: Address = WORKER.address) -> None:
        """Add a block with all waiting transactions."""
        self.ledger.append(list(self.mempool.waiting.values()), beneficiary)
        self.mempool.waiting.clear()
        tip = self.ledger.tip
        self.events.publish(TipChanged(tip, (tip.id,), ()))

    def act(self, payload: Payload) -> None:
        """Add a block in which the worker sends a transaction."""
        nonce = self.mempool.next_nonce(WORKER.address, self.ledger.state)
        tx = sign_transaction(WORKER.secret, self.params.chain_id, nonce, FEE, payload)
        self.mempool.waiting[compute_tx_id(tx)] = tx
        self.mine()

    def seat_jury(self) -> None:
        """Make two voters the committee until the first checkpoint, so that optimistic jobs can be claimed."""
        if not self.ledger.tip.header.height:
            self.mine()  # the first block opens a ballot without a committee
        genesis = Checkpoint(0, self.genesis_id)
        members = tuple(Member(bytes([each]) * 20, get_bls_key(str(each)), 5, 5) for each in (1, 2))
        finality = Finality(genesis, genesis, (Ballot(Link(genesis, genesis), 0),), (0,))
        self.ledger.records[FINALITY_KEY] = encode(finality)
        self.ledger.records[committee_key(0)] = encode(Committee(members))

    def work_jobs(self) -> int:
        """Claim, multiply and deliver every open job; return their number."""
        done = 0
        for job_id, job in self.ledger.reader.list_jobs(state=JobState.OPEN):
            x, w = self.store.arrays[job.work.x.id], self.store.arrays[job.work.w.id]
            y = x.astype(np.int32) @ w.astype(np.int32).T
            if self.spoil is not None:
                y = self.spoil(y)
            self.act(ClaimJob(job_id))
            self.act(SubmitResult(job_id, self.store.put(y)))
            done += 1
        return done

    async def live(self) -> None:
        """Mine and work until the test ends."""
        while True:
            if len(self.mempool):
                self.mine()
            self.work_jobs()
            await asyncio.sleep(0.01)
