"""A worker: connects to its node, works while it is connected, and connects again."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import structlog
from msgspec import Struct

from inos.primitives.units import Address
from inos.work.backends import get_backend
from inos.work.backends.card import CardBackend
from inos.workers.client.link import Link, RefusedError
from inos.workers.client.memory import keep_freed_memory
from inos.workers.client.multiplier import measure_speed
from inos.workers.errors import WorkerError
from inos.workers.limits import MAX_MESSAGE_BYTES, OFFENCES
from inos.workers.messages import MAX_NAME, VERSION, Hello, Totals, WorkerKind

log: Final = structlog.get_logger("worker")

PATH: Final = "/work"
CONNECT_S: Final = 15.0
HEARTBEAT_S: Final = 20.0
MAX_PAUSE_S: Final = 60.0
FINAL: Final = {
    "other-version": "install the version of inos that the node has",
    "bad-hello": "install the version of inos that the node has",
    "wrong-token": "give --token-file with a copy of fleet.token from that node's data directory",
    "no-pool": "give --token-file if the node is your own, or join another node, which runs a pool",
    **{code: "test this machine's memory, and the backend by inos work backends" for code, s in OFFENCES.items() if s},
}
"""After these refusals the worker ends, since connecting again changes nothing; each has what to do about it. Offences
that cost a worker some time are among them: one that computes wrongly goes on to do so."""


class WorkerOptions(Struct, frozen=True, kw_only=True):
    """Where a worker connects to, who pays it, and what it multiplies with."""

    url: str
    """The node's RPC address."""
    token: bytes | None = None
    address: Address | None = None
    """Its shares are paid to this address; it has no token then."""
    name: str = ""
    backend: str = "auto"
    """A name of `inos.work.list_backends`, or "auto"."""
    shown_backend: str = ""
    """The backend's name for the node's operator."""
    threads: int = 1
    room: int = 0
    """A piece takes at most so many bytes; 0 for fillers only."""
    down: int = 0
    """Bytes per second of the line; 0 if it is not known."""
    up: int = 0


class Worker:
    """Works until cancelled.

    Args:
        on_totals: is called with what the worker has at the node, after each acknowledgement.
    """

    def __init__(self, options: WorkerOptions, on_totals: Callable[[Totals], None] = lambda _: None) -> None:
        self._options = options
        self._on_totals = on_totals
        self._identity = secrets.token_bytes(16)
        self._url = make_url(options.url)

    async def run(self) -> None:
        """Connect, work, and connect again after a pause that grows.

        Raises:
            WorkerError: the node takes this worker for good no more, or breaks the protocol.
        """
        keep_freed_memory()
        options = self._options
        speed = await asyncio.to_thread(measure_speed, options.backend, options.threads)
        log.info("measured", tickets_per_second=speed, threads=options.threads)
        hello = Hello(
            VERSION,
            self._identity,
            options.address,
            options.token,
            options.name[:MAX_NAME],
            get_kind(options.backend),
            options.shown_backend[:MAX_NAME],
            options.threads,
            speed,
            options.down,
            options.up,
            options.room,
        )
        pause = 1.0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._connect(hello)
                log.info("disconnected")
            except RefusedError as refused:
                if refused.code in FINAL:
                    raise WorkerError(refused.code, refused.message, hint=FINAL[refused.code]) from refused
                log.warning("refused", code=refused.code, why=refused.message)
                pause = max(pause, float(refused.retry_s))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.info("cannot connect", url=self._url, error=str(error))
            if asyncio.get_running_loop().time() - began > MAX_PAUSE_S:
                pause = 1.0
            await asyncio.sleep(pause)
            pause = min(MAX_PAUSE_S, 2 * pause)

    async def _connect(self, hello: Hello) -> None:
        options = self._options
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.ws_connect(
                self._url, max_msg_size=MAX_MESSAGE_BYTES, heartbeat=HEARTBEAT_S, compress=0, autoclose=True
            ) as ws,
        ):
            link = Link(
                ws, backend=options.backend, threads=options.threads, room=options.room, on_totals=self._on_totals
            )
            await link.run(hello)


def make_url(given: str) -> str:
    """Return the WebSocket's URL of a node's RPC address, such as http://127.0.0.1:8645.

    Raises:
        WorkerError: "bad-url".
    """
    parts = urlsplit(given if "://" in given else f"http://{given}")
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.hostname:
        raise WorkerError("bad-url", f"{given!r} is no address of a node", hint="write http://HOST:PORT")
    return urlunsplit((schemes[parts.scheme], parts.netloc, PATH, "", ""))


def get_kind(backend: str) -> WorkerKind:
    """Return what kind of worker multiplies with this backend."""
    return WorkerKind.CARD if isinstance(get_backend(backend), CardBackend) else WorkerKind.MACHINE
