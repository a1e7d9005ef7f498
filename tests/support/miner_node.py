"""A small chain for tests of the miner: blocks are made by hand, and transactions have the effects that the miner
expects.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.chain.events import TipChanged
from inos.chain.ledger import BlockOutcome, Tip
from inos.chain.template import Template
from inos.consensus.params import Params
from inos.consensus.posting import make_job
from inos.consensus.records import Account, Claim, Job, JobState, ProductWork, TaskWork
from inos.core.events import EventBus
from inos.core.matrices.product_rows import ProductRows
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.primitives.blocks import Block, Header
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MatrixRef, Witness
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    PostJob,
    PostTask,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    Transfer,
    compute_tx_id,
    get_sender,
    sign_transaction,
)
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, Nano, TimeMs, TxId, Weight
from inos.work.files import compute_file_id

POSTER = Address(bytes([9]) * 20)
FEE = Nano(1000)
DIFFICULTY = 100
"""Expected number of tickets of a block here."""


class HandClock:
    """A clock that is wall clock and loop time in one."""

    def now_ms(self) -> TimeMs:
        return TimeMs(1_000_000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class FakeNode:
    """Implements NodePort over dictionaries; it is its own ledger, state and pool. `make_block` includes pending
    transactions.
    """

    def __init__(self) -> None:
        network = load_network("devnet")
        self.params: Params = network.params
        self.clock = HandClock()
        self.header: Header = network.state.header
        self.height = Height(100)
        self.accounts: dict[Address, Account] = {}
        self.jobs: dict[JobId, Job] = {}
        self.claims: dict[JobId, Claim] = {}
        self.pool: dict[TxId, Transaction] = {}
        self.matrices = FakeMatrices()
        self.sent: list[Transaction] = []
        self.won: list[Block] = []
        self.target = 0
        self.made = 0
        """The templates that were made."""
        self.ledger = self.reader = self.state = self.mempool = self
        self.events = EventBus()
        self.templates = SimpleNamespace(make=self._make_template)
        self.blocks = SimpleNamespace(add=self._add_block)
        self.transactions = SimpleNamespace(add=lambda tx: self.add_transaction(tx))

    # --- what tests do

    def post(
        self,
        x: NDArray[Any],
        w: NDArray[Any],
        *,
        reward: int = 10**9,
        bond: int = 1000,
        mode: JobMode = JobMode.CHECKED,
    ) -> JobId:
        refs = [work.matrix_ref(a) for a in (x, w)]
        self.matrices.update({refs[0].matrix_id: x, refs[1].matrix_id: w})
        job = JobId(bytes([len(self.jobs) + 1]) * 32)
        self.jobs[job] = Job(POSTER, ProductWork(*refs, mode), reward, bond, 50, 10_000, 1, 1, JobState.OPEN, None, 0)
        return job

    def post_task(self, task: TaskWork, *, reward: int = 10**9, bond: int = 1000) -> JobId:
        """Put a task on the chain; its files are in `matrices`."""
        job = JobId(bytes([len(self.jobs) + 1]) * 32)
        self.jobs[job] = Job(POSTER, task, reward, bond, 50, 10_000, 1, 1, JobState.OPEN, None, 0)
        return job

    def announce(self, x: NDArray[Any], w: NDArray[Any]) -> JobId:
        """Put a job's posting into the pool and into the templates from now on."""
        refs = [work.matrix_ref(a) for a in (x, w)]
        self.matrices.update({refs[0].matrix_id: x, refs[1].matrix_id: w})
        payload = PostJob(refs[0], refs[1], 10**9, 1000, 50, 10_000, JobMode.CHECKED, 10**9)
        tx = sign_transaction(bytes([9]) * 32, self.params.chain_id, len(self.jobs), FEE, payload)
        self.pool[compute_tx_id(tx)] = tx
        return JobId(compute_tx_id(tx))

    def make_block(self) -> None:
        """Include what can be included, move the tip, and tell the miner."""
        self.height = Height(self.height + 1)
        for tx_id, tx in sorted(self.pool.items(), key=lambda item: item[1].nonce):
            sender = get_sender(tx)
            account = self.get_account(sender)
            if tx.nonce == account.nonce and self._apply(sender, tx):
                del self.pool[tx_id]
                self._move(sender, -tx.fee)
                self.accounts[sender] = replace(self.get_account(sender), nonce=tx.nonce + 1)
        self.tell_tip()

    def tell_tip(self) -> None:
        """Publish the tip as it is."""
        self.events.publish(TipChanged(self.tip, (self.tip.id,), ()))

    async def until(self, question: Callable[[], Any], limit_s: float = 60.0) -> None:
        """Wait until the answer is truthy. The miner's figures raise no events, so this asks again and again."""
        async with asyncio.timeout(limit_s):
            while True:
                if question():
                    return
                await asyncio.sleep(0.005)

    def _apply(self, sender: Address, tx: Transaction) -> bool:
        payload = tx.payload
        if isinstance(payload, ClaimJob):
            job = self.jobs.get(JobId(payload.job))
            if job is None or job.state is not JobState.OPEN:
                return False
            self.jobs[JobId(payload.job)] = replace(job, state=JobState.CLAIMED, worker=sender)
            self.claims[JobId(payload.job)] = Claim(sender, job.bond, self.height, self.height + 50)
        elif isinstance(payload, PostJob | PostTask):
            self.jobs[JobId(compute_tx_id(tx))] = make_job(sender, payload, self.height, 1)
        elif isinstance(payload, SubmitResult | SubmitOutcome):
            job = self.jobs.get(JobId(payload.job))
            if job is None or job.worker != sender or job.state is not JobState.CLAIMED:
                return False
            is_product = isinstance(payload, SubmitResult)
            done = replace(job.work, **({"y": payload.y} if is_product else {"outputs": payload.outputs}))
            self.jobs[JobId(payload.job)] = replace(job, state=JobState.SETTLED, work=done, closed_at=self.height)
            del self.claims[JobId(payload.job)]
        elif isinstance(payload, Transfer):
            if self.get_account(sender).balance < payload.amount + tx.fee:
                return False
            self._move(sender, -payload.amount)
            self._move(Address(payload.to), payload.amount)
        return True

    def _move(self, address: Address, amount: int) -> None:
        account = self.get_account(address)
        self.accounts[address] = replace(account, balance=account.balance + amount)

    # --- inos.miner.ports.NodePort

    @property
    def tip(self) -> Tip:
        return Tip(BlockId(self.height.to_bytes(32, "big")), replace(self.header, height=self.height), Weight(0))

    def get_account(self, address: Address) -> Account:
        return self.accounts.get(address, Account(balance=10**12))

    def get_job(self, job: JobId) -> Job | None:
        return self.jobs.get(job)

    def get_claim(self, job: JobId) -> Claim | None:
        return self.claims.get(job)

    def list_jobs(
        self,
        *,
        limit: int,
        state: JobState | None = None,
        worker: Address | None = None,
        newest_first: bool = False,
    ) -> list[tuple[JobId, Job]]:
        fitting = [item for item in self.jobs.items() if state is None or item[1].state is state]
        fitting = fitting[::-1] if newest_first else fitting
        return [item for item in fitting if worker is None or item[1].worker == worker][:limit]

    def next_nonce(self, address: Address, state: Any) -> int:
        nonces = {tx.nonce for tx in self.pool.values() if get_sender(tx) == address}
        nonce = self.get_account(address).nonce
        while nonce in nonces:
            nonce += 1
        return nonce

    def estimate_fee(self) -> Nano:
        return FEE

    def has(self, tx: TxId) -> bool:
        return tx in self.pool

    async def _make_template(self, beneficiary: Address) -> Template:
        self.made += 1
        header = replace(
            self.header,
            parent=self.tip.id,
            height=self.height + 1,
            beneficiary=beneficiary,
        )
        posts = tuple(tx for tx in self.pool.values() if isinstance(tx.payload, PostJob | PostTask))
        return Template(header=header, transactions=posts, allowed_target=self.target)

    async def _add_block(self, block: Block, witness: Witness) -> BlockOutcome:
        self.won.append(block)
        self.make_block()
        return BlockOutcome((self.tip.id,), (), True)

    async def add_transaction(self, tx: Transaction) -> TxId:
        same = [i for i, old in self.pool.items() if old.nonce == tx.nonce and get_sender(old) == get_sender(tx)]
        for tx_id in same:
            del self.pool[tx_id]
        self.pool[compute_tx_id(tx)] = tx
        self.sent.append(tx)
        return compute_tx_id(tx)


