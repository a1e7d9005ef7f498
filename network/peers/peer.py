"""This module holds the state of one connected peer and the ways to send to it. Its session does the work."""

import asyncio
from collections import deque
from typing import Final

from inos.core.bounded import BoundedSet, Score, TokenBucket
from inos.network.endpoints import compute_group, split_endpoint
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.identity import PeerAddress
from inos.network.link import Link
from inos.network.peers.inbox import Inbox
from inos.network.peers.kinds import LinkKind
from inos.network.peers.requests import OpenRequests, PendingRequest
from inos.network.peers.send_queue import SendQueue
from inos.network.peers.work_budget import PeerWorkBudget, make_shared_budget
from inos.network.wire.base import Message, Request
from inos.network.wire.chain import AnnounceBlock
from inos.network.wire.compact import CompactBlock
from inos.network.wire.control import Hello
from inos.network.wire.limits import BAN, LIMITS, MAX_WAITING_REQUESTS, POINTS_PER_S, get_limit
from inos.primitives.clock import Clock
from inos.primitives.units import BlockId, NodeId, TimeMs, TxId

KNOWN_BLOCKS: Final = 1024
KNOWN_TRANSACTIONS: Final = 16_384
"""So many ids are remembered that the peer has, so that they are not announced to it."""
MAX_REQUEST_BYTES: Final = 512 << 10
"""The requests that wait to be answered have at most so many encoded bytes; an honest node stays far below."""


class Contributions:
    """A peer last gave this node something new at these times (monotonic seconds; 0 means never)."""

    __slots__ = ("block_at", "matrix_at", "transaction_at")

    def __init__(self) -> None:
        self.block_at = 0.0
        self.transaction_at = 0.0
        self.matrix_at = 0.0


