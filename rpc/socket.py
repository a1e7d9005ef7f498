"""JSON-RPC over a WebSocket: each text message is a request, answered when it is done, not in order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import WSMsgType, web

log: Final = structlog.get_logger("rpc")

MAX_SOCKETS: Final = 64
MAX_RUNNING: Final = 8
"""Requests of one socket worked on at a time; while there are more, nothing further is read from it."""
HEARTBEAT_S: Final = 20.0
WRITE_S: Final = 30.0
"""A caller that takes no answer for so long is cut off."""

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""The answer to one request, None for a notification."""


class Sockets:
    """All open sockets of one server."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._open: set[web.WebSocketResponse] = set()

    @property
    def is_full(self) -> bool:
        return len(self._open) >= MAX_SOCKETS

    async def serve(self, request: web.Request, answer: Answer) -> web.WebSocketResponse:
        """Answer requests until the caller goes."""
        ws = web.WebSocketResponse(max_msg_size=self._max_bytes, heartbeat=HEARTBEAT_S)
        await ws.prepare(request)
        self._open.add(ws)
        turns = asyncio.Semaphore(MAX_RUNNING)
        try:
            async with asyncio.TaskGroup() as group:
                async for message in ws:
                    if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                        break
                    body = message.data.encode() if isinstance(message.data, str) else message.data
                    await turns.acquire()
                    group.create_task(_reply(ws, body, answer, turns))
        finally:
            self._open.discard(ws)
        return ws

    async def close(self) -> None:
        """Say goodbye to all."""
        for ws in tuple(self._open):
            await ws.close(code=1001, message=b"the node stops")


async def _reply(ws: web.WebSocketResponse, body: bytes, answer: Answer, turns: asyncio.Semaphore) -> None:
    try:
        text = await answer(body)
        if text is not None and not ws.closed:
            async with asyncio.timeout(WRITE_S):
                await ws.send_str(text.decode())
    except (ConnectionError, TimeoutError) as error:
        log.debug("rpc caller gone", error=str(error))
        await ws.close()
    finally:
        turns.release()
