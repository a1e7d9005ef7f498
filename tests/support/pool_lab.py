"""A pool on a chain in memory, whose blocks pay what a test wants and can be undone."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from inos.primitives.codec import decode, encode
from inos.primitives.errors import RuleViolation
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.payments import compute_total
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Payload, Transaction, TransferMany, compute_tx_id, sign_transaction
from inos.primitives.units import Address, BlockId, Height, JobId, Nano, Tickets, TimeMs, TxId
from inos.workers.messages import WorkerKind
from inos.workers.pool.books import Books
from inos.workers.pool.pool import Pool, PoolSettings
from inos.workers.pool.ports import Received
from inos.workers.ports import WorkerInfo

SECRET: Final = bytes(31) + b"\x07"
OWN: Final = compute_address(compute_public_key(SECRET))
GENESIS: Final = BlockId(b"\x01" * 32)
CREDIT: Final = 10**9
MEMBERS: Final = [Address(bytes([n]) * 20) for n in range(1, 9)]


class FakeBlock(msgspec.Struct, frozen=True):
    id: BlockId
    parent: BlockId
    received: Received
    transactions: tuple[Transaction, ...] = ()


class FakeChain:
    """Satisfies ChainPort. Blocks that were undone stay known."""

    def __init__(self, difficulty: int = 1000) -> None:
        self.difficulty = difficulty
        self.blocks: list[FakeBlock] = [FakeBlock(GENESIS, BlockId(bytes(32)), self._receive(0))]
        self.known: dict[BlockId, FakeBlock] = {GENESIS: self.blocks[0]}
        self.final_height = Height(0)
        self.base_height = Height(0)
        self.jobs: dict[JobId, int] = {}
        self.grant = 0
        self._made = 0

    def _receive(self, lottery: int, jobs: Mapping[JobId, Nano] | None = None) -> Received:
        return Received(Nano(lottery), dict(jobs or {}), TimeMs(1000), Tickets(self.difficulty))

    def mine(self, lottery: int = 0, *txs: Transaction, jobs: Mapping[JobId, Nano] | None = None) -> FakeBlock:
        self._made += 1
        block_id = BlockId(compute_hash(Context.HEADER, self._made.to_bytes(8, "big")))
        block = FakeBlock(block_id, self.blocks[-1].id, self._receive(lottery, jobs), txs)
        self.blocks.append(block)
        self.known[block_id] = block
        return block

    def undo(self, count: int = 1) -> list[FakeBlock]:
        """Remove blocks from the tip; return them, oldest first."""
        count = min(count, len(self.blocks) - 1)
        undone = self.blocks[len(self.blocks) - count :]
        del self.blocks[len(self.blocks) - count :]
        return undone

    @property
    def height(self) -> Height:
        return Height(len(self.blocks) - 1)

    def get_block_id(self, height: int) -> BlockId | None:
        return self.blocks[height].id if height < len(self.blocks) else None

    def get_parent(self, block: BlockId) -> BlockId | None:
        found = self.known.get(block)
        return None if found is None else found.parent

    def read_received(self, address: Address, height: int) -> Received:
        assert address == OWN
        return self.blocks[height].received

    def find_transaction(self, tx: TxId) -> Height | None:
        for height, block in enumerate(self.blocks):
            if height > self.base_height and any(compute_tx_id(each) == tx for each in block.transactions):
                return Height(height)
        return None

    def get_nonce(self, address: Address) -> int:
        return sum(len(block.transactions) for block in self.blocks)

    def get_balance(self, address: Address) -> Nano:
        received = sum(block.received.lottery + sum(block.received.jobs.values()) for block in self.blocks)
        spent = sum(_count_spent(tx) for block in self.blocks for tx in block.transactions)
        return Nano(self.grant + received - spent)

    def get_job_tickets(self, job: JobId) -> Tickets:
        return Tickets(self.jobs.get(job, 0))


def _count_spent(tx: Transaction) -> int:
    return tx.fee + (compute_total(tx.payload.payments) if isinstance(tx.payload, TransferMany) else 0)


class FakeNode:
    """Satisfies NodePort."""

    least_payment = Nano(1_000_000)

    def __init__(self, chain: FakeChain) -> None:
        self.chain = chain
        self.fee_each = 1000
        self.waiting: dict[TxId, Transaction] = {}
        self.is_refusing = False

    @property
    def difficulty(self) -> Tickets:
        return Tickets(self.chain.difficulty)

    def read_chain(self) -> FakeChain:
        return self.chain

    def estimate_fee(self, payments: int) -> Nano:
        return Nano(self.fee_each * (1 + payments))

    def sign(self, payload: Payload, fee: int) -> tuple[bytes, TxId, int]:
        nonce = self.chain.get_nonce(OWN)
        tx = sign_transaction(SECRET, 7, nonce, fee, payload)
        return encode(tx), compute_tx_id(tx), nonce

    async def send(self, tx: bytes) -> None:
        if self.is_refusing:
            raise RuleViolation("bad-nonce", "refused")
        found = decode(Transaction, tx, limit=1 << 16)
        self.waiting[compute_tx_id(found)] = found

    def take(self) -> list[Transaction]:
        """Return the waiting transactions that the next block can have."""
        nonce = self.chain.get_nonce(OWN)
        found = [tx for tx in self.waiting.values() if tx.nonce == nonce]
        return found[:1]


class FakeClock:
    """Moves when it is told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now_ms(self) -> TimeMs:
        return TimeMs(int(self.seconds * 1000))

    def monotonic(self) -> float:
        return self.seconds


def make_worker(address: Address | None, connection: int = 1, speed: int = 1000) -> WorkerInfo:
    identity = connection.to_bytes(16, "big")
    return WorkerInfo(identity, connection, address, f"w{connection}", WorkerKind.PAGE, "wasm", 1, speed)


def copy_as_killed(source: Path, target: Path) -> None:
    """Copy an open database between two of its writes: LevelDB compacts in a thread of its own."""
    while True:
        before = _list_files(source)
        try:
            shutil.copytree(source, target)
        except shutil.Error:  # A table was compacted meanwhile.
            before = None
        if before is not None and before == _list_files(source):
            return
        shutil.rmtree(target)


def _list_files(folder: Path) -> list[tuple[str, int]] | None:
    try:
        return sorted((path.name, path.stat().st_size) for path in folder.iterdir())
    except FileNotFoundError:
        return None


class PoolLab:
    """A pool, the chain it follows, and a clock."""

    def __init__(self, folder: Path, fee_ppm: int = 10_000, difficulty: int = 1000) -> None:
        self.folder = folder
        self.chain = FakeChain(difficulty)
        self.node = FakeNode(self.chain)
        self.clock = FakeClock()
        self.settings = PoolSettings(fee_ppm)
        self.pool = self._open()
        self.pool.follow()

    def _open(self) -> Pool:
        return Pool(self.node, Books(self.folder, GENESIS, OWN), OWN, self.settings, self.clock)

    def share(self, address: Address, weight: int, connection: int | None = None) -> None:
        worker = make_worker(address, MEMBERS.index(address) if connection is None else connection)
        self.pool.add_shares(worker, Tickets(weight), 1, self.clock.now_ms(), of_piece=False)

    def ripen(self, blocks: int = 100) -> None:
        for _ in range(blocks):
            self.chain.mine()
        self.pool.follow()

    def move(self, folder: Path) -> None:
        """Go on from a copy of the database as a killed process leaves it."""
        copy_as_killed(self.folder, folder)
        self.pool.books.close()
        self.folder = folder
        self.pool = self._open()
