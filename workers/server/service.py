"""The worker service: who is connected, which template and product they work on, and what happens when time passes."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from aiohttp import web
from msgspec import Struct

from inos.chain.events import TipChanged
from inos.primitives.errors import InosError
from inos.primitives.units import Address
from inos.workers.errors import Offence, WorkerError
from inos.workers.limits import FLEET_PLACES, MAX_PER_HOST, MAX_WAITING, MAX_WAITING_PER_HOST, MAX_WORKERS, OFFENCES
from inos.workers.messages import LEAST_PREFIX, VERSION, Hello
from inos.workers.ports import FilesPort, PieceSource, PoolPort
from inos.workers.server.bans import Bans, make_ban_keys
from inos.workers.server.connection import Connection
from inos.workers.server.local import LocalSocket
from inos.workers.server.pieces import OfferedProduct
from inos.workers.server.ports import NodePort
from inos.workers.server.session import Session
from inos.workers.server.shared import Shared
from inos.workers.server.status import WorkersStatus

log: Final = structlog.get_logger("workers")

PIECES_S: Final = 0.1
"""Pieces are looked at this often while a product is offered: a late one goes to another worker."""
LOOK_S: Final = 1.0
ROWS_KEPT_S: Final = 30.0
"""Memory for rows, and what checks them, is kept for so long after the last product."""
BUSY_S: Final = 60
FULL_S: Final = 2
"""A connection that was not opened may be tried again after this long."""
RETRY_S: Final = 5
"""A worker connects again after this long if the node could make no template."""


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """For whom workers multiply, and who may be one."""

    beneficiary: Address
    """All blocks pay this address."""
    token: bytes | None = None
    """Workers of the node's own fleet show this; None if there is no fleet."""
    has_fillers: bool = True
    """False if workers are idle without a product."""
    socket_path: Path | None = None
    """Workers on this machine open files here; None if they cannot."""


class Refusal(WorkerError):
    """A worker is not taken now; `retry_s` says when it may ask again."""

    def __init__(self, code: str, message: str, retry_s: int) -> None:
        super().__init__(code, message)
        self.retry_s = retry_s


