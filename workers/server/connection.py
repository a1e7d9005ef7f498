"""A worker's WebSocket: bounded messages in, a bounded queue out."""

import asyncio
from typing import Final

import structlog
from aiohttp import WSMsgType, web

from inos.core.bounded import TokenBucket
from inos.workers.errors import Offence, WorkerError
from inos.workers.limits import HELLO_S, LIMITS, MAX_FROM_WORKER_BYTES, WAITING_MESSAGES, WRITE_S
from inos.workers.messages import MAX_NAME, MAX_TEXT, Hello, Refused, decode_from_worker, encode_message
from inos.workers.server.session import Session

log: Final = structlog.get_logger("workers")

HEARTBEAT_S: Final = 20.0
CLOSE_S: Final = 5.0
PINGS_PER_S: Final = 1.0
PINGS_BURST: Final = 20.0


class Connection:
    """Moves bytes between a WebSocket and a session."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.host = request.remote or ""
        self.ws = web.WebSocketResponse(
            max_msg_size=MAX_FROM_WORKER_BYTES, heartbeat=HEARTBEAT_S, autoping=False, compress=False, timeout=CLOSE_S
        )
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING_MESSAGES)
        self._pings = TokenBucket(PINGS_PER_S, PINGS_BURST, asyncio.get_running_loop().time())
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """It gets the error for which the connection ends from outside of its own tasks."""

    async def open(self) -> None:
        """Answer the upgrade."""
        await self.ws.prepare(self._request)

    async def receive_hello(self) -> Hello | None:
        """Return the worker's first message; None if it sends none in time, or another one."""
        try:
            async with asyncio.timeout(HELLO_S):
                data = await self._receive()
            if data is None:
                return None
            message = decode_from_worker(data, limit=LIMITS[Hello].max_bytes)
        except TimeoutError:
            await self.refuse("silent", f"no hello came within {HELLO_S:g} s", 1)
            return None
        except WorkerError as error:
            await self.refuse(error.code, error.message, 1)
            return None
        if not isinstance(message, Hello):
            await self.refuse("unexpected-message", "a worker says hello first", 1)
            return None
        return message

    async def run(self, session: Session, key: bytes) -> None:
        """Talk until the worker disconnects.

        Raises:
            Offence: the worker broke a rule. InosError: there is no template for it.
        """
        writer: asyncio.Future[None] = asyncio.ensure_future(self._write(session))
        reader: asyncio.Future[None] = asyncio.ensure_future(self._read(session, key))
        tasks: set[asyncio.Future[None]] = {writer, reader, self._failed}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, reader):
                task.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)
            if not self._failed.done():
                self._failed.cancel()
        for task in done:
            task.result()

    def queue(self, data: bytes) -> None:
        """Queue a message; a worker that does not read them is disconnected."""
        try:
            self._queue.put_nowait(data)
        except asyncio.QueueFull:
            self.fail(Offence("silent", f"{WAITING_MESSAGES} messages wait to be read"))

    def fail(self, error: Offence) -> None:
        """End the connection with this error."""
        if not self._failed.done():
            self._failed.set_exception(error)

    async def refuse(self, code: str, message: str, retry_s: int) -> None:
        """Say why the connection ends, and end it."""
        refused = Refused(code[:MAX_NAME], message[:MAX_TEXT], retry_s)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.ws.send_bytes(encode_message(refused))
        except (ConnectionError, TimeoutError) as error:
            log.debug("a refused worker reads nothing", error=str(error))
        await self.close()

    async def close(self) -> None:
        """End the connection; the worker has CLOSE_S to read what is on its way."""
        if self._request.transport is not None:
            asyncio.get_running_loop().call_later(CLOSE_S, self._request.transport.abort)
        await self.ws.close()

    async def _read(self, session: Session, key: bytes) -> None:
        await session.start(key)
        while (data := await self._receive()) is not None:
            await session.process(data)

    async def _receive(self) -> bytes | None:
        """Return the next binary message, or None at the end.

        Raises:
            Offence: "not-a-message", "too-fast": too many pings.
        """
        async for message in self.ws:
            match message.type:
                case WSMsgType.BINARY:
                    data: bytes = message.data
                    return data
                case WSMsgType.PING | WSMsgType.PONG:
                    if not self._pings.take(asyncio.get_running_loop().time()):
                        raise Offence("too-fast", f"more than {PINGS_PER_S:g} pings came per second")
                    if message.type is WSMsgType.PING:
                        await self.ws.pong(message.data)
                case WSMsgType.TEXT:
                    raise Offence("not-a-message", "messages are binary, not text")
                case _:
                    return None
        return None

    async def _write(self, session: Session) -> None:
        while True:
            data = await self._queue.get()
            session.note_sending(data)
            try:
                async with asyncio.timeout(WRITE_S):
                    await self.ws.send_bytes(data)
            except (ConnectionError, TimeoutError) as error:
                log.debug("a worker does not read", error=str(error))
                return
