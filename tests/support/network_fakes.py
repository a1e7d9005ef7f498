"""A node in memory: a chain without rules, a pool, and matrices as strips. Flags select failures."""

import asyncio
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

from inos.chain.checked import CheckedBlock
from inos.chain.events import MatrixAdded, MatrixWanted, TipChanged, TransactionAdded, VoteAdded
from inos.core.result_holders import ResultHolders
from inos.core.verification.backends import InlineBackend
from inos.core.verification.blocks import BlockVerifier
from inos.mesh.runs import RUN_LEVEL, RUN_STRIPS, Run, check_run
from inos.mesh.store import MatrixInfo
from inos.network.identity import NodeIdentity, PeerAddress
from inos.network.link import Link
from inos.network.service import NetworkService
from inos.network.settings import PROTOCOL_VERSION, NetworkSettings, TimeLimits
from inos.network.transport.websocket import WebSocketTransport
from inos.network.wire.control import Hello
from inos.primitives.blocks import Block, Header, compute_block_id, compute_tx_root
from inos.primitives.bls import get_bls
from inos.primitives.clock import SystemClock
from inos.primitives.codec import encode
from inos.primitives.errors import InosError, ParentMissing, RuleViolation
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import STRIP_BYTES, Witness, compute_matrix_id
from inos.primitives.merkle import compute_path, compute_root
from inos.primitives.transactions import Transaction, Transfer, compute_tx_id, sign_transaction
from inos.primitives.units import DurationMs
from inos.primitives.votes import Vote
from inos.work.strips import InvalidMatrix, StripTree

CHAIN_ID = 7
WITNESS = Witness(bytes(STRIP_BYTES), (), bytes(STRIP_BYTES), ())
BAD_WITNESS = Witness(b"\x01" * STRIP_BYTES, (), bytes(STRIP_BYTES), ())
FAST = TimeLimits(
    dial=30.0,
    handshake=30.0,
    write=30.0,
    ping_interval=0.1,
    ping=30.0,
    probe=0.3,
    headers=1.0,
    block=0.4,
    transactions=0.4,
    matrix=0.4,
    matrix_wanted=30.0,
    close=0.5,
)


def make_identity(seed: int) -> NodeIdentity:
    return NodeIdentity(bytes([seed]) * 32)


def make_header(parent: Header | None, transactions: tuple[Transaction, ...] = (), nonce: int = 0) -> Header:
    return Header(
        version=1,
        chain_id=CHAIN_ID,
        height=0 if parent is None else parent.height + 1,
        parent=bytes(32) if parent is None else compute_block_id(parent),
        time_ms=1000,
        tx_root=compute_tx_root(transactions),
        state_root=bytes(32),
        target=b"\xff" * 32,
        beneficiary=bytes(20),
        nonce=nonce,
        seal=None,
    )


GENESIS = make_header(None)
GENESIS_ID = compute_block_id(GENESIS)


def make_chain(count: int, parent: Header = GENESIS, nonce: int = 0) -> list[Block]:
    blocks = []
    for _ in range(count):
        parent = make_header(parent, nonce=nonce)
        blocks.append(Block(parent, ()))
    return blocks


def make_tx(nonce: int) -> Transaction:
    return sign_transaction(b"\x05" * 32, CHAIN_ID, nonce, 1, Transfer(bytes(20), 1))