class WorkerService:
    """Serves workers while `run` runs. It belongs to the event loop.

    Args:
        pool: counts the shares of strangers; without one only the own fleet is taken.
        files: opens the files of matrices, for workers on this machine.
        random: draws the fillers' seeds.
    """

    def __init__(
        self,
        node: NodePort,
        settings: WorkerSettings,
        random: np.random.Generator,
        pool: PoolPort | None = None,
        files: FilesPort | None = None,
    ) -> None:
        self._node = node
        self._settings = settings
        self._shared = Shared(node, settings.beneficiary, pool, random)
        self._shared.has_fillers = settings.has_fillers
        self._bans = Bans()
        self._sessions: dict[int, tuple[Session, Connection]] = {}
        self._waiting: Counter[str] = Counter()
        """By host, the connections that have not said hello yet, or are being refused for what they said."""
        self._prefix = LEAST_PREFIX
        self._offered_at = 0.0
        self._is_closed = False
        self._local: LocalSocket | None = None
        if files is not None and settings.socket_path is not None:
            self._local = LocalSocket(settings.socket_path, files)

    @property
    def speed(self) -> float:
        """Return the tickets of pieces per second that workers make."""
        return self._shared.total_speed

    async def run(self) -> None:
        """Serve until cancelled; then every worker is disconnected."""
        try:
            async with asyncio.TaskGroup() as group:
                self._shared.submit = group.create_task
                if self._local is not None:
                    self._shared.socket_path = self._local.start(group.create_task)
                group.create_task(self._watch_tip())
                group.create_task(self._repeat(self._look_at_pieces, PIECES_S))
                group.create_task(self._repeat(self._look, LOOK_S))
        finally:
            if self._local is not None:
                self._local.close()
            await self.close()

    async def close(self) -> None:
        """Disconnect all workers, and take no more."""
        self._is_closed = True
        await asyncio.gather(*(connection.close() for _, connection in [*self._sessions.values()]))

    def offer(self, source: PieceSource | None) -> None:
        """Give pieces of this product from now on, and of no other; None takes back what was given."""
        product = self._shared.product
        if (None if product is None else product.source) is source:
            return
        self._shared.product = None if source is None else OfferedProduct(source, self._shared.row_checks)
        self._shared.submit(self._look_at_pieces())

    def set_active(self, is_active: bool) -> None:
        """Let workers be idle, or work again."""
        self._shared.has_fillers = is_active and self._settings.has_fillers
        if not is_active:
            self.offer(None)

    def get_status(self) -> WorkersStatus:
        shared = self._shared
        return WorkersStatus(
            workers=tuple(session.get_status() for session in self._iterate_started()),
            blocks_won=shared.templates.won,
            blocks_stale=shared.templates.stale,
            errors=dict(shared.errors),
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Talk with one worker over a WebSocket until it disconnects or breaks a rule. No WebSocket is opened while
        there is no place: a refusal over it takes time, and so a place."""
        connection = Connection(request)
        host = connection.host
        if self._is_full(host):
            text = "This node has as many workers as it takes, or as many that say nothing.\n"
            return web.Response(status=503, text=text, headers={"Retry-After": str(FULL_S)})
        self._waiting[host] += 1
        try:
            hello = await self._welcome(connection)
        finally:
            self._waiting[host] -= 1
            self._waiting += Counter()  # This drops the hosts that have none.
        if hello is not None:
            await self._run_session(connection, hello)
        return connection.ws

    def _is_full(self, host: str) -> bool:
        """Return True if this host may open no connection now."""
        return (
            self._is_closed
            or len(self._sessions) >= MAX_WORKERS + FLEET_PLACES
            or self._waiting.total() >= MAX_WAITING
            or self._waiting[host] >= MAX_WAITING_PER_HOST
        )

    async def _welcome(self, connection: Connection) -> Hello | None:
        """Open a connection, and return its hello; None if the worker is refused."""
        await connection.open()
        hello = await connection.receive_hello()
        if hello is None:
            return None
        try:
            self._check_hello(hello, connection.host)
        except Refusal as refusal:
            await connection.refuse(refusal.code, refusal.message, refusal.retry_s)
            return None
        return hello

    async def _run_session(self, connection: Connection, hello: Hello) -> None:
        self._prefix += 1
        session = Session(self._shared, hello, self._prefix, connection.host, connection.queue)
        self._sessions[self._prefix] = session, connection
        self._sum_speeds()
        key = b"" if self._local is None else self._local.add(session)
        log.info("worker connected", worker=hello.name, kind=hello.kind.name.lower(), host=connection.host)
        try:
            await connection.run(session, key)
        except Offence as offence:
            await self._punish(session, connection, offence)
        except InosError as error:
            await connection.refuse(error.code, error.message, RETRY_S)
        finally:
            if self._local is not None:
                self._local.remove(key)
            del self._sessions[session.info.connection]
            self._sum_speeds()
            session.end()
            log.info("worker disconnected", worker=hello.name, host=connection.host)

    async def _punish(self, session: Session, connection: Connection, offence: Offence) -> None:
        """End a worker that broke a rule, and refuse it for a time."""
        seconds = OFFENCES[offence.code]
        self._shared.errors[offence.code] += 1
        log.warning(
            "worker refused", worker=session.info.name, host=session.host, code=offence.code, why=offence.message
        )
        if seconds:
            keys = make_ban_keys(session.info.identity, session.host, is_fleet=session.is_fleet)
            self._bans.add(keys, self._node.clock.monotonic() + seconds)
        await connection.refuse(offence.code, offence.message, seconds or 1)

    def _check_hello(self, hello: Hello, host: str) -> None:
        """Raise Refusal for a worker that is not taken."""
        if hello.version != VERSION:
            raise Refusal("other-version", f"this node speaks version {VERSION} of the protocol", 3600)
        if (hello.token is None) == (hello.address is None):
            raise Refusal("bad-hello", "a worker gives either an address that is paid, or the fleet's token", 3600)
        if hello.token is not None:
            if self._settings.token is None or not hmac.compare_digest(hello.token, self._settings.token):
                raise Refusal("wrong-token", "the token is not that of this node's fleet", 3600)
        elif self._shared.pool is None:
            raise Refusal("no-pool", "this node pays no strangers: it takes workers with its fleet's token only", 3600)
        keys = make_ban_keys(hello.identity, host, is_fleet=hello.token is not None)
        rest = self._bans.get_rest(keys, self._node.clock.monotonic())
        if rest > 0:
            raise Refusal("banned", "a worker of this identity or IP address broke a rule lately", int(rest) + 1)
        strangers = [session for session, _ in self._sessions.values() if not session.is_fleet]
        if hello.token is None and (
            len(strangers) >= MAX_WORKERS or sum(each.host == host for each in strangers) >= MAX_PER_HOST
        ):
            raise Refusal("busy", "this node has as many workers as it takes, or as many of one address", BUSY_S)

    def _sum_speeds(self) -> None:
        sessions, shared = [session for session, _ in self._sessions.values()], self._shared
        shared.total_speed = sum(each.get_piece_speed() for each in sessions)
        shared.fleet_speed = sum(each.get_piece_speed() for each in sessions if each.is_fleet)
        shared.local_speed = sum(each.speed for each in sessions if each.line.is_local)

    def _iterate_started(self) -> Iterator[Session]:
        return (session for session, _ in [*self._sessions.values()] if session.is_started)

    async def _watch_tip(self) -> None:
        async with self._node.events.subscribe() as events:
            async for event in events:
                if isinstance(event, TipChanged):
                    await self._renew_template()

    async def _renew_template(self) -> None:
        """Make a template if the old one is not current any more, and send it to all workers that do not have it."""
        templates = self._shared.templates
        if not self._sessions:
            return
        try:
            issued = await templates.renew()
        except InosError as error:
            log.warning("no template for workers", code=error.code, error=error.message)
            return
        for session in self._iterate_started():
            if session.template < issued.number:
                session.send_template(issued)
                await session.refresh_filler()

    async def _repeat(self, look: Callable[[], Awaitable[None]], pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            await look()

    async def _look_at_pieces(self) -> None:
        for session in self._iterate_started():
            session.look_at_piece()

    async def _look(self) -> None:
        """Look at the clock for every worker."""
        now = self._node.clock.monotonic()
        if self._shared.product is not None:
            self._offered_at = now
        elif now - self._offered_at > ROWS_KEPT_S:
            self._shared.row_memory.clear()
            self._shared.row_checks.clear()
        await self._renew_template()
        self._sum_speeds()
        for session, connection in [*self._sessions.values()]:
            if not session.is_started:
                continue
            try:
                await session.look()
            except Offence as offence:
                connection.fail(offence)
