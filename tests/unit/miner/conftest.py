"""A chain small enough to see through: blocks are made by hand, transactions do what the miner expects of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.chain.template import Template
from inos.consensus.params import Params
from inos.consensus.records import Account, Claim, Job, JobState
from inos.core.matrices.product_rows import JobRows
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.miner.ports import RowFile
from inos.primitives.blocks import Block, Header
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MatrixRef, Witness
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    SubmitResult,
    Transaction,
    Transfer,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, Nano, Tickets, TimeMs, TxId

POSTER = Address(bytes([9]) * 20)
FEE = Nano(1000)
DIFFICULTY = 100
"""Merit that a block takes here."""


class HandClock:
    """Wall clock and loop time as one."""

    def now_ms(self) -> TimeMs:
        return TimeMs(1_000_000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class FakeNode:
    """MinerPort over dictionaries. `make_block` includes what is pending; `undo` takes blocks back."""

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
        self.matrices: dict[MatrixId, NDArray[Any]] = {}
        self.sent: list[Transaction] = []
        self.won: list[Block] = []
        self.tips: asyncio.Queue[BlockId] = asyncio.Queue()
        self.target = 0
        self.fetches: list[MatrixId] = []
        self.templates = 0
        self.store: MatrixStore | None = None

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
        self.matrices |= {refs[0].matrix_id: x, refs[1].matrix_id: w}
        job = JobId(bytes([len(self.jobs) + 1]) * 32)
        self.jobs[job] = Job(
            POSTER, refs[0], refs[1], reward, bond, 50, 10_000, mode, 1, 1, JobState.OPEN, None, None, 0
        )
        return job

    def make_block(self) -> None:
        """Include what can be included, move the tip, tell the miner."""
        self.height = Height(self.height + 1)
        for tx_id, tx in sorted(self.pool.items(), key=lambda item: item[1].nonce):
            sender = get_sender(tx)
            account = self.get_account(sender)
            if tx.nonce == account.nonce and self._apply(sender, tx):
                del self.pool[tx_id]
                self._move(sender, -tx.fee)
                self.accounts[sender] = replace(self.get_account(sender), nonce=tx.nonce + 1)
        self.tips.put_nowait(self.get_tip_id())

    async def until(self, question: Callable[[], Any], limit_s: float = 10.0) -> None:
        """Until the answer is truthy. The miner's figures raise no events, so they are looked at again and again."""
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
        elif isinstance(payload, SubmitResult):
            job = self.jobs.get(JobId(payload.job))
            if job is None or job.worker != sender or job.state is not JobState.CLAIMED:
                return False
            self.jobs[JobId(payload.job)] = replace(job, state=JobState.SETTLED, y=payload.y, closed_at=self.height)
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

    # --- MinerPort

    def get_height(self) -> Height:
        return self.height

    def get_tip_id(self) -> BlockId:
        return BlockId(self.height.to_bytes(32, "big"))

    def get_account(self, address: Address) -> Account:
        return self.accounts.get(address, Account(balance=10**12))

    def get_reputation(self, address: Address) -> Tickets:
        return Tickets(self.get_account(address).reputation)

    def get_job(self, job: JobId) -> Job | None:
        return self.jobs.get(job)

    def get_claim(self, job: JobId) -> Claim | None:
        return self.claims.get(job)

    def list_open_jobs(self, limit: int) -> Sequence[tuple[JobId, Job]]:
        return [item for item in self.jobs.items() if item[1].state is JobState.OPEN][:limit]

    def list_held_jobs(self, worker: Address, limit: int) -> Sequence[tuple[JobId, Job]]:
        return [i for i in self.jobs.items() if i[1].state is JobState.CLAIMED and i[1].worker == worker][:limit]

    def get_next_nonce(self, address: Address) -> int:
        nonces = {tx.nonce for tx in self.pool.values() if get_sender(tx) == address}
        nonce = self.get_account(address).nonce
        while nonce in nonces:
            nonce += 1
        return nonce

    def estimate_fee(self) -> Nano:
        return FEE

    def is_pending(self, tx: TxId) -> bool:
        return tx in self.pool

    async def get_template(self, beneficiary: Address) -> Template:
        self.templates += 1
        header = replace(
            self.header,
            parent=self.get_tip_id(),
            height=self.height + 1,
            beneficiary=beneficiary,
        )
        return Template(header=header, transactions=(), allowed_target=self.target)

    async def add_block(self, block: Block, witness: Witness) -> bool:
        self.won.append(block)
        self.make_block()
        return True

    async def add_transaction(self, tx: Transaction) -> TxId:
        same = [i for i, old in self.pool.items() if old.nonce == tx.nonce and get_sender(old) == get_sender(tx)]
        for tx_id in same:
            del self.pool[tx_id]
        self.pool[compute_tx_id(tx)] = tx
        self.sent.append(tx)
        return compute_tx_id(tx)

    async def add_matrix(self, array: NDArray[np.int32]) -> MatrixRef:
        ref = work.matrix_ref(array)
        self.matrices[ref.matrix_id] = array.copy()
        return ref

    async def open_rows(self, job: JobId, rows: int, cols: int) -> JobRows:
        assert self.store is not None, "large jobs take the fixture `disk`"
        return JobRows(self.store, job, rows, cols)

    async def add_rows(self, file: RowFile) -> MatrixRef:
        assert isinstance(file, JobRows)
        assert self.store is not None
        ref = file.finish()
        self.matrices[ref.matrix_id] = self.store.get(ref.matrix_id)  # type: ignore[assignment]
        return ref

    async def fetch_matrix(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        self.fetches.append(matrix)
        if matrix not in self.matrices:
            raise MatrixMissing((matrix,))
        return self.matrices[matrix]

    @asynccontextmanager
    async def watch_tip(self) -> AsyncIterator[AsyncIterator[BlockId]]:
        async def tips() -> AsyncIterator[BlockId]:
            while True:
                yield await self.tips.get()

        yield tips()


@pytest.fixture
async def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def disk(node: FakeNode, tmp_path: Path) -> FakeNode:
    """The node with a matrix store, for products made on disk."""
    node.path = tmp_path
    node.store = MatrixStore(tmp_path)
    return node
