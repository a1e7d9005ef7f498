"""A worker service on a real port over a chain made by hand, with workers that a test drives message by message."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from inos.mesh.store import MatrixStore
from inos.miner.product import Product
from inos.miner.split import SplitProduct
from inos.miner.stats import MinerStats
from inos.primitives.blocks import compute_anchor
from inos.primitives.units import U256_MAX, Address, JobId, Target, Tickets, TimeMs
from inos.work import Lottery, Operand
from inos.workers.client import Worker, WorkerOptions
from inos.workers.filler import make_operands
from inos.workers.messages import (
    VERSION,
    Assignment,
    Filler,
    Hello,
    Message,
    NewTemplate,
    Piece,
    Refused,
    Share,
    Totals,
    Welcome,
    WorkerKind,
    decode_from_node,
    encode_message,
    make_header,
)
from inos.workers.ports import WorkerInfo
from inos.workers.server import WorkerService, WorkerSettings
from inos.workers.server import fillers as fillers_module
from support.miner_node import FakeNode
from support.page_node import add_pages

TOKEN = b"\x09" * 32
ME = Address(b"\x01" * 20)
STRANGER = Address(b"\x02" * 20)
ROOM = 1 << 30
M = TypeVar("M", bound=Message)


class WorkNode(FakeNode):
    """Satisfies inos.workers.server.ports.NodePort. No ticket wins before a test sets `target`."""

    def __init__(self) -> None:
        super().__init__()
        from inos.genesis import load_network

        self.network = load_network("devnet")
        self.genesis_id = self.network.genesis_id


class CountingPool:
    """Satisfies inos.workers.ports.PoolPort, and remembers what it was told."""

    def __init__(self) -> None:
        self.target = Target(U256_MAX // 8)
        self.shares: list[tuple[WorkerInfo, int]] = []
        self.pieces: list[tuple[WorkerInfo, int]] = []
        self.removed: list[WorkerInfo] = []
        self.is_open = True

    def get_share_target(self, worker: WorkerInfo) -> Target:
        return self.target

    def add_shares(self, worker: WorkerInfo, weight: Tickets, count: int, at_ms: TimeMs, *, of_piece: bool) -> None:
        self.shares += [(worker, weight)] * count

    def add_piece(self, worker: WorkerInfo, job: JobId | None, tickets: Tickets, at_ms: TimeMs) -> None:
        self.pieces.append((worker, tickets))

    def may_take_pieces(self, worker: WorkerInfo) -> bool:
        return self.is_open

    def get_totals(self, worker: WorkerInfo) -> Totals:
        own = [weight for each, weight in self.shares if each.address == worker.address]
        return Totals(len(own), sum(own), 7 * len(own), 0)

    def remove_worker(self, worker: WorkerInfo) -> None:
        self.removed.append(worker)


class WorkLab:
    """Holds a running service."""

    def __init__(self, node: WorkNode, service: WorkerService, pool: CountingPool, url: str) -> None:
        self.node = node
        self.service = service
        self.pool = pool
        self.url = url
        self.stats = MinerStats()

    def offer(self, x: NDArray[np.int8], w: NDArray[np.int8]) -> SplitProduct:
        """Offer a product to the workers."""
        split = SplitProduct(
            Product(Operand.commit(x), Operand.commit(w)), JobId(b"\x05" * 32), self.stats, self.node.clock
        )
        self.service.offer(split)
        return split

    @asynccontextmanager
    async def join(self, **changes: Any) -> AsyncIterator["RawWorker"]:
        """Connect a worker that does what the test says; its hello has these changes."""
        async with self.connect() as worker:
            await worker.send(make_hello(**changes))
            yield worker

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["RawWorker"]:
        """Connect a worker that has not said hello yet."""
        async with aiohttp.ClientSession() as session, session.ws_connect(self.url, max_msg_size=1 << 22) as ws:
            yield RawWorker(ws)

    @asynccontextmanager
    async def work(self, **changes: Any) -> AsyncIterator[None]:
        """Run an honest worker, which is the program's own."""
        values: dict[str, Any] = {"url": self.url, "token": TOKEN, "threads": 1, "room": ROOM}
        values |= {"down": 2**40, "up": 2**40}  # small products are otherwise not worth sending over a line
        task = asyncio.ensure_future(Worker(WorkerOptions(**values | changes)).run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, question: Callable[[], Any]) -> None:
        await self.node.until(question)


