"""The HTTP server: JSON-RPC by POST and over a WebSocket, the explorer's files, and the checks of each request."""

import asyncio
import errno
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog
from aiohttp import web
from msgspec import Struct

from inos.core.bounded import TokenBucket
from inos.primitives.errors import InosError
from inos.rpc import errors
from inos.rpc.description.openrpc import with_discover
from inos.rpc.errors import RpcError
from inos.rpc.method import Method
from inos.rpc.methods import ALL_METHODS
from inos.rpc.ports import NodePort
from inos.rpc.server.bodies import BodyBudget, BodyLease
from inos.rpc.server.calls import Calls
from inos.rpc.server.connections import Connections
from inos.rpc.server.dispatch import METHOD_HINT, Caller, Dispatcher, Observe, encode_error
from inos.rpc.server.http_log import HTTP_LOG
from inos.rpc.server.pages import HEADERS, answer_page
from inos.rpc.server.posts import PostReader, get_host
from inos.rpc.server.qr import CODES_BURST, CODES_PER_S, draw_address, find_address
from inos.rpc.server.socket import SLOW_S, Sockets
from inos.rpc.server.token import is_authorized, load_or_create_token
from inos.rpc.server.turns import Turns
from inos.rpc.subscriptions.session import Session, SessionRequest
from inos.workers.limits import FLEET_PLACES, MAX_WAITING, MAX_WORKERS

log: Final = structlog.get_logger("rpc")

DEFAULT_BODY_LIMIT: Final = 48 * 2**20
"""The largest checked job has 32 MiB of matrices, which is 42.7 MiB in base64; the rest is for the JSON around it."""
DEFAULT_PORT: Final = 8645
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
UPGRADE_HEADERS: Final = ("Connection", "Upgrade", "Sec-WebSocket-Version", "Sec-WebSocket-Key")
READ_TIMEOUT_S: Final = 30.0
SHUTDOWN_S: Final = 5.0

HELP: Final = """\
This is the JSON-RPC 2.0 server of an INOS node. Send requests by POST, for example:

  curl -s -H 'Content-Type: application/json' \\
       -d '{"jsonrpc":"2.0","id":1,"method":"chain_head"}' %(url)s

%(explorer)s

rpc.discover returns an OpenRPC document that describes all methods:

%(methods)s
"""

EXPLORER_HINT: Final = "This node serves no block explorer; one that is started with inos node --explorer does."
NO_EXPLORER: Final = """\
<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>INOS node</title><h1>An INOS node runs here</h1>
<p>Programs call it by JSON-RPC. To look at blocks, jobs and accounts in a browser, start it with
<code>inos node --explorer</code> and open this page again.</p></html>
"""


NO_WORKERS: Final = "This node has no work for workers, because it does not mine.\n"


class WorkersServer(Protocol):
    """Talks with workers; inos.workers.server.WorkerService satisfies it."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Talk with one worker until it disconnects."""

    async def close(self) -> None:
        """Disconnect all workers, and take no more."""


class RpcSettings(Struct, frozen=True, kw_only=True):
    """The address and the limits of the server."""

    token_path: Path
    """The file of the bearer token, `<data-dir>/rpc.token`."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 for any free port; `RpcServer.port` says which."""
    body_limit: int = DEFAULT_BODY_LIMIT
    """The most bytes of a request body."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, without port, that are accepted in Host headers besides localhost, 127.0.0.1 and [::1]."""
    max_concurrent: int = 32
    """The most calls processed at once for callers without the token, and again for its holder."""
    has_explorer: bool = False
    """True to serve the explorer's pages under /explorer/."""
    slow_s: float = SLOW_S
    """Seconds after which a subscriber that does not read a notification is disconnected with an error."""
    max_waiting: int = 256
    """The most calls without the token that wait to be processed; more are refused with "busy"."""


