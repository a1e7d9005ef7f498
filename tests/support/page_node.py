"""A node as the page for workers sees it: the explorer's files, node_version, and the path /work, whose shares it
recomputes by the reference."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientConnectionResetError, WSMsgType, web

from inos.primitives.blocks import compute_anchor
from inos.primitives.matrices import Seal, Witness
from inos.primitives.units import U256_MAX
from inos.rpc.server.pages import answer_page
from inos.work import Operand
from inos.work.certificate import compute_digest
from inos.work.strips import compute_strip
from inos.workers.filler import make_operands
from inos.workers.limits import LIMITS
from inos.workers.messages import (
    VERSION,
    Ack,
    Assignment,
    Filler,
    FromWorker,
    Hello,
    Message,
    NewTemplate,
    Refused,
    Result,
    Share,
    Totals,
    Welcome,
    WorkHeader,
    decode_from_worker,
    encode_message,
    make_header,
    peek_kind,
)

HRP: Final = "inosd"
POOL: Final = bytes(range(20))
FILLER: Final = Filler(bytes([5] * 32), 256, 128, 1100)
HEADER: Final = WorkHeader(3, 7, 41, bytes([1] * 32), 10**12, bytes([2] * 32), bytes([3] * 32), bytes([9] * 32), POOL)
SHARE_TARGET: Final = U256_MAX // 200
WIN_TARGET: Final = U256_MAX // 100_000


class PageNode:
    """Records what pages send, and lets a test say more to them."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[FromWorker] = []
        self.problems: list[str] = []
        self.shares: list[Share] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.can_read = asyncio.Event()
        """The node takes no message while a test has cleared this."""
        self.can_read.set()
        self.ended = 0
        """So many connections have ended."""
        self.refusal: Refused | None = None
        self._fillers: dict[int, Filler] = {}
        self.header = HEADER
        self.win_target = WIN_TARGET
        self._places: set[tuple[int, ...]] = set()
        self._wins: list[int] = []
        """Templates of which a win was told that is no share."""
        self._connections = 0
        self._operands: dict[Filler, tuple[Operand, Operand]] = {}
        self._templates: dict[int, WorkHeader] = {}
        self._changed = asyncio.Condition()

    async def wait(self, is_true: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until something that pages did makes a condition true."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(is_true)

    async def say(self, message: Message) -> None:
        """Send a message to the page that connected last."""
        await self.sockets[-1].send_bytes(encode_message(message))

    async def say_template(self, number: int, header: WorkHeader) -> None:
        self._templates[number] = header
        await self.say(NewTemplate(number, header, self.win_target.to_bytes(32, "big")))

    async def say_filler(self, number: int, filler: Filler) -> None:
        self._fillers[number] = filler
        await self.say(Assignment(number, SHARE_TARGET.to_bytes(32, "big"), filler))

    def list_received(self, kind: type[Message]) -> list[FromWorker]:
        return [each for each in self.received if isinstance(each, kind)]

    def get_operands(self, assignment: int) -> tuple[Operand, Operand]:
        """Return X and W of an assignment."""
        filler = self._fillers[assignment]
        if filler not in self._operands:
            self._operands[filler] = make_operands(filler)
        return self._operands[filler]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Speak with a page until it closes."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        self._prefix = 2**31 + self._connections
        self._connections += 1
        try:
            async for message in socket:
                await self.can_read.wait()
                assert message.type == WSMsgType.BINARY, message
                await self._take(message.data)
        except ClientConnectionResetError:
            pass  # The page left before it was answered.
        async with self._changed:
            self.ended += 1
            self._changed.notify_all()
        return socket

    async def _take(self, data: bytes) -> None:
        decoded = decode_from_worker(data, limit=LIMITS[peek_kind(data)].max_bytes)
        await self._handle(decoded)
        async with self._changed:
            self.received.append(decoded)
            self._changed.notify_all()

    async def _handle(self, message: FromWorker) -> None:
        match message:
            case Hello():
                if self.refusal:
                    await self.say(self.refusal)
                    await self.sockets[-1].close()
                    return
                await self.say(Welcome(VERSION, "devnet", HRP, bytes(32), POOL, self._prefix, 0, None))
                self._templates.clear()
                self._wins.clear()
                await self.say_template(1, self.header)
                await self.say_filler(1, FILLER)
            case Result():
                for share in message.shares:
                    await asyncio.to_thread(self._check, share, message)
                tickets = len(self.shares) * 200
                await self.say(
                    Ack(message.assignment, len(message.shares), Totals(len(self.shares), tickets, 7, 10**9))
                )
            case _:
                pass

    def _check(self, share: Share, result: Result) -> None:
        """Recompute a share, as a node does."""
        x, w = self.get_operands(result.assignment)
        anchor = compute_anchor(make_header(self._templates[result.template], share.nonce))
        seal = Seal(x.ref, w.ref, share.i, share.j, share.p, share.digest)
        strips = (compute_strip(side.array, at * side.panels + share.p) for side, at in ((x, share.i), (w, share.j)))
        x_strip, w_strip = strips
        digest = compute_digest(seal, Witness(x_strip, (), w_strip, ()), anchor)
        if digest != share.digest:
            self.problems.append(f"{share} has the digest {digest.hex()}")
        if int.from_bytes(digest, "big") > SHARE_TARGET:
            if int.from_bytes(digest, "big") > self.win_target or result.template in self._wins:
                self.problems.append(f"{share} is neither a share nor the first win of template {result.template}")
            self._wins.append(result.template)
        if share.nonce >> 32 != self._prefix:
            self.problems.append(f"{share} has a foreign prefix")
        place = result.template, share.nonce, share.i, share.j, share.p
        if place in self._places:
            self.problems.append(f"{share} was sent twice")
        self._places.add(place)
        self.shares.append(share)


async def _answer(request: web.Request) -> web.Response:
    body = await request.json()
    version = {"name": "inos", "network": "devnet", "hrp": HRP}
    answer = {"jsonrpc": "2.0", "id": body["id"], "result": version}
    if body["method"] != "node_version":
        answer = {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32601, "message": "there is no such method"}}
    return web.Response(text=json.dumps(answer), content_type="application/json")


async def _show(request: web.Request) -> web.Response:
    return answer_page(request.match_info["name"])


def add_pages(app: web.Application) -> None:
    """Serve the explorer's files, and the only method that the page for workers needs."""
    app.router.add_get("/explorer/{name:.*}", _show)
    app.router.add_post("/", _answer)


@asynccontextmanager
async def open_page_node(host: str = "127.0.0.1") -> AsyncIterator[PageNode]:
    """Serve a page node on a free port of `host`."""
    node = PageNode()
    app = web.Application()
    add_pages(app)
    app.router.add_get("/work", node.serve)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    node.url = f"http://{host}:{runner.addresses[0][1]}"
    try:
        yield node
    finally:
        for socket in node.sockets:
            await socket.close()
        await runner.cleanup()
