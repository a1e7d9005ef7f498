"""Nodes exchange binary WebSocket messages with Noise inside. This module listens and dials."""

import asyncio
import errno
import secrets
import socket
from functools import partial
from typing import Final

import structlog

from inos.core.listener import Listener
from inos.network.endpoints import split_endpoint
from inos.network.errors import LinkError, NetworkError
from inos.network.identity import NodeIdentity, PeerAddress
from inos.network.link import HelloMaker, Link, LinkHandler
from inos.network.settings import TimeLimits
from inos.network.transport.newcomers import MAX_UNPROVEN, Newcomers
from inos.network.transport.noise import NoiseLink, accept_link, make_prologue, open_link, prove_node
from inos.network.transport.pipe import WebSocketPipe
from inos.network.transport.upgrade import RefusedUpgrade, answer_request, check_answer, make_request
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

HANDSHAKES_PER_S: Final = 100.0
"""At most this many handshakes are answered per second; each takes 1.4 ms of a core (measured)."""
MAX_LEAVING: Final = 256
"""At most this many proven connections may be on their way out, refused or replaced."""
DEFAULT_PROVEN: Final = 96


class WebSocketTransport:
    """Listens and dials. It satisfies `inos.network.link.Transport`.

    Args:
        max_proven: at most this many peers that dialled this node are kept by the caller.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        genesis_id: BlockId,
        *,
        host: str,
        port: int,
        limits: TimeLimits,
        max_proven: int = DEFAULT_PROVEN,
    ) -> None:
        self._identity = identity
        self._prologue = make_prologue(genesis_id)
        self._host = host
        self._wanted_port = port
        self._limits = limits
        self._max_open = MAX_UNPROVEN + max_proven + MAX_LEAVING
        self._listener = Listener("p2p", self._take)
        self.port = 0
        self._serving: tuple[HelloMaker, LinkHandler] | None = None
        self._newcomers = Newcomers()
        self._open: set[asyncio.Task[None]] = set()
        """The tasks that serve connections made by others."""
        self._turn = asyncio.Lock()
        self._next_turn = 0.0

    def count_open(self) -> tuple[int, int]:
        """Return the number of connections made by others, and how many of them are unproven."""
        return len(self._open), len(self._newcomers)

    async def listen(self, hello: HelloMaker, handler: LinkHandler) -> None:
        self._serving = hello, handler
        try:
            await self._listener.start(self._host, self._wanted_port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise NetworkError(
                    "port-in-use",
                    f"port {self._wanted_port} on {self._host} is already in use",
                    hint="stop the other program, or choose another with --p2p-port",
                ) from error
            raise NetworkError(
                "cannot-listen", f"cannot listen on {self._host}:{self._wanted_port}: {error.strerror or error}"
            ) from error
        self.port = self._listener.port

    async def _take(self, sock: socket.socket) -> None:
        """Serve an accepted connection in a task of its own, if there is room for it."""
        if len(self._open) >= self._max_open:
            sock.close()
            return
        loop = asyncio.get_running_loop()
        pipe = WebSocketPipe(is_dialler=False, close_s=self._limits.close)
        await loop.connect_accepted_socket(lambda: pipe, sock)
        task = loop.create_task(self._serve(pipe))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, pipe: WebSocketPipe) -> None:
        assert self._serving is not None  # It is set before the listener starts.
        hello, handler = self._serving
        newcomer = self._newcomers.admit(split_endpoint(pipe.address)[0], pipe.abort)
        try:
            async with asyncio.timeout(self._limits.handshake):
                link = await self._prove(pipe, hello)
            self._newcomers.release(newcomer)
            await handler(link)
        except (LinkError, TimeoutError) as error:
            log.debug("handshake failed", address=pipe.address, reason=str(error) or "timeout")
        finally:
            self._newcomers.release(newcomer)
            await pipe.close()

    async def _prove(self, pipe: WebSocketPipe, hello: HelloMaker) -> NoiseLink:
        try:
            answer = answer_request(await pipe.receive_head())
        except RefusedUpgrade as refusal:
            await pipe.send_bytes(refusal.answer)
            raise
        await pipe.send_bytes(answer)
        return await accept_link(
            pipe,
            self._identity,
            self._prologue,
            hello,
            limit_s=self._limits.handshake,
            wait_turn=partial(self._wait_turn, pipe),
        )

    async def _wait_turn(self, pipe: WebSocketPipe) -> None:
        """Let handshakes begin one after the other, so that dialling costs this node a bounded part of a core."""
        now = asyncio.get_running_loop().time
        async with self._turn:
            pipe.check_open()  # One that gave way meanwhile takes no turn.
            await asyncio.sleep(max(0.0, self._next_turn - now()))
            self._next_turn = now() + 1.0 / HANDSHAKES_PER_S

    async def dial(self, address: PeerAddress, hello: HelloMaker) -> Link:
        pipe = await self._connect(address)
        limit_s = self._limits.handshake
        try:
            return await open_link(pipe, self._identity, self._prologue, hello(), expected=address.id, limit_s=limit_s)
        except BaseException:
            await pipe.close()
            raise

    async def verify_address(self, address: PeerAddress) -> None:
        pipe = await self._connect(address)
        limit_s = self._limits.handshake
        try:
            await prove_node(pipe, self._identity, self._prologue, expected=address.id, limit_s=limit_s)
        finally:
            await pipe.close()

    async def _connect(self, address: PeerAddress) -> WebSocketPipe:
        """Return a WebSocket to the address; who answers there is not checked yet.

        Raises:
            LinkError: "cannot-dial".
        """
        pipe = WebSocketPipe(is_dialler=True, close_s=self._limits.close)
        key = secrets.token_bytes(16)
        try:
            async with asyncio.timeout(self._limits.dial):
                await asyncio.get_running_loop().create_connection(lambda: pipe, address.host, address.port)
                await pipe.send_bytes(make_request(address.host, address.port, key))
                check_answer(await pipe.receive_head(), key)
        except (TimeoutError, OSError, LinkError, UnicodeError) as error:
            pipe.abort()
            raise LinkError("cannot-dial", f"cannot reach {address}: {error or 'no answer in time'}") from error
        except BaseException:
            pipe.abort()
            raise
        return pipe

    async def stop(self) -> None:
        await self._listener.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