class FakeLedger:
    def __init__(self) -> None:
        self.headers = {GENESIS_ID: GENESIS}
        self.blocks: dict[bytes, Block] = {GENESIS_ID: Block(GENESIS, ())}
        self.witnesses: dict[bytes, Witness] = {}
        self.invalid: set[bytes] = set()
        self.chain = [GENESIS_ID]
        self.best = GENESIS_ID

    def draw_work_sample(self, count: int, rng: object) -> None:
        """There is nothing to sample: the fake's chains are short."""

    @staticmethod
    def _view(header: Header) -> SimpleNamespace:
        return SimpleNamespace(id=compute_block_id(header), header=header, weight=header.height)

    @property
    def tip(self) -> SimpleNamespace:
        return self._view(self.headers[self.chain[-1]])

    is_awaiting_state = False
    first_block = 1

    @property
    def best_header(self) -> SimpleNamespace:
        return self._view(self.headers[self.best])

    def get_header(self, id: bytes) -> Header | None:
        return self.headers.get(id)

    def get_block(self, id: bytes) -> Block | None:
        return self.blocks.get(id)

    def get_witness(self, id: bytes) -> Witness | None:
        return self.witnesses.get(id)

    def get_status(self, id: bytes) -> str:
        if id in self.invalid:
            return "invalid: told so"
        if id in self.chain:
            return "connected"
        if id in self.blocks:
            return "stored"
        return "header" if id in self.headers else "unknown"

    def get_locator(self) -> list[bytes]:
        return [*self.chain[:0:-7][:30], GENESIS_ID]

    def get_headers_after(self, locator: list[bytes], limit: int) -> list[Header]:
        start = next((self.chain.index(id) for id in locator if id in self.chain), 0)
        return [self.headers[id] for id in self.chain[start + 1 : start + 1 + limit]]

    def get_skeleton(self, locator: list[bytes], step: int, limit: int) -> tuple[bytes, list[bytes]]:
        start = next((self.chain.index(id) for id in locator if id in self.chain), 0)
        return self.chain[start], self.chain[start + step :: step][:limit]

    def path_to(self, id: bytes) -> list[bytes]:
        path = []
        while id not in self.chain:
            path.append(id)
            id = self.headers[id].parent
        return path[::-1]

    def get_missing_blocks(self, limit: int) -> list[bytes]:
        return [id for id in self.path_to(self.best) if id not in self.blocks and id not in self.invalid][:limit]