def make_hello(**changes: Any) -> Hello:
    values: dict[str, Any] = {
        "version": VERSION,
        "identity": b"\x03" * 16,
        "address": None,
        "token": TOKEN,
        "name": "test",
        "kind": WorkerKind.MACHINE,
        "backend": "numpy",
        "threads": 1,
        "speed": 1000,
        "down": 2**40,
        "up": 2**40,
        "room": ROOM,
    }
    return Hello(**values | changes)


@asynccontextmanager
async def open_lab(
    *, has_pool: bool = False, has_fillers: bool = True, store: MatrixStore | None = None, socket: Path | None = None
) -> AsyncIterator[WorkLab]:
    """Serve workers, and the page that makes a browser one, on a free port of loopback."""
    node, pool = WorkNode(), CountingPool()
    settings = WorkerSettings(beneficiary=ME, token=TOKEN, has_fillers=has_fillers, socket_path=socket)
    service = WorkerService(
        node, settings, np.random.default_rng(5), pool if has_pool else None, store if socket is not None else None
    )
    app = web.Application()
    add_pages(app)
    app.router.add_get("/work", service.serve)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    task = asyncio.ensure_future(service.run())
    try:
        yield WorkLab(node, service, pool, f"http://127.0.0.1:{port}/work")
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await runner.cleanup()


class RefusedError(AssertionError):
    """The node refused a worker of which the test expected something else."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"refused: {refused}")
        self.code = refused.code


class RawWorker:
    """Sends and receives single messages."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.heard: list[Message] = []

    async def send(self, message: Message) -> None:
        await self.ws.send_bytes(encode_message(message))

    async def hear(self, kind: type[M], limit_s: float = 60.0) -> M:
        """Return the next message of a kind that was not returned before; others are kept."""
        for message in self.heard:
            if isinstance(message, kind):
                self.heard.remove(message)
                return message
        async with asyncio.timeout(limit_s):
            while True:
                received = await self.ws.receive()
                if received.type is not aiohttp.WSMsgType.BINARY:
                    raise ConnectionError(f"the node closed the connection before a {kind.__name__}")
                message = decode_from_node(received.data, limit=1 << 22)
                if isinstance(message, kind):
                    return message
                if isinstance(message, Refused):
                    raise RefusedError(message)
                self.heard.append(message)

    async def start(self) -> "Start":
        """Return what a worker is told at the beginning, with the operands of its filler."""
        welcome, template = await self.hear(Welcome), await self.hear(NewTemplate)
        assignment = await self.hear_filler()
        return Start(welcome, template, assignment)

    async def hear_filler(self) -> Assignment:
        while True:
            found = await self.hear(Assignment)
            if isinstance(found.work, Filler):
                return found
            self.heard.append(found)

    async def hear_piece(self, limit_s: float = 60.0) -> Assignment:
        while True:
            found = await self.hear(Assignment, limit_s)
            if isinstance(found.work, Piece):
                return found


class Start:
    """What a worker has after its hello."""

    def __init__(self, welcome: Welcome, template: NewTemplate, assignment: Assignment) -> None:
        self.welcome = welcome
        self.template = template
        self.assignment = assignment
        assert isinstance(assignment.work, Filler)
        self.x, self.w = make_operands(assignment.work)

    def get_nonce(self, counter: int) -> int:
        return self.welcome.prefix << 32 | counter

    def draw(self, count: int) -> list[Share]:
        """Return honest shares of the filler. A worker that says it is slow has an easy target."""
        target, found, counter = int.from_bytes(self.assignment.share_target, "big"), list[Share](), 0
        while len(found) < count:
            counter += 1
            found += draw_shares(self.x, self.w, self.template, self.get_nonce(counter), target, (0, self.x.strips))
        return found[:count]


def draw_shares(
    x: Operand, w: Operand, template: NewTemplate, nonce: int, target: int, strips: tuple[int, int] = (0, 1)
) -> list[Share]:
    anchor = compute_anchor(make_header(template.header, nonce))
    found: list[Share] = []
    Lottery(w, anchor, target, threads=1).draw(
        x, *strips, lambda i, j, p, digest: found.append(Share(nonce, i, j, p, digest))
    )
    return sorted(found, key=lambda share: share.digest)


def make_matrices(rows: int = 160, cols: int = 96, depth: int = 1024) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    random = np.random.default_rng(3)
    x, w = (random.integers(-64, 64, (count, depth), dtype=np.int8) for count in (rows, cols))
    return x, w


def multiply(x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32]:
    return (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int32)


def shrink_fillers(monkeypatch: Any) -> None:
    """Make fillers small, so that a test's thread is done with one at once."""
    monkeypatch.setattr(fillers_module, "SIDES", dict.fromkeys(WorkerKind, 64))
