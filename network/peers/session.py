"""A session runs one link from its handshake to its end: reader, writer, answers and pings are one group of tasks."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol

import structlog

from inos.network.errors import LinkError, Misbehaviour
from inos.network.peers.peer import Peer
from inos.network.peers.work_budget import compute_answer_cost, compute_cost
from inos.network.settings import TimeLimits
from inos.network.wire.base import Message, Notice, Reply, Request
from inos.network.wire.control import Bye, Ping, Pong
from inos.network.wire.framing import Assembler
from inos.network.wire.limits import get_limit
from inos.network.wire.messages import decode_message
from inos.primitives.clock import Clock
from inos.primitives.randomness import Randomness
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")


GetTip = Callable[[], tuple[BlockId, int]]
"""Returns the id and height of this node's best connected block."""


class SessionHandler(Protocol):
    """Does the work of a session; `inos.network.handler` has the one of a node."""

    def on_arrival(self, host: str) -> None:
        """Note that a node at `host` has dialled this one and proved its id."""

    def handle_notice(self, peer: Peer, notice: Notice) -> bool:
        """Process a notice at once without waiting; return False to leave it in the peer's inbox."""

    async def handle_request(self, peer: Peer, request: Request) -> None:
        """Answer one request; this may wait for room in the peer's queue."""

    async def run_peer(self, peer: Peer) -> None:
        """Work with a peer for as long as it is connected. Raises Misbehaviour if the peer breaks a rule."""


class Session:
    """Runs one link once."""

    def __init__(
        self,
        peer: Peer,
        handler: SessionHandler,
        get_tip: GetTip,
        limits: TimeLimits,
        clock: Clock,
        rng: Randomness,
    ) -> None:
        self._peer = peer
        self._handler = handler
        self._get_tip = get_tip
        self._limits = limits
        self._clock = clock
        self._rng = rng
        self._fault: Misbehaviour | None = None
        self._is_over = asyncio.Event()
        self._has_left = False
        """The other side ended the link."""

    async def run(self) -> Misbehaviour | None:
        """Run until the link ends; return the misbehaviour that ended it, if one did.

        Raises:
            ExceptionGroup: this node itself failed.
        """
        works = [self._read(), self._write(), self._answer()]
        if not self._peer.is_brief:
            works += [self._ping(), self._follow()]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._guard(work)) for work in works]
                await self._is_over.wait()
                await self._hear_out()
                for task in tasks:
                    task.cancel()
        finally:
            await self._peer.close("ended")
        return self._fault

    async def _hear_out(self) -> None:
        """Let the notices of a peer that left be processed briefly, so that leaving at once saves nobody a ban."""
        if not self._has_left or self._peer.is_brief:
            return
        try:
            async with asyncio.timeout(self._limits.close):
                await self._peer.inbox.is_idle.wait()
        except TimeoutError:
            log.debug("notices of a peer that left were dropped", peer=self._peer.name, count=len(self._peer.inbox))

    async def _guard(self, work: Coroutine[None, None, None]) -> None:
        """Record as a reason what may end a session.

        The error must not reach the task group: a group that fails while it is cancelled forgets the cancellation
        (before Python 3.13).
        """
        peer = self._peer
        try:
            await work
        except* LinkError as errors:
            self._has_left = self._has_left or not peer.is_closing
            peer.end_reason = peer.end_reason or _first(errors).code
        except* Misbehaviour as errors:
            found = _first(errors)
            if isinstance(found, Misbehaviour):
                self._fault, peer.end_reason = self._fault or found, found.code
        self._is_over.set()

    async def _read(self) -> None:
        assembler = Assembler(self._peer.requests.expects)
        while True:
            whole = assembler.add(await self._peer.link.receive())
            if whole is None:
                continue
            kind, data = whole
            self._peer.charge(kind)
            self._dispatch(decode_message(data, limit=get_limit(kind).max_bytes), len(data))
            if not issubclass(kind, Reply):  # Replies were requested and cost the peer nothing.
                wait_s = self._peer.work.charge(self._clock.monotonic(), compute_cost(kind, len(data)))
                if wait_s:
                    await asyncio.sleep(wait_s)

    def _dispatch(self, message: Message, size: int) -> None:
        """Distribute a message without waiting: work that takes time is queued, so that a pong is always read."""
        peer = self._peer
        if isinstance(message, Notice | Request | Reply):
            peer.touch()
        match message:
            case Ping():
                peer.set_claim(message.tip, message.height)
                tip, height = self._get_tip()
                peer.send(Pong(message.nonce, tip, height))
            case Pong():
                peer.set_claim(message.tip, message.height)
                peer.take_pong(message.nonce)
            case Bye():
                raise LinkError(f"bye: {message.reason}", "the other side said goodbye")
            case Notice():
                if not self._handler.handle_notice(peer, message):
                    peer.inbox.add(message, size)
            case Request():
                peer.queue_request(message, size)
            case Reply():
                try:
                    peer.requests.deliver(message)
                except Misbehaviour as fault:
                    peer.penalise(fault)
            case _:
                raise TypeError(f"no part of the node takes a {type(message).__name__}")

    async def _write(self) -> None:
        while True:
            frame = await self._peer.out.next_frame()
            try:
                async with asyncio.timeout(self._limits.write):
                    await self._peer.link.send(frame)
            except TimeoutError:
                raise LinkError("not-reading", "the peer no longer reads") from None

    async def _answer(self) -> None:
        peer = self._peer
        while True:
            while peer.queued_requests:
                request, before = peer.pop_request(), peer.out.put_bytes
                await self._handler.handle_request(peer, request)
                # This is the turn of other peers, and a peer that has used up its share waits here.
                cost = compute_answer_cost(type(request), peer.out.put_bytes - before)
                await asyncio.sleep(peer.work.charge(self._clock.monotonic(), cost))
            peer.has_requests.clear()
            await peer.has_requests.wait()

    async def _ping(self) -> None:
        while True:
            if not await ping(self._peer, self._get_tip, self._limits.ping, self._clock, self._rng):
                raise LinkError("silent", f"the peer sent no pong within {self._limits.ping:g} s")
            await asyncio.sleep(self._limits.ping_interval)

    async def _follow(self) -> None:
        await self._handler.run_peer(self._peer)
        # A handler that has nothing more to do must not end the session.
        await self._peer.ended.wait()


async def ping(peer: Peer, get_tip: GetTip, limit_s: float, clock: Clock, rng: Randomness) -> bool:
    """Return True if the peer answers within `limit_s` seconds, and record its latency."""
    nonce = rng.getrandbits(63)
    pong = peer.expect_pong(nonce)
    started = clock.monotonic()
    try:
        async with asyncio.timeout(limit_s):
            tip, height = get_tip()
            await peer.out.put(Ping(nonce, tip, height))
            await pong.wait()
    except (TimeoutError, LinkError):
        return False
    finally:
        peer.forget_pong(nonce)
    peer.note_latency(clock.monotonic() - started)
    return True


def _first(errors: BaseExceptionGroup[LinkError] | BaseExceptionGroup[Misbehaviour]) -> LinkError | Misbehaviour:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, LinkError | Misbehaviour):
        return error
    raise error
