"""Nodes exchange binary WebSocket messages on aiohttp, with Noise inside."""

import asyncio
import errno
import socket
from typing import Final

import aiohttp
import structlog
from aiohttp import web

from inos.network.errors import LinkError, NetworkError
from inos.network.identity import NodeIdentity, PeerAddress
from inos.network.link import HelloMaker, Link, LinkHandler
from inos.network.settings import TimeLimits
from inos.network.transport.noise import MAX_NOISE_BYTES, accept_link, make_prologue, open_link, prove_node
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

MAX_HANDSHAKES: Final = 64
"""At most this many connections may be in their handshake; more are closed at once."""
PATH: Final = "/inos"
_WS_LIMIT: Final = MAX_NOISE_BYTES + 1
"""aiohttp refuses messages of this many bytes and more."""


class WebSocketPipe:
    """Wraps either side of one WebSocket."""

    def __init__(
        self, ws: aiohttp.ClientWebSocketResponse | web.WebSocketResponse, address: str, close_s: float
    ) -> None:
        self._ws = ws
        self._close_s = close_s
        self.address = address
        self.bytes_in = 0
        self.bytes_out = 0

    async def send(self, message: bytes) -> None:
        try:
            await self._ws.send_bytes(message)
        except (ConnectionError, RuntimeError, aiohttp.ClientError) as error:
            raise LinkError("link-closed", "the link is closed") from error
        self.bytes_out += len(message)

    async def receive(self) -> bytes:
        try:
            message = await self._ws.receive()
        except (ConnectionError, RuntimeError, aiohttp.ClientError) as error:
            raise LinkError("link-closed", "the link is closed") from error
        if message.type is aiohttp.WSMsgType.BINARY:
            data: bytes = message.data
            self.bytes_in += len(data)
            return data
        if message.type is aiohttp.WSMsgType.TEXT:
            raise LinkError("bad-frame", "a text message arrived where only binary ones are sent")
        raise LinkError("link-closed", "the other side closed the link")

    async def close(self) -> None:
        """Say goodbye briefly, then close the socket whether or not the other side answers."""
        sock: socket.socket | None = self._ws.get_extra_info("socket")
        try:
            async with asyncio.timeout(self._close_s):
                await self._ws.close()
        except (TimeoutError, ConnectionError, RuntimeError, aiohttp.ClientError):
            log.debug("link closed without goodbye", address=self.address)
        finally:
            _shut(sock)


def _shut(sock: socket.socket | None) -> None:
    """Drop what a dead peer never read; the socket would otherwise linger for minutes."""
    if sock is None or sock.fileno() < 0:
        return
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        if error.errno not in (errno.ENOTCONN, errno.EBADF):
            log.debug("socket not closed cleanly", error=error.strerror)


class WebSocketTransport:
    """Listens and dials. It satisfies `inos.network.link.Transport`."""

    def __init__(
        self, identity: NodeIdentity, genesis_id: BlockId, *, host: str, port: int, limits: TimeLimits
    ) -> None:
        self._identity = identity
        self._prologue = make_prologue(genesis_id)
        self._host = host
        self._wanted_port = port
        self._limits = limits
        self._port = 0
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._idle: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}
        self._unproven: set[WebSocketPipe] = set()

    @property
    def port(self) -> int:
        return self._port

    async def listen(self, hello: HelloMaker, handler: LinkHandler) -> None:
        app = web.Application()

        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, hello, handler)

        app.router.add_get(PATH, serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=self._limits.close)
        await runner.setup()
        self._runner = runner
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._make_protocol, self._host, self._wanted_port, backlog=MAX_HANDSHAKES
            )
        except OSError as error:
            await runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise NetworkError(
                    "port-in-use",
                    f"port {self._wanted_port} on {self._host} is already in use",
                    hint="stop the other program, or choose another with --p2p-port",
                ) from error
            raise NetworkError(
                "cannot-listen", f"cannot listen on {self._host}:{self._wanted_port}: {error.strerror or error}"
            ) from error
        self._port = int(self._server.sockets[0].getsockname()[1])

    def _make_protocol(self) -> asyncio.BaseProtocol:
        """Return a protocol that closes an idle connection; aiohttp alone waits for a request without a limit."""
        runner = self._runner
        if runner is None or runner.server is None or len(self._idle) >= MAX_HANDSHAKES:
            return _Refusal()
        protocol = runner.server()
        loop = asyncio.get_running_loop()
        self._idle[protocol] = loop.call_later(self._limits.handshake, self._shut_idle, protocol)
        return protocol

    def _shut_idle(self, protocol: web.RequestHandler) -> None:
        del self._idle[protocol]
        if protocol.transport is not None:
            protocol.transport.abort()

    async def _serve(self, request: web.Request, hello: HelloMaker, handler: LinkHandler) -> web.StreamResponse:
        if len(self._unproven) >= MAX_HANDSHAKES:
            return web.Response(status=503)
        ws = web.WebSocketResponse(timeout=self._limits.close, max_msg_size=_WS_LIMIT, compress=False)
        try:
            await ws.prepare(request)
        except ConnectionError:
            # The other side is gone before it was answered. What is returned is not sent, and the WebSocket itself
            # cannot be returned.
            log.debug("dialler disconnected", address=_name_peer(request.transport))
            return web.Response(status=503)
        finally:
            timer = self._idle.pop(request.protocol, None)
            if timer is not None:
                timer.cancel()
        pipe = WebSocketPipe(ws, _name_peer(request.transport), self._limits.close)
        self._unproven.add(pipe)
        try:
            link = await accept_link(pipe, self._identity, self._prologue, hello(), limit_s=self._limits.handshake)
            self._unproven.discard(pipe)
            await handler(link)
        except LinkError as error:
            log.debug("handshake failed", address=pipe.address, code=error.code)
        finally:
            self._unproven.discard(pipe)
            await pipe.close()
        return ws

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
        """Return a socket to the address, whoever answers there.

        Raises:
            LinkError: "cannot-dial".
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True), trust_env=False
            )
        host = f"[{address.host}]" if ":" in address.host else address.host
        try:
            async with asyncio.timeout(self._limits.dial):
                ws = await self._session.ws_connect(
                    f"ws://{host}:{address.port}{PATH}",
                    max_msg_size=_WS_LIMIT,
                    compress=0,
                    timeout=aiohttp.ClientWSTimeout(ws_close=self._limits.close),
                )
        except (TimeoutError, OSError, aiohttp.ClientError, ValueError) as error:
            raise LinkError("cannot-dial", f"cannot reach {address}: {error or 'no answer in time'}") from error
        # This is the address that a name stood for, because only addresses are told to other nodes.
        peer = ws.get_extra_info("peername")
        return WebSocketPipe(ws, format_endpoint(*peer[:2]) if peer else f"{host}:{address.port}", self._limits.close)

    async def stop(self) -> None:
        server, runner, session = self._server, self._runner, self._session
        self._server = self._runner = self._session = None
        if server is not None:
            server.close()
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        for pipe in tuple(self._unproven):
            await pipe.close()
        if runner is not None:
            await runner.cleanup()
        if session is not None:
            await session.close()


class _Refusal(asyncio.Protocol):
    """Closes a connection at once, because too many others are in their handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


def _name_peer(transport: asyncio.Transport | None) -> str:
    peer = transport.get_extra_info("peername") if transport is not None else None
    return format_endpoint(*peer[:2]) if peer else "unknown"


def format_endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
