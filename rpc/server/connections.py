"""The connections of an HTTP server: their number is bounded, and what they make it parse as well."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from aiohttp import web

from inos.core.listener import Listener
from inos.rpc.server.calls import Calls
from inos.rpc.server.posts import Post

log: Final = structlog.get_logger("rpc")

MAX_CONNECTIONS: Final = 512
"""At most this many connections are open at one time. The limit exceeds
the calls and WebSockets that may be in progress, so a connection is free to
give way."""
PARSE_S_PER_S: Final = 0.05
"""Parsing the bytes of one connection takes at most this part of a core, beyond PARSE_S_PER_BYTE."""
PARSE_S_BURST: Final = 0.5
PARSE_S_PER_BYTE: Final = 5e-9
"""Bodies are copied at more than this speed, so large uploads are never slowed."""
READ_BYTES: Final = 256 << 10
"""asyncio reads at most so much at one time."""
IDLE_S: Final = 3630.0
"""A connection with only plain requests is closed when nothing came for so long, as aiohttp does by default."""


class Connection(asyncio.Protocol):
    """Stands between a socket and aiohttp's protocol, answers plain requests without it, and counts the time that
    parsing takes.

    aiohttp answers pings, joins fragments and reads chunks of a byte below every limit of requests. A connection that
    makes it work without end is dropped.
    """

    def __init__(self, inner: web.RequestHandler, calls: Calls | None, rest: Callable[["Connection"], None]) -> None:
        self.inner = inner
        self.transport: asyncio.Transport | None = None
        self.is_busy = False
        """A whole request of it is being answered."""
        self._calls = calls
        self._reader = None if calls is None else calls.make_reader()
        """It is None once aiohttp has got bytes, since it gets all that follow."""
        self._rest = rest
        self._later = b""
        """These bytes came before the plain request ahead of them was answered."""
        self._is_blocked = False
        """The caller does not read its answers."""
        self._idle: asyncio.TimerHandle | None = None
        self._credit_s = PARSE_S_BURST
        self._at = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # asyncio makes no other one for a TCP socket.
        self.transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._calls is None or self.transport is None:
            self._pass_on(data)
        elif self.is_busy or self._is_blocked:
            self._later += data
            self.transport.pause_reading()
        elif (post := self._reader.read(data)) is None or not self._ask(post, self._calls):
            self._reader = None
            self._pass_on(data)

    def answer(self, response: bytes) -> None:
        """Send the response to the plain request, and go on with what came meanwhile."""
        self.is_busy = False
        if self.transport is None or self.transport.is_closing():
            return
        self._rest(self)
        self.transport.write(response)
        self._go_on()

    def abort(self) -> None:
        """Disconnect the caller, because its request cannot be answered."""
        if self.transport is not None:
            self.transport.abort()

    def _ask(self, post: Post, calls: Calls) -> bool:
        """Have a request answered; return False if aiohttp is to refuse it."""
        self._at = time.monotonic()
        self.is_busy = True  # The answer may come at once.
        if not calls.take(post, self):
            self.is_busy = False
            return False
        if self._idle is None:
            self._take_over()
        return True

    def _take_over(self) -> None:
        """Close the connection when it is idle, in the place of aiohttp, which sees none of its requests."""
        self.inner.keep_alive(True)  # This ends aiohttp's timer.
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        left = self._at + IDLE_S - time.monotonic()
        if left > 0 or self.is_busy:
            self._idle = asyncio.get_running_loop().call_later(max(left, 1.0), self._close_if_idle)
        elif self.transport is not None:
            self.transport.close()

    def _go_on(self) -> None:
        """Take the bytes that came meanwhile, if they may be taken now."""
        if self._later and not self.is_busy and not self._is_blocked and self.transport is not None:
            later, self._later = self._later, b""
            self.transport.resume_reading()
            self.data_received(later)

    def _pass_on(self, data: bytes) -> None:
        """Give bytes to aiohttp."""
        began = time.thread_time()
        self.inner.data_received(data)
        if not self._charge(time.thread_time() - began - len(data) * PARSE_S_PER_BYTE) and self.transport is not None:
            log.warning("rpc connection dropped", reason="its bytes take too long to parse")
            self.transport.abort()

    def _charge(self, seconds: float) -> bool:
        """Return False if parsing has taken more than the connection's share."""
        now = time.monotonic()
        self._credit_s = min(PARSE_S_BURST, self._credit_s + (now - self._at) * PARSE_S_PER_S) - max(0.0, seconds)
        self._at = now
        return self._credit_s >= 0

    def eof_received(self) -> bool | None:
        self.inner.eof_received()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._is_blocked = True
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self._is_blocked = False
        self.inner.resume_writing()
        self._go_on()


class Connections:
    """Listens for an aiohttp application and keeps at most MAX_CONNECTIONS open, and some for workers.

    Beyond them, the one that has waited longest for its bytes gives way to a newcomer, so that connections that send
    nothing, or half of a request, keep nobody out.

    Args:
        name: names the port in the log.
        runner: a runner that is set up.
        workers: so many more connections are kept, for workers.
        calls: takes plain requests in the place of aiohttp.
    """

    def __init__(self, name: str, runner: web.AppRunner, workers: int = 0, calls: Calls | None = None) -> None:
        self._runner = runner
        self._calls = calls
        self._most = MAX_CONNECTIONS + workers
        self._listener = Listener(name, self._take)
        self._open: dict[asyncio.Transport, Connection] = {}
        """The connections that have waited the longest come first."""

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: the address cannot be bound.
        """
        await self._listener.start(host, port)
        return self._listener.port

    async def close(self) -> None:
        """Accept no more connections, and end those that are open as the runner does."""
        await self._listener.close()
        if self._calls is not None:
            await self._calls.close()
        await self._runner.cleanup()

    @contextmanager
    def keep_busy(self, transport: asyncio.Transport | None) -> Iterator[None]:
        """Keep a connection from giving way while the block runs."""
        connection = self._open.get(transport) if transport is not None else None
        if connection is None or transport is None:
            yield
            return
        connection.is_busy = True
        try:
            yield
        finally:
            connection.is_busy = False
            self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        """Put a connection that was busy behind those that wait."""
        if connection.transport is not None and connection.transport in self._open:
            self._open[connection.transport] = self._open.pop(connection.transport)

    async def _take(self, sock: socket.socket) -> None:
        server = self._runner.server
        if server is None or not self._make_room():
            sock.close()
            return
        connection = Connection(server(), self._calls, self._rest)
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
        self._open[transport] = connection

    def _make_room(self) -> bool:
        if len(self._open) < self._most:
            return True
        for transport in [each for each in self._open if each.is_closing()]:
            del self._open[transport]
        if len(self._open) < self._most:
            return True
        chosen = next((transport for transport, each in self._open.items() if not each.is_busy), None)
        if chosen is None:
            return False
        del self._open[chosen]
        chosen.abort()
        return True
