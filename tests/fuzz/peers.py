"""A session with an attacker: the real session, peer, queues and requests over a link in memory."""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from inos.network.errors import LinkError, Misbehaviour, RequestFailed
from inos.network.peers.inbox import MAX_NOTICE_BYTES, MAX_NOTICES, MAX_URGENT, MAX_URGENT_BYTES
from inos.network.peers.peer import Peer
from inos.network.peers.session import Session
from inos.network.settings import TimeLimits
from inos.network.transport.memory import make_link_pair
from inos.network.wire.base import Notice, Request
from inos.network.wire.chain import GetHeaders, Headers
from inos.network.wire.control import Hello, NotFound
from inos.network.wire.limits import MAX_WAITING_REQUESTS, QUEUE_BYTES, Lane
from inos.primitives.units import BlockId, NodeId, TimeMs

HELLO: Final = Hello(1, 7, bytes(32), "fuzz", bytes(32), 0, bytes(32), 0)
MAX_REAL_S: Final = 10.0
"""A run that takes longer than this hangs."""


class StillClock:
    """A clock that advances by a millisecond with every reading, so that budgets refill slowly."""

    def __init__(self) -> None:
        self._now = 1000.0

    def now_ms(self) -> TimeMs:
        return TimeMs(1_700_000_000_000)

    def monotonic(self) -> float:
        self._now += 0.001
        return self._now


class Handler:
    """A handler that answers every request with "not found" and sends one request of its own."""

    def on_arrival(self, host: str) -> None:
        return

    async def handle_request(self, peer: Peer, request: Request) -> None:
        await peer.out.put(NotFound(request.request, ()))

    def handle_notice(self, peer: Peer, notice: Notice) -> bool:
        return False

    async def run_peer(self, peer: Peer) -> None:
        try:
            with peer.requests.open(Headers) as pending:
                await peer.send_request(pending, GetHeaders(pending.request, ()), 5.0)
                await pending.next(5.0)
        except RequestFailed:
            return


def run_session(frames: Sequence[bytes]) -> None:
    """Feed these frames to a session, then close the link.

    Raises:
        AssertionError: the session kept more than its limits allow, or ended with an error that it must not raise.
        Exception: any other error is a bug in the session.
    """
    asyncio.run(_run(frames))


async def _run(frames: Sequence[bytes]) -> None:
    near, far = make_link_pair(NodeId(b"\x01" * 32), NodeId(b"\x02" * 32))
    clock = StillClock()
    peer = Peer(near, HELLO, clock)
    session = Session(peer, Handler(), lambda: (BlockId(bytes(32)), 0), TimeLimits(), clock, random.Random(1))
    async with asyncio.timeout(MAX_REAL_S), asyncio.TaskGroup() as group:
        running = group.create_task(session.run())
        reading = group.create_task(_read(far))
        for frame in frames:
            try:
                await far.send(frame)
            except LinkError:
                break
            await asyncio.sleep(0)
            _check_bounds(peer)
        await far.close()
        fault = await running
        reading.cancel()
    assert fault is None or isinstance(fault, Misbehaviour)
    assert peer.end_reason
    _check_bounds(peer)


async def _read(link: object) -> None:
    """Read what the node sends, like a peer that reads."""
    try:
        while True:
            await link.receive()  # type: ignore[attr-defined]
    except LinkError:
        return


def _check_bounds(peer: Peer) -> None:
    assert len(peer.inbox) <= MAX_NOTICES + MAX_URGENT
    assert peer.inbox.bytes <= MAX_NOTICE_BYTES + MAX_URGENT_BYTES
    assert len(peer.queued_requests) <= MAX_WAITING_REQUESTS
    for lane in Lane:
        assert peer.out._bytes[lane] <= QUEUE_BYTES[lane]
