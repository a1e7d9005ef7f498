"""A TCP relay on loopback that can be slowed, stalled, cut and healed: the link between two real processes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

CHUNK_BYTES: Final = 65_536
MAX_CHUNKS: Final = 64
"""Chunks under way per direction; more make the sender wait, as a full socket does."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
"""Opens a connection to the relay's target; raises OSError if nothing listens there."""


def lead_to(port: int, host: str = "127.0.0.1") -> Connect:
    """Return a function that opens connections to one address."""
    return lambda: asyncio.open_connection(host, port)


class Relay:
    """Forwards connections from `port` on loopback to the target that `connect` opens.

    Args:
        connect: None until the target is known; connections are refused until then.
        delay_s: every byte is delayed by this, in each direction; bytes under way keep their order.
    """

    def __init__(self, connect: Connect | None = None, *, delay_s: float = 0.0) -> None:
        self.connect = connect
        self.delay_s = delay_s
        self.port = 0
        self._is_cut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[asyncio.Event] = set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self._is_idle.wait()

    def cut(self) -> None:
        """Abort every connection and refuse new ones until healed; both sides notice at once."""
        self._is_cut = True
        for over in self._open:
            over.set()

    def stall(self) -> None:
        """Carry nothing until healed, without closing connections, like a network that loses every packet."""
        self._flows.clear()

    def heal(self) -> None:
        """Undo `cut` and `stall`: stalled data arrives, and connections that were cut stay closed."""
        self._is_cut = False
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = asyncio.Event()
        self._open.add(over)
        self._is_idle.clear()
        try:
            if not self._is_cut and self.connect is not None:
                await self._carry(reader, writer, self.connect, over)
        finally:
            self._open.discard(over)
            writer.transport.abort()
            if not self._open:
                self._is_idle.set()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connect: Connect, over: asyncio.Event
    ) -> None:
        try:
            far_reader, far_writer = await connect()
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as group:
                pumps = [
                    group.create_task(self._pump(reader, far_writer, over)),
                    group.create_task(self._pump(far_reader, writer, over)),
                ]
                await over.wait()
                for pump in pumps:
                    pump.cancel()
        finally:
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
        """Carry one direction until either end is gone."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_CHUNKS)
        try:
            async with asyncio.TaskGroup() as group:
                taker = group.create_task(self._take(reader, chunks))
                await self._give(writer, chunks)
                taker.cancel()
        finally:
            over.set()

    async def _take(self, reader: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes]]) -> None:
        clock = asyncio.get_running_loop()
        data = b"first"
        while data:
            data = b""
            with contextlib.suppress(ConnectionError):
                data = await reader.read(CHUNK_BYTES)
            await chunks.put((clock.time() + self.delay_s, data))

    async def _give(self, writer: asyncio.StreamWriter, chunks: asyncio.Queue[tuple[float, bytes]]) -> None:
        clock = asyncio.get_running_loop()
        while True:
            due, data = await chunks.get()
            if due > clock.time():
                await asyncio.sleep(due - clock.time())
            await self._flows.wait()
            if not data:
                return
            try:
                writer.write(data)
                await writer.drain()
            except ConnectionError:
                return
