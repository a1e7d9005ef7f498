"""This module accepts TCP connections on one port, and waits calmly while the process has no descriptors left."""

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger("inos.core")

BACKLOG: Final = 128
"""The kernel completes this many connections before they are accepted."""
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
RETRY_S: Final = 1.0
"""No connection is accepted for this long after the system refused one for lack of descriptors or memory."""
LOG_EVERY_S: Final = 60.0
"""One line at most in this time says that connections cannot be accepted."""

Take = Callable[[socket.socket], Awaitable[None]]
"""Takes over an accepted connection, and closes it at once if there is no room for it."""


class Listener:
    """Listens on one port.

    asyncio's own servers schedule another attempt for each refused accept and log all of them, which fills a disk while
    descriptors are short. This listener waits RETRY_S and logs one line.

    Args:
        name: names the port in the log.
        take: takes over each accepted connection.
    """

    def __init__(self, name: str, take: Take) -> None:
        self._name = name
        self._take = take
        self._sockets: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._logged_at = -LOG_EVERY_S
        self.port = 0
        """The listener listens on this port; it is 0 before `start`."""

    async def start(self, host: str, port: int) -> None:
        """Bind every address that `host` stands for, and accept connections; port 0 selects a free port.

        Raises:
            OSError: an address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                self._bind(family, (address[0], self.port or port, *address[2:]))
        except OSError:
            self._close_sockets()
            raise
        self._tasks = [loop.create_task(self._accept(sock)) for sock in self._sockets]

    def _bind(self, family: int, address: tuple[object, ...]) -> None:
        sock = socket.socket(family, socket.SOCK_STREAM)
        self._sockets.append(sock)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        self.port = int(sock.getsockname()[1])

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(sock)
            except OSError as error:
                # Any other error belongs to the one connection, which is gone before it was accepted.
                if error.errno in EXHAUSTED:
                    self._log_exhaustion(error)
                    await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._take(connection)
            except OSError as error:
                connection.close()
                log.debug("connection lost before it was served", port=self._name, reason=str(error))

    def _log_exhaustion(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            hint = "raise the limit of open files (ulimit -n)"
            log.error("cannot accept connections", port=self._name, reason=error.strerror, hint=hint)

    async def close(self) -> None:
        """Stop accepting connections; those that were accepted stay open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._close_sockets()

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []
