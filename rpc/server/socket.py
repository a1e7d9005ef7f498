"""JSON-RPC over a WebSocket: each text message is a request, and each answer is sent when it is ready."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from inos.core.bounded import TokenBucket
from inos.rpc.errors import RpcError
from inos.rpc.server.bodies import BodyBudget, BodyLease
from inos.rpc.server.dispatch import encode_error
from inos.rpc.subscriptions.session import Session

log: Final = structlog.get_logger("rpc")

MAX_SOCKETS: Final = 64
OWNER_SOCKETS: Final = 16
"""The holder of the token may open this many more."""
MAX_MESSAGE_BYTES: Final = 1 << 20
"""A message of a caller without the token has at most this many bytes; larger bodies go by POST."""
PINGS_PER_S: Final = 1.0
PINGS_BURST: Final = 20.0
"""A caller may send this many pings; one that sends more is disconnected."""
MAX_RUNNING: Final = 8
"""The most requests of one socket processed at once; while it has as many, no more are read from it."""
HEARTBEAT_S: Final = 20.0
WRITE_S: Final = 30.0
"""Seconds after which a caller that does not read an answer is disconnected."""
SLOW_S: Final = 10.0
"""Seconds after which a subscriber that does not read a notification is disconnected."""
CLOSE_S: Final = 5.0
"""Seconds that a slow reader has to read the close message."""
SLOW_READER: Final = b"slow-reader: subscribe again from the last height received"

Answer = Callable[[bytes, Session], Awaitable[tuple[bytes | None, Callable[[], None]]]]
"""Returns the answer to a request, None for a notification, and a function to call once the answer is sent."""


class Sockets:
    """All open WebSockets of one server."""

    def __init__(self, max_bytes: int, bodies: BodyBudget, slow_s: float = SLOW_S) -> None:
        self._max_bytes = max_bytes
        self._bodies = bodies
        self._slow_s = slow_s
        self._open: set[web.WebSocketResponse] = set()

    def is_full(self, *, is_owner: bool) -> bool:
        """Return True if this caller may open no WebSocket now."""
        return len(self._open) >= MAX_SOCKETS + (OWNER_SOCKETS if is_owner else 0)

    async def serve(self, request: web.Request, answer: Answer, *, is_owner: bool) -> web.WebSocketResponse:
        """Answer requests until the caller disconnects."""
        size = self._max_bytes if is_owner else min(self._max_bytes, MAX_MESSAGE_BYTES)
        ws = web.WebSocketResponse(max_msg_size=size, heartbeat=HEARTBEAT_S, autoping=False)
        await ws.prepare(request)
        self._open.add(ws)
        turns = asyncio.Semaphore(MAX_RUNNING)
        pings = TokenBucket(PINGS_PER_S, PINGS_BURST, asyncio.get_running_loop().time())
        try:
            async with asyncio.TaskGroup() as group:
                # Closing a slow socket is a task of its own, because the other tasks of the socket end meanwhile.
                session = Session(partial(self._send, ws, lambda: group.create_task(_drop(request, ws))), group)
                async for message in ws:
                    if message.type in (WSMsgType.PING, WSMsgType.PONG):
                        if not pings.take(asyncio.get_running_loop().time()):
                            break
                        if message.type is WSMsgType.PING:
                            await ws.pong(message.data)
                        continue
                    if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                        break
                    body = message.data.encode() if isinstance(message.data, str) else message.data
                    await turns.acquire()
                    lease = self._bodies.open(is_owner=is_owner)
                    group.create_task(_reply(ws, partial(answer, body, session), turns, lease, len(body)))
                session.close()
        finally:
            self._open.discard(ws)
        return ws

    async def _send(self, ws: web.WebSocketResponse, drop: Callable[[], object], text: str) -> None:
        """Send a notification. A caller that does not read it in time is disconnected: ConnectionResetError."""
        if ws.closed:
            raise ConnectionResetError("the socket is closed")
        try:
            async with asyncio.timeout(self._slow_s):
                await ws.send_str(text)
        except TimeoutError as error:
            drop()
            raise ConnectionResetError("the reader is too slow") from error

    async def close(self) -> None:
        """Close all sockets."""
        for ws in tuple(self._open):
            await ws.close(code=1001, message=b"the node is stopping")


async def _drop(request: web.Request, ws: web.WebSocketResponse) -> None:
    """Close the socket with the reason, and abort the connection if the caller does not read it in time."""
    if ws.closed or request.transport is None:
        return
    log.info("slow rpc subscriber disconnected")
    asyncio.get_running_loop().call_later(CLOSE_S, request.transport.abort)
    await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=SLOW_READER)


async def _reply(
    ws: web.WebSocketResponse,
    answer: Callable[[], Awaitable[tuple[bytes | None, Callable[[], None]]]],
    turns: asyncio.Semaphore,
    lease: BodyLease,
    size: int,
) -> None:
    """Answer one message of `size` bytes, which are counted on `lease` until then."""
    try:
        with lease:
            text, begin = await _count_and_answer(answer, lease, size)
        if text is not None and not ws.closed:
            async with asyncio.timeout(WRITE_S):
                await ws.send_str(text.decode())
        begin()
    except (ConnectionError, TimeoutError) as error:
        log.debug("rpc caller disconnected", error=str(error))
        await ws.close()
    finally:
        turns.release()


async def _count_and_answer(
    answer: Callable[[], Awaitable[tuple[bytes | None, Callable[[], None]]]], lease: BodyLease, size: int
) -> tuple[bytes | None, Callable[[], None]]:
    try:
        lease.add(size)
    except RpcError as busy:
        return encode_error(busy, None), lambda: None
    return await answer()