class RpcServer:
    """Serves a node's methods over HTTP.

    Args:
        node: passed to every method.
        settings: the address and the limits.
        methods: the methods by name; by default all of `inos.rpc.methods`.
        method_hint: what a caller of a method that is not there should do.
        observe: called after each call; see `Dispatcher`.
        workers: talks with workers; None if this node has none.
    """

    def __init__(
        self,
        node: NodePort,
        settings: RpcSettings,
        methods: Mapping[str, Method] = ALL_METHODS,
        *,
        method_hint: str = METHOD_HINT,
        observe: Observe | None = None,
        workers: WorkersServer | None = None,
    ) -> None:
        self._node = node
        self._workers = workers
        self._method_hint = method_hint
        self._settings = settings
        self._observe = observe
        self._methods = with_discover(methods)
        self._allowed = {host.lower() for host in settings.allowed_hosts}
        self._hosts = LOCAL_HOSTS | self._allowed
        self._turns = Turns(settings.max_concurrent, settings.max_waiting)
        self._bodies = BodyBudget(settings.body_limit)
        self._sockets = Sockets(settings.body_limit, self._bodies, settings.slow_s)
        self._codes = TokenBucket(CODES_PER_S, CODES_BURST, 0.0)
        self._connections: Connections | None = None
        self._dispatcher: Dispatcher | None = None
        self._token = ""
        self._port = 0

    @property
    def port(self) -> int:
        """The port that the server listens on; 0 before `start`."""
        return self._port

    @property
    def url(self) -> str:
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def start(self) -> None:
        """Read or create the token, and listen.

        Raises:
            RpcError: "port-in-use", "address-unusable", or an error of `load_or_create_token`.
        """
        self._token = load_or_create_token(self._settings.token_path)
        self._dispatcher = Dispatcher(
            self._methods,
            self._node,
            self._turns,
            token_hint=f"the token is in {self._settings.token_path}",
            method_hint=self._method_hint,
            observe=self._observe,
        )
        app = web.Application(client_max_size=self._settings.body_limit)
        app.router.add_post("/", self._handle_post)
        app.router.add_get("/", self._handle_get)
        app.router.add_get("/ws", self._handle_socket)
        app.router.add_get("/work", self._handle_worker)
        if self._settings.has_explorer:
            app.router.add_get("/explorer", self._handle_bare)
            app.router.add_get("/explorer/work", self._handle_bare_work)
            app.router.add_get("/explorer/{name:.*}", self._handle_page)
        runner = web.AppRunner(app, access_log=None, logger=HTTP_LOG, shutdown_timeout=SHUTDOWN_S, handle_signals=False)
        await runner.setup()
        make_reader = partial(PostReader, self._hosts, self._token, self._settings.body_limit)
        calls = Calls(self._dispatcher, self._turns, make_reader, SHUTDOWN_S)
        workers = 0 if self._workers is None else MAX_WORKERS + FLEET_PLACES + MAX_WAITING
        connections = Connections("rpc", runner, workers, calls)
        try:
            self._port = await connections.start(self._settings.host, self._settings.port)
        except OSError as error:
            await connections.close()
            raise _make_bind_error(self._settings, error) from error
        self._connections = connections
        log.info("rpc server listening", url=self.url)

    async def stop(self) -> None:
        """Refuse new requests, give running ones SHUTDOWN_S seconds to end, and close."""
        if self._connections is not None:
            if self._workers is not None:
                await self._workers.close()
            await self._sockets.close()
            await self._connections.close()
            self._connections = None

    async def _handle_get(self, request: web.Request) -> web.Response:
        try:
            self._check_host(request)
        except RpcError as error:
            return _respond(encode_error(error, None), 403)
        is_browser = "text/html" in request.headers.get("Accept", "")
        if is_browser and self._settings.has_explorer:
            raise web.HTTPFound("/explorer/")
        if is_browser:
            return web.Response(text=NO_EXPLORER, content_type="text/html")
        listing = "\n".join(f"  {name:22} {m.summary}" for name, m in sorted(self._methods.items()))
        explorer = f"The block explorer: {self.url}/explorer/" if self._settings.has_explorer else EXPLORER_HINT
        return web.Response(text=HELP % {"url": self.url, "methods": listing, "explorer": explorer})

    async def _handle_bare(self, request: web.Request) -> web.Response:
        raise web.HTTPPermanentRedirect("/explorer/")

    async def _handle_bare_work(self, request: web.Request) -> web.Response:
        raise web.HTTPPermanentRedirect("/explorer/work/")

    async def _handle_page(self, request: web.Request) -> web.Response:
        """Answer with one of the explorer's files."""
        try:
            self._check_host(request)
        except RpcError as error:
            return _respond(encode_error(error, None), STATUS[error.number])
        name = request.match_info["name"]
        address = find_address(name)
        return answer_page(name) if address is None else self._answer_code(address)

    def _answer_code(self, address: str) -> web.Response:
        """Answer with the QR code of an address, if not too many were drawn lately."""
        if not self._codes.take(asyncio.get_running_loop().time()):
            text = "this node has drawn many QR codes in the last second; reload the page\n"
            return web.Response(status=503, text=text, headers=HEADERS | {"Retry-After": "1"})
        return web.Response(body=draw_address(address), content_type="image/svg+xml", charset="utf-8", headers=HEADERS)

    async def _handle_socket(self, request: web.Request) -> web.StreamResponse:
        """Serve JSON-RPC over a WebSocket. Web pages may open one only if they come from this node."""
        try:
            self._check_host(request)
            self._check_origin(request)
            _check_upgrade(request)
        except RpcError as error:
            return _respond(encode_error(error, None), STATUS[error.number])
        has_token = is_authorized(request.headers.get("Authorization", ""), self._token)
        if self._sockets.is_full(is_owner=has_token):
            busy = RpcError(errors.BUSY, "busy", "too many WebSockets are open", hint="close one, or use POST")
            return _respond(encode_error(busy, None), 503)

        async def answer(body: bytes, session: Session) -> tuple[bytes | None, Callable[[], None]]:
            assert self._dispatcher is not None  # It is set before the server listens.
            access = SessionRequest(session, has_token)
            return await self._dispatcher.process(body, Caller(has_token, access)), access.start

        assert self._connections is not None  # It is set before a request is served.
        with self._connections.keep_busy(request.transport):
            return await self._sockets.serve(request, answer, is_owner=has_token)

    async def _handle_worker(self, request: web.Request) -> web.StreamResponse:
        """Let a worker multiply for this node. Pages may only if they come from this node."""
        try:
            self._check_host(request)
            self._check_origin(request)
            _check_upgrade(request)
        except RpcError as error:
            return _respond(encode_error(error, None), STATUS[error.number])
        if self._workers is None:
            return web.Response(status=404, text=NO_WORKERS)
        assert self._connections is not None  # It is set before a request is served.
        with self._connections.keep_busy(request.transport):
            return await self._workers.serve(request)

    def _check_origin(self, request: web.Request) -> None:
        """Refuse WebSockets from foreign pages: browsers let any page open one, but they send the page's origin.

        A page is this node's own if it has the very host and port that the request is for: another program's page on
        this machine is foreign. Names that the operator allows may have any port, since a proxy may stand before them.
        """
        origin = request.headers.get("Origin")
        if origin is None:
            return
        scheme, _, authority = origin.lower().partition("://")
        name = get_host(authority)
        if scheme not in ("http", "https") or (
            authority != request.headers.get("Host", "").lower() and (name not in self._allowed)
        ):
            raise RpcError(
                errors.FORBIDDEN_HOST,
                "forbidden-origin",
                f"pages from {origin[:100]!r} may not connect to this node",
                hint="open the explorer that the node itself serves, or allow a name with --rpc-allow-host",
            )

    async def _handle_post(self, request: web.Request) -> web.Response:
        has_token = is_authorized(request.headers.get("Authorization", ""), self._token)
        if self._turns.is_crowded and not has_token:
            busy = RpcError(errors.BUSY, "busy", "too many requests are waiting", hint="try again in a moment")
            return _respond(encode_error(busy, None), 503)
        try:
            self._check_host(request)
            _check_content_type(request)
            with self._bodies.open(is_owner=has_token) as lease:
                # The body is read before any turn is taken, so that half a request holds none.
                async with asyncio.timeout(READ_TIMEOUT_S):
                    body = await self._read(request, lease)
                return await self._answer(request, body, has_token)
        except RpcError as error:
            return _respond(encode_error(error, None), STATUS[error.number])
        except ConnectionError:
            return web.Response(status=400)  # The caller has disconnected and does not read it.
        except TimeoutError:
            late = RpcError(errors.TIMED_OUT, "timeout", f"the request did not arrive within {READ_TIMEOUT_S:g} s")
            return _respond(encode_error(late, None), 408)

    async def _answer(self, request: web.Request, body: bytes, has_token: bool) -> web.Response:
        assert self._dispatcher is not None  # Both are set before a request is served.
        assert self._connections is not None
        with self._connections.keep_busy(request.transport):
            answer = await self._dispatcher.process(body, Caller(has_token))
        return web.Response(status=204) if answer is None else _respond(answer, 200)

    async def _read(self, request: web.Request, lease: BodyLease) -> bytes:
        """Read the body, decompressed, up to the limit; all bytes are counted on `lease`."""
        limit = self._settings.body_limit
        body = bytearray()
        if (request.content_length or 0) <= limit:
            try:
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        break
                    lease.add(len(chunk))
                else:
                    return bytes(body)
            except web.RequestPayloadError as error:
                raise RpcError(
                    errors.PARSE_ERROR, "parse-error", "the body cannot be decompressed as its Content-Encoding says"
                ) from error
        raise RpcError(
            errors.TOO_LARGE,
            "body-too-large",
            f"the body is larger than this node accepts, which is {limit} bytes",
            hint="the node's operator can raise the limit with --rpc-body-limit",
        )

    def _check_host(self, request: web.Request) -> None:
        """Refuse foreign Host headers, as sent by a web page whose own name resolves to this address."""
        given = request.headers.get("Host", "").lower()
        if get_host(given) not in self._hosts:
            raise RpcError(
                errors.FORBIDDEN_HOST,
                "forbidden-host",
                f"the Host header {given[:100]!r} is not a name of this node",
                hint="this keeps web pages from reaching the node by DNS rebinding; "
                "if the name is right, the node's operator can allow it with --rpc-allow-host",
            )