class FakeOutcomes(dict[JobId, tuple[MatrixId, ...]]):
    """Implements inos.miner.ports.OutcomesPort."""

    def find(self, job: JobId) -> tuple[MatrixId, ...] | None:
        return self.get(job)

    def drop(self, job: JobId) -> None:
        self.pop(job, None)


class FakeMatrices(dict[MatrixId, NDArray[Any]]):
    """Implements inos.miner.ports.MatricesPort over a dictionary; products on disk need a store."""

    def __init__(self) -> None:
        super().__init__()
        self.fetches: list[MatrixId] = []
        self.timeouts: list[float] = []
        self.disk: MatrixStore | None = None
        self.free_room = 2**40
        self.outcomes = FakeOutcomes()

    @property
    def store(self) -> "FakeMatrices":
        return self

    @property
    def retention(self) -> "FakeMatrices":
        return self

    def has(self, matrix: MatrixId) -> bool:
        return matrix in self

    def count_free_room(self) -> int:
        return self.free_room

    def find_info(self, matrix: MatrixId) -> Any:
        return SimpleNamespace(size=self[matrix].nbytes) if matrix in self else None

    def get_bytes(self, matrix: MatrixId) -> bytes | None:
        found = self.get(matrix)
        return None if found is None else found.tobytes()

    async def put(self, array: NDArray[np.int32]) -> MatrixRef:
        ref = work.matrix_ref(array)
        self[ref.matrix_id] = array.copy()
        return ref

    async def open_product(self, job: JobId, rows: int, cols: int) -> ProductRows:
        assert self.disk is not None, "large jobs take the fixture `disk`"
        return ProductRows(self.disk, job, rows, cols)

    async def put_product(self, finish: Callable[[], MatrixRef]) -> MatrixRef:
        assert self.disk is not None
        ref = finish()
        self[ref.matrix_id] = self.disk.get(ref.matrix_id)  # type: ignore[assignment]
        return ref

    async def keep_outcome(self, job: JobId, outputs: tuple[bytes, ...]) -> tuple[MatrixId, ...]:
        ids = tuple(compute_file_id(output) for output in outputs)
        self.update(zip(ids, (np.frombuffer(output, np.uint8) for output in outputs), strict=True))
        self.outcomes[job] = ids
        return ids

    async def fetch(self, matrix: MatrixId, timeout_s: float, max_bytes: int | None = None) -> NDArray[Any]:
        self.fetches.append(matrix)
        self.timeouts.append(timeout_s)
        if matrix not in self:
            raise MatrixMissing((matrix,))
        return self[matrix]


@pytest.fixture
async def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def disk(node: FakeNode, tmp_path: Path) -> FakeNode:
    """Return the node with a matrix store, for products made on disk."""
    node.path = tmp_path
    node.matrices.disk = MatrixStore(tmp_path)
    return node
