"""A TCP relay on loopback between two nodes, which can be cut, healed and slowed."""

import asyncio
import contextlib
from collections import deque
from types import TracebackType
from typing import Final, Self

CHUNK_BYTES: Final = 65_536
WAITING_CHUNKS: Final = 256
"""On their way per direction; a sender waits beyond that, as on a long cable."""


class Relay:
    """Forwards connections from `port` to a target port until it is cut.

    Cutting aborts every connection and refuses new ones; healing lets new ones through.

    Args:
        target_port: on loopback; may be set later, e.g. to a node that was started again.
        delay_s: added each way.
    """

    def __init__(self, target_port: int = 0, delay_s: float = 0.0) -> None:
        self.target_port = target_port
        self._delay_s = delay_s
        self._is_cut = False
        self._transports: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Drop everything, now and until healed."""
        self._is_cut = True
        for writer in self._transports:
            writer.transport.abort()

    def heal(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def set_delay(self, seconds: float) -> None:
        """From now on; what is on its way arrives as it would have."""
        self._delay_s = seconds

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut or not self.target_port:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._transports |= {writer, there_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there_writer))
                group.create_task(self._pump(there_reader, writer))
        finally:
            self._transports -= {writer, there_writer}
            writer.transport.abort()
            there_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction: chunks leave in the order they came, each `delay_s` later."""
        way = _Way()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(way.send(writer))
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(CHUNK_BYTES):
                    await way.put(data, asyncio.get_running_loop().time() + self._delay_s)
            way.end()
            await sending
        writer.transport.abort()


class _Way:
    """Chunks on their way."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._changed = asyncio.Event()
        self._is_ended = False

    async def put(self, data: bytes, due: float) -> None:
        while len(self._chunks) >= WAITING_CHUNKS and not self._is_ended:
            await self._wait()
        self._chunks.append((due, data))
        self._changed.set()

    def end(self) -> None:
        self._is_ended = True
        self._changed.set()

    async def send(self, writer: asyncio.StreamWriter) -> None:
        """Until the sending side ended and everything is there, or the receiving side is gone."""
        with contextlib.suppress(ConnectionError):
            while True:
                while not self._chunks:
                    if self._is_ended:
                        return
                    await self._wait()
                due, data = self._chunks[0]
                wait = due - asyncio.get_running_loop().time()
                if wait > 0:
                    await asyncio.sleep(wait)
                self._chunks.popleft()
                self._changed.set()
                writer.write(data)
                await writer.drain()
        self._is_ended = True
        self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