class FakeMatrices:
    """Implements inos.network.ports.MatricesPort, with its store, retention and arrivals."""

    def __init__(self, publish: Callable[[object], None] = lambda event: None) -> None:
        self.store = self.retention = self.arrivals = self
        self._publish = publish
        self.heads: dict[bytes, MatrixInfo] = {}
        self.parts: dict[bytes, dict[int, bytes]] = {}
        self.promised: set[bytes] = set()
        self.lent: set[bytes] = set()
        self.surplus: set[bytes] = set()
        self.has_room = True

    def put(self, strips: list[bytes]) -> bytes:
        leaves = [compute_hash(Context.MATRIX_STRIP, strip) for strip in strips]
        info = MatrixInfo(1, 16 * len(strips), 1024, compute_root(Context.MATRIX_NODE, leaves))
        id = compute_matrix_id(1, info.rows, info.cols, info.root)
        self.heads[id], self.parts[id] = info, dict(enumerate(strips))
        return id

    async def begin(self, info: MatrixInfo, max_bytes: int | None = None) -> bool:
        id = compute_matrix_id(info.dtype, info.rows, info.cols, info.root)
        self.heads.setdefault(id, info)
        self.parts.setdefault(id, {})
        return self.has(id)

    async def add_run(self, id: bytes, index: int, data: bytes, path: tuple[bytes, ...]) -> bool:
        is_complete = self.add(id, index, data, path)
        if is_complete:
            self._publish(MatrixAdded(id))
        return is_complete

    async def drop(self, id: bytes) -> bool:
        self.parts.pop(id, None)
        return self.heads.pop(id, None) is not None

    async def read_run(self, id: bytes, index: int) -> Run | None:
        return self.get_run(id, index) if self.has(id) else None

    def has(self, id: bytes) -> bool:
        return id in self.heads and len(self.parts[id]) == self.heads[id].rows // 16

    def info(self, id: bytes) -> MatrixInfo | None:
        return self.heads[id] if self.has(id) else None

    def list_ids(self) -> list[bytes]:
        return [id for id in self.heads if self.has(id)]

    def get_strips(self, id: bytes, first: int, count: int) -> list[tuple[bytes, tuple[bytes, ...]]]:
        parts = self.parts[id]
        leaves = [compute_hash(Context.MATRIX_STRIP, parts[i]) for i in range(len(parts))]
        return [
            (parts[i], compute_path(Context.MATRIX_NODE, leaves, i))
            for i in range(first, min(first + count, len(parts)))
        ]

    def get_demand(self, id: bytes) -> float:
        return 0.0

    def is_promised(self, id: bytes) -> bool:
        return id in self.promised

    def count_lending_room(self) -> tuple[int, int]:
        return (1 << 50, 1 << 50) if self.has_room else (0, 0)

    def count_here(self, id: bytes) -> int | None:
        return len(self.parts[id]) if id in self.parts else None

    def set_lent(self, id: bytes) -> None:
        self.lent.add(id)

    def may_let_go(self, id: bytes) -> bool:
        return id in self.surplus

    def list_missing(self, id: bytes, limit: int) -> list[int]:
        info = self.heads.get(id)
        strips = 0 if info is None else info.rows // 16
        return [i for i in range(-(-strips // RUN_STRIPS)) if i * RUN_STRIPS not in self.parts[id]][:limit]

    def add(self, id: bytes, index: int, data: bytes, path: tuple[bytes, ...]) -> bool:
        try:
            check_run(self.heads[id], index, data, path)
        except InvalidMatrix as error:
            raise RuleViolation(error.code, error.message) from error
        for number in range(len(data) // STRIP_BYTES):
            strip = data[number * STRIP_BYTES : (number + 1) * STRIP_BYTES]
            self.parts[id][index * RUN_STRIPS + number] = strip
        return self.has(id)

    def get_run(self, id: bytes, index: int) -> Run:
        strips = list(self.parts[id].values())
        tree = StripTree([compute_hash(Context.MATRIX_STRIP, strip) for strip in strips])
        data = b"".join(strips[index * RUN_STRIPS : (index + 1) * RUN_STRIPS])
        return Run(data, tree.compute_node_path(RUN_LEVEL, index))


class FakePool:
    def __init__(self) -> None:
        self.transactions: dict[bytes, Transaction] = {}

    def get(self, id: bytes) -> Transaction | None:
        return self.transactions.get(id)

    def has(self, id: bytes) -> bool:
        return id in self.transactions

    def list_ids(self) -> list[bytes]:
        return list(self.transactions)


class FakeVotes:
    """Accepts every vote as signed except those of `refused` keys."""

    def __init__(self, node: "FakeNode") -> None:
        self._node = node
        self.all: dict[Vote, None] = {}
        self.refused: set[bytes] = set()

    def has(self, vote: Vote) -> bool:
        return vote in self.all

    async def add(self, vote: Vote) -> None:
        if vote.key in self.refused:
            raise RuleViolation("bad-vote-signature", "told so")
        self.all[vote] = None
        self._node.publish(VoteAdded(vote))

    async def list_votes(self, first_epoch: int, limit: int) -> list[Vote]:
        return [vote for vote in self.all if vote.link.target.epoch >= first_epoch][:limit]


class FakeNode:
    """Satisfies inos.network.ports.NodePort; keeps what it was given in `seen`."""

    def __init__(self) -> None:
        self.params = SimpleNamespace(chain_id=CHAIN_ID, epoch_blocks=8, max_block_bytes=1 << 20)
        self.votes = FakeVotes(self)
        self.genesis_id = GENESIS_ID
        self.ledger = FakeLedger()
        self.mempool = FakePool()
        self.matrices = FakeMatrices(self.publish)
        self.blocks = self.events = self
        self.transactions = SimpleNamespace(add=self.add_transaction)
        self.state_import = SimpleNamespace(state=None)
        self.result_holders = ResultHolders(DurationMs(1000), SystemClock())
        backend = InlineBackend(get_bls(), check_fake_seal)
        self.verifier = BlockVerifier(self.params, backend, self.ledger, self.mempool)
        self.refuse_blocks: set[bytes] = set()
        self.seen: list[bytes] = []
        self._queues: list[asyncio.Queue[object]] = []

    def publish(self, event: object) -> None:
        for queue in self._queues:
            queue.put_nowait(event)

    @asynccontextmanager
    async def subscribe(self):  # type: ignore[no-untyped-def]
        queue: asyncio.Queue[object] = asyncio.Queue()
        self._queues.append(queue)

        async def events():  # type: ignore[no-untyped-def]
            while True:
                yield await queue.get()

        yield events()
        self._queues.remove(queue)

    async def add_headers(self, headers: tuple[Header, ...]) -> None:
        for header in headers:
            if header.parent not in self.ledger.headers:
                raise ParentMissing(header.parent)
            if header.time_ms == 0:
                raise RuleViolation("bad-time", "no time")
            id = compute_block_id(header)
            self.ledger.headers[id] = header
            if header.height > self.ledger.headers[self.ledger.best].height:
                self.ledger.best = id

    async def add(self, block: Block, witness: Witness) -> None:
        await self.add_headers((block.header,))
        ledger, id = self.ledger, compute_block_id(block.header)
        self.seen.append(id)
        if id in self.refuse_blocks:
            ledger.invalid.add(id)
            raise RuleViolation("bad-state-root", "told so")
        ledger.blocks[id], ledger.witnesses[id] = block, witness
        path = ledger.path_to(id)
        if block.header.height > ledger.tip.header.height and all(each in ledger.blocks for each in path):
            fork = ledger.chain.index(ledger.headers[path[0]].parent)
            gone, ledger.chain = ledger.chain[fork + 1 :], ledger.chain[: fork + 1] + path
            self.publish(TipChanged(ledger.tip, tuple(path), tuple(gone)))

    async def execute_ahead(self, block: Block) -> None:
        """Do nothing: blocks of this node have no state."""

    async def add_checked(self, blocks: list[CheckedBlock]) -> SimpleNamespace:
        errors: list[InosError | None] = []
        for checked in blocks:
            try:
                errors.append(await self.add(checked.block, checked.witness))
            except InosError as error:
                errors.append(error)
        return SimpleNamespace(errors=errors, state_s=0.0, disk_s=0.0)

    async def add_transaction(self, tx: Transaction) -> bytes:
        id = compute_tx_id(tx)
        self.seen.append(id)
        if tx.fee == 0:
            raise RuleViolation("no-fee", "told so")
        self.mempool.transactions[id] = tx
        self.publish(TransactionAdded(id))
        return id

    def want_matrix(self, id: bytes) -> None:
        self.publish(MatrixWanted((id,)))

    async def add_chain(self, blocks: list[Block], witness: Witness = WITNESS) -> None:
        for block in blocks:
            await self.add(block, witness)


def check_fake_seal(params: object, header: Header, witness: Witness) -> None:
    if witness == BAD_WITNESS:
        raise RuleViolation("bad-path", "told so")


def make_service(node: FakeNode, seed: int, *peers: PeerAddress, **changes: object) -> NetworkService:
    settings = NetworkSettings(
        **{
            "peers": peers,
            "redial_first_s": 0.05,
            "redial_most_s": 0.2,
            "announce_interval_s": 0.01,
            "limits": FAST,
            **changes,
        }
    )
    identity = make_identity(seed)
    return NetworkService(node, settings, identity, clock=SystemClock(), rng=random.Random(seed))


def get_address(service: NetworkService) -> PeerAddress:
    return PeerAddress(service.node_id, "127.0.0.1", service.listen_port)


@asynccontextmanager
async def running(*services: NetworkService):  # type: ignore[no-untyped-def]
    """Run services, and stop them at the end. Services that were started already are only run."""
    async with asyncio.TaskGroup() as group:
        for service in services:
            if service.listen_port == 0:
                await service.start()
            group.create_task(service.run())
        try:
            yield
        finally:
            for service in services:
                await service.stop()


async def until(is_true: Callable[[], object], limit_s: float = 60.0) -> None:
    """Wait for a state; raise TimeoutError if it does not come."""
    async with asyncio.timeout(limit_s):
        while True:
            if is_true():
                return
            await asyncio.sleep(0.005)


def make_hello(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "version": PROTOCOL_VERSION,
        "chain_id": CHAIN_ID,
        "genesis_id": GENESIS_ID,
        "user_agent": "test",
        "tip": GENESIS_ID,
        "height": 0,
        "weight": bytes(32),
        "listen_port": 0,
    }
    return encode(Hello(**{**fields, **changes}))


@asynccontextmanager
async def raw_link(seed: int, address: PeerAddress, **hello: object):  # type: ignore[no-untyped-def]
    """Return a proven link to a service, on which a test can send anything."""
    transport = WebSocketTransport(make_identity(seed), GENESIS_ID, host="127.0.0.1", port=0, limits=FAST)
    link: Link = await transport.dial(address, lambda: make_hello(**hello))
    try:
        yield link
    finally:
        await link.close()
        await transport.stop()


@asynccontextmanager
async def syncing(new, *nodes, spoil=lambda services: None):
    """Run services of `nodes`, and a service of `new` that dials them all; enter with that service and the others."""
    services = [make_service(node, seed) for seed, node in enumerate(nodes, 1)]
    spoil(services)
    for service in services:
        await service.start()
    fresh = make_service(new, 9, *(get_address(service) for service in services))
    async with running(fresh, *services):
        yield fresh, services
