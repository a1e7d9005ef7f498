"""A node played by a test, message by message, for the real link of a worker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from aiohttp import web

from inos.work import Operand
from inos.workers.client.link import Link
from inos.workers.messages import GetRun, Message, RunData, Totals, decode_from_worker, encode_message
from inos.workers.server.runs import read_run
from support.work_lab import make_hello, make_matrices

X, W = (Operand.commit(each) for each in make_matrices())


class NodeSide:
    """Plays the node, message by message."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self.ws = ws

    async def send(self, *messages: Message) -> None:
        for message in messages:
            await self.ws.send_bytes(encode_message(message))

    async def listen(self, kind: type[Any]) -> Any:
        """Return the next message of this kind; others are ignored."""
        async with asyncio.timeout(60):
            while True:
                message = decode_from_worker((await self.ws.receive()).data, limit=1 << 21)
                if isinstance(message, kind):
                    return message

    async def hear(self, kind: type[Any]) -> Any:
        """Return the next message of this kind, and send runs of X and W meanwhile."""
        while not isinstance(message := await self.listen(Message), kind):
            if isinstance(message, GetRun):
                operand = X if message.id == X.ref.id else W
                await self.send(RunData(message.id, message.index, *read_run(operand, message.index)))
        return message


@asynccontextmanager
async def linked(
    act: Callable[[NodeSide], Any], *, room: int = 1 << 30, on_totals: Callable[[Totals], None] = lambda _: None
) -> AsyncIterator[tuple[asyncio.Task[None], Link]]:
    """Connect a link with a node that acts so, and yield the link's task and the link."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(max_msg_size=1 << 22)
        await ws.prepare(request)
        with suppress(asyncio.CancelledError, ConnectionError, TypeError):
            await act(NodeSide(ws))
        await ws.close()
        return ws

    app = web.Application()
    app.router.add_get("/work", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/work"
    try:
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=1 << 22) as ws:
            link = Link(ws, backend="auto", threads=1, room=room, on_totals=on_totals)
            task = asyncio.ensure_future(link.run(make_hello()))
            yield task, link
            task.cancel()
            await asyncio.wait([task])
    finally:
        await runner.cleanup()