class Peer:
    """Holds the state of one link. Everything in it is bounded."""

    def __init__(
        self,
        link: Link,
        hello: Hello,
        clock: Clock,
        kind: LinkKind = LinkKind.INBOUND,
        address: PeerAddress | None = None,
        shared_work: TokenBucket | None = None,
    ) -> None:
        now = clock.monotonic()
        self._clock = clock
        self.link = link
        self.hello = hello
        self.kind = kind
        self.address = address
        """This node dialled this address; it is None for an inbound link."""
        self.host, port = split_endpoint(link.remote_address)
        self.group = compute_group(self.host, port)
        self.contributions = Contributions()
        self.id: NodeId = link.remote_id
        self.since_ms: TimeMs = clock.now_ms()
        self.connected_at = now
        self.used_at = now
        """A request, an answer or a notice last went over the link at this time (monotonic seconds)."""
        self.best_id = BlockId(hello.tip)
        self.best_height = hello.height
        self.first_block = hello.first_block
        """The peer serves blocks from this height on."""
        self.latency_s: float | None = None
        """The last ping took this long."""
        self.least_latency_s: float | None = None
        self.out = SendQueue()
        self.requests = OpenRequests()
        self.known_blocks: BoundedSet[BlockId] = BoundedSet(KNOWN_BLOCKS)
        self.known_transactions: BoundedSet[TxId] = BoundedSet(KNOWN_TRANSACTIONS)
        self.inbox = Inbox()
        self.wants_compact = False
        """The peer wants new blocks to be pushed to it if this is True."""
        self.queued_requests: deque[tuple[Request, int]] = deque()
        """These requests wait to be answered, with their encoded bytes."""
        self.queued_bytes = 0
        self.attention = asyncio.Event()
        """The event is set when the claimed tip changed, or a notice was processed."""
        self.has_requests = asyncio.Event()
        self.ended = asyncio.Event()
        self.end_reason = ""
        self._buckets = {
            kind: TokenBucket(limit.per_s, limit.burst, now) for kind, limit in LIMITS.items() if limit.burst
        }
        announced, pushed = get_limit(AnnounceBlock), get_limit(CompactBlock)
        self.block_budget = TokenBucket(announced.per_s / 2, announced.burst / 2, now)
        """This budget limits the block announcements that this node sends to half of what the other side allows."""
        self.push_budget = TokenBucket(pushed.per_s / 2, pushed.burst / 2, now)
        """This budget limits the pushed blocks to half of what the other side allows."""
        self.work = PeerWorkBudget(shared_work or make_shared_budget(now), now)
        """This budget limits the work that this peer may cause."""
        self.score = Score(POINTS_PER_S, now)
        """The peer has these penalty points; they outlive the link, so that a new connection does not erase them."""
        self.is_condemned = False
        """The points sufficed for a ban if this is True."""
        self._pings: dict[int, asyncio.Event] = {}

    def __repr__(self) -> str:
        return f"Peer({self.id.hex()[:12]}, {self.link.remote_address})"

    @property
    def name(self) -> str:
        """This short form of the id is for logs."""
        return self.id.hex()[:12]

    @property
    def is_brief(self) -> bool:
        """The property is True if the link serves a few requests only, without notices, sync and pings."""
        return self.hello.is_brief if self.kind is LinkKind.INBOUND else self.kind.is_brief

    @property
    def is_closing(self) -> bool:
        """The property is True while the link is being ended; it stays among the peers until its session is over."""
        return self.end_reason != ""

    @property
    def is_busy(self) -> bool:
        """The property is True if a request waits for its answer, on either side."""
        return bool(len(self.requests) or self.queued_requests)

    def touch(self) -> None:
        """Note that the link is used."""
        self.used_at = self._clock.monotonic()

    def send(self, message: Message) -> bool:
        """Queue a message without waiting; return False if its lane is full."""
        return self.out.offer(message)

    def charge(self, kind: type[Message]) -> None:
        """Count one message of `kind` against its rate.

        Raises:
            Misbehaviour: the peer exceeded the rate often enough to be banned.
        """
        bucket = self._buckets.get(kind)
        if bucket is not None and not bucket.take(self._clock.monotonic()):
            self.penalise(
                Misbehaviour(
                    "too-often",
                    f"the peer sends {kind.__name__} messages faster than its limit allows",
                    get_limit(kind).penalty,
                )
            )

    def penalise(self, fault: Misbehaviour) -> None:
        """Add the points of a fault.

        Raises:
            Misbehaviour: `fault`, if the points now suffice for a ban.
        """
        if self.score.add(fault.penalty, self._clock.monotonic()) >= BAN:
            self.is_condemned = True
            raise fault

    def credit_block(self) -> None:
        """Note that the peer gave a block that is now on the chain."""
        self.contributions.block_at = self._clock.monotonic()

    def credit_transaction(self) -> None:
        """Note that the peer gave a transaction that the pool accepted."""
        self.contributions.transaction_at = self._clock.monotonic()

    def credit_matrix(self) -> None:
        """Note that the peer gave a part of a wanted matrix."""
        self.contributions.matrix_at = self._clock.monotonic()

    def note_latency(self, seconds: float) -> None:
        """Record the latency of a ping."""
        self.latency_s = seconds
        self.least_latency_s = seconds if self.least_latency_s is None else min(seconds, self.least_latency_s)

    def set_claim(self, tip: bytes, height: int) -> None:
        """Record what the peer claims as its best block."""
        if tip != self.best_id:
            self.best_id, self.best_height = BlockId(tip), height
            self.attention.set()

    def queue_request(self, request: Request, size: int) -> None:
        """Queue a request of the peer, which has `size` encoded bytes.

        Raises:
            Misbehaviour: the peer sends more requests at once than an honest node does.
        """
        if len(self.queued_requests) >= MAX_WAITING_REQUESTS or self.queued_bytes + size > MAX_REQUEST_BYTES:
            self.penalise(
                Misbehaviour(
                    "too-many-requests",
                    f"the peer sent more than {MAX_WAITING_REQUESTS} requests or {MAX_REQUEST_BYTES} bytes of them"
                    " before they were answered",
                    20,
                )
            )
            return
        self.queued_requests.append((request, size))
        self.queued_bytes += size
        self.has_requests.set()

    def pop_request(self) -> Request:
        """Return the request that has waited the longest."""
        request, size = self.queued_requests.popleft()
        self.queued_bytes -= size
        return request

    async def send_request(self, pending: PendingRequest, request: Request, limit_s: float) -> None:
        """Send an opened request.

        Raises:
            RequestFailed: the peer accepts no more requests in time.
        """
        try:
            async with asyncio.timeout(limit_s):
                await self.out.put(request)
        except TimeoutError:
            raise RequestFailed("timeout", "the peer reads too slowly to receive a request") from None

    def expect_pong(self, nonce: int) -> asyncio.Event:
        """Return the event that is set when the pong of `nonce` arrives; `forget_pong` removes it."""
        event = asyncio.Event()
        self._pings[nonce] = event
        return event

    def forget_pong(self, nonce: int) -> None:
        self._pings.pop(nonce, None)

    def take_pong(self, nonce: int) -> None:
        """Process a pong; one that this node no longer waits for is ignored."""
        event = self._pings.get(nonce)
        if event is not None:
            event.set()

    async def close(self, reason: str) -> None:
        """End the link; the first reason counts."""
        self.end_reason = self.end_reason or reason
        self.out.close()
        self.requests.close()
        await self.link.close()

    def drop_memory(self) -> None:
        """Empty what only a living link needs. Other objects may refer to this one until the collector runs."""
        self.inbox.clear()
        self.queued_requests.clear()
        self.queued_bytes = 0
        self.known_blocks.clear()
        self.known_transactions.clear()