STATUS: Final = {
    errors.FORBIDDEN_HOST: 403,
    errors.WRONG_CONTENT_TYPE: 415,
    errors.TOO_LARGE: 413,
    errors.PARSE_ERROR: 400,
    errors.BUSY: 503,
}
"""HTTP status of requests that are refused before they reach JSON-RPC; all others get 200."""


def _check_upgrade(request: web.Request) -> None:
    """Refuse headers of a WebSocket's upgrade that are no ASCII; aiohttp would answer them with status 500."""
    for name in UPGRADE_HEADERS:
        if not all(value.isascii() for value in request.headers.getall(name, ())):
            raise RpcError(errors.PARSE_ERROR, "parse-error", f"the header {name} is not ASCII text")


def _check_content_type(request: web.Request) -> None:
    """Refuse other types: browsers send JSON to a foreign site only after a preflight, which this server refuses."""
    if request.content_type != "application/json":
        raise RpcError(
            errors.WRONG_CONTENT_TYPE,
            "wrong-content-type",
            f"the Content-Type is {request.content_type[:100]!r}",
            hint="send Content-Type: application/json",
        )


def _respond(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


def _make_bind_error(settings: RpcSettings, error: OSError) -> InosError:
    endpoint = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return RpcError(
            errors.REFUSED,
            "port-in-use",
            f"the RPC port {settings.port} on {settings.host} is in use",
            hint="another node may be running; choose another port with --rpc-port",
        )
    return RpcError(errors.REFUSED, "address-unusable", f"cannot listen on {endpoint}: {error.strerror or error}")
