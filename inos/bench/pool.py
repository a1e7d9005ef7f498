"""`inos bench pool`: what a share costs a pool, with a thousand members and the records on a real disk."""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.bench.pool_messages import EasyPool, measure_messages
from inos.primitives.clock import SystemClock
from inos.primitives.transactions import Payload
from inos.primitives.units import Address, BlockId, Height, JobId, Nano, Tickets, TimeMs, TxId
from inos.workers.limits import MAX_WORKERS
from inos.workers.messages import WorkerKind
from inos.workers.pool.books import Books
from inos.workers.pool.incomes import make_block_income
from inos.workers.pool.pool import Pool, PoolSettings
from inos.workers.pool.ports import ChainPort, Received
from inos.workers.pool.window import SPAN_OF_D
from inos.workers.ports import WorkerInfo

OWN: Final = Address(b"\x01" * 20)
WEIGHT: Final = 10_000
"""The tickets of a share: those that a page draws in a few seconds."""


class PoolFigures(Struct, frozen=True):
    """What was measured."""

    members: int
    shares: int
    share_us: float
    """Processor time of one share: counted, written, and answered with the member's totals."""
    message_us: float
    """Processor time of one share from its message to its answer, with its tile computed again."""
    slowest_ms: float
    """The longest that one share took, by the clock."""
    target_us: float
    """Processor time to choose a share target."""
    block_ms: float
    """Processor time to divide a block's income among all members."""
    opening_ms: float
    """Time to open the books again."""
    disk_bytes: int


class _Node:
    """A node whose chain stands still."""

    least_payment = Nano(10**7)

    def __init__(self, difficulty: int) -> None:
        self.difficulty = Tickets(difficulty)

    def read_chain(self) -> ChainPort:
        return _Chain()

    def estimate_fee(self, payments: int) -> Nano:
        return Nano(1000)

    def sign(self, payload: Payload, fee: int) -> tuple[bytes, TxId, int]:
        return bytes(100), TxId(bytes(32)), 0

    async def send(self, tx: bytes) -> None:
        """Send nothing."""


class _Chain:
    """A chain of one block."""

    base_height = Height(0)
    height = Height(0)
    final_height = Height(0)

    def get_block_id(self, height: int) -> BlockId | None:
        return BlockId(bytes(32)) if height == 0 else None

    def get_parent(self, block: BlockId) -> BlockId | None:
        return None

    def read_received(self, address: Address, height: int) -> Received:
        return Received(Nano(0), {}, TimeMs(0), Tickets(1))

    def find_transaction(self, tx: TxId) -> Height | None:
        return None

    def get_nonce(self, address: Address) -> int:
        return 0

    def get_balance(self, address: Address) -> Nano:
        return Nano(0)

    def get_job_tickets(self, job: JobId) -> Tickets:
        return Tickets(0)


def measure_pool(members: int, shares: int) -> PoolFigures:
    """Count `shares` shares of `members` members in turn, drawn at random."""
    rng, clock = random.Random(1), SystemClock()
    with tempfile.TemporaryDirectory(prefix="inos-bench-pool-") as folder:
        path = Path(folder) / "members"
        pool = Pool(_Node(members * WEIGHT * 4), Books(path, BlockId(bytes(32)), OWN), OWN, PoolSettings(), clock)
        workers = [_make_worker(number, rng) for number in range(members)]
        for worker in workers:
            pool.get_share_target(worker)
        share_us, slowest_ms = _measure_shares(pool, [rng.choice(workers) for _ in range(shares)])
        began = time.process_time()
        for worker in workers:
            pool.get_share_target(worker)
        target_us = (time.process_time() - began) * 1e6 / members
        block_ms = _measure_block(pool)
        pool.books.close()
        began = time.monotonic()
        Books(path, BlockId(bytes(32)), OWN).close()
        opening_ms = (time.monotonic() - began) * 1e3
        size = sum(file.stat().st_size for file in path.iterdir())
        message_us = _measure_messages(Path(folder) / "easy", members, clock)
    return PoolFigures(members, shares, share_us, message_us, slowest_ms, target_us, block_ms, opening_ms, size)


def _measure_shares(pool: Pool, senders: list[WorkerInfo]) -> tuple[float, float]:
    slowest, began = 0.0, time.process_time()
    for number, worker in enumerate(senders):
        at = time.perf_counter()
        pool.add_shares(worker, Tickets(WEIGHT), 1, TimeMs(10**12 + number), of_piece=number % 4 == 0)
        pool.get_totals(worker)
        slowest = max(slowest, time.perf_counter() - at)
    return (time.process_time() - began) * 1e6 / len(senders), slowest * 1e3


def _measure_messages(path: Path, members: int, clock: SystemClock) -> float:
    books = Books(path, BlockId(bytes(32)), OWN)
    try:
        pool = EasyPool(_Node(members * WEIGHT * 4), books, OWN, PoolSettings(), clock)
        return asyncio.run(measure_messages(pool, min(members, MAX_WORKERS))) * 1e6
    finally:
        books.close()


def _measure_block(pool: Pool) -> float:
    began = time.process_time()
    window = pool.books.window.take(SPAN_OF_D * pool.span)
    pool.books.add_income(make_block_income(window, BlockId(b"\x02" * 32), 1, 1, Nano(50 * 10**9), 10_000, 1, 1))
    return (time.process_time() - began) * 1e3


def _make_worker(number: int, rng: random.Random) -> WorkerInfo:
    address = Address(rng.randbytes(20))
    return WorkerInfo(rng.randbytes(16), number, address, "bench", WorkerKind.PAGE, "wasm", 1, 1000)
