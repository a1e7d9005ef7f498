"""Learns the best chains of headers that the peers have.

A chain that goes far beyond the known one is learned from all peers at once, by a plan. Shorter chains and forks are
learned from each peer by locator requests, which are repeated until there are no more headers. The node decides by
weight which chain is best.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

import structlog

from inos.consensus.codes import Code
from inos.core.bounded import ExpiringSet, TokenBucket
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import TimeLimits
from inos.network.sync.block_status import get_status_name, is_known, is_usable
from inos.network.sync.headers.plan import HeaderPlan, Segment
from inos.network.sync.monitor import SyncMonitor
from inos.network.sync.penalties import Penalise
from inos.network.wire.chain import MAX_HEADERS, MAX_LOCATOR, AnnounceBlock, GetHeaders, Headers
from inos.network.wire.skeleton import GetSkeleton, Skeleton
from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, NotYet, RuleViolation
from inos.primitives.units import BlockId

log = structlog.get_logger("inos.network")

FAR: Final = 2 * MAX_HEADERS
"""A peer that claims this many more blocks than are known is worth a plan."""
MAX_AHEAD: Final = 65_536
"""The headers above the connected tip are not proven yet. At most this many are kept; more follow when blocks
arrive."""
SKELETON_RETRY_S: Final = 60.0
"""A peer whose plan failed makes no other plan for this long."""
MAX_LACKING: Final = 2
"""A peer that lacks this many segments is taken to be on another chain."""
OVERDUE: Final = 0.25
"""After this part of the time limit a segment is requested from another peer too."""
MAX_BRANCHES: Final = 16
"""A peer may turn to another branch this often before the last one it gave is proven; honest peers do so rarely."""
BRANCHES_PER_S: Final = 1 / 60
IGNORED_S: Final = 60.0
"""A peer that has used up its branches is asked for no headers for this long; its announcements still count."""
WARN_S: Final = 60.0
"""A chain that leaves this node's below a final block is told of once in this time."""


class HeaderSync:
    """Learns headers for all peers. `on_new` is called when headers arrived whose bodies may be wanted.

    Args:
        expected: the height up to which headers are learned before any block is here.
    """

    def __init__(
        self,
        node: NodePort,
        limits: TimeLimits,
        clock: Clock,
        on_headers: Callable[[], None],
        monitor: SyncMonitor,
        penalise: Penalise,
        expected: int = 0,
    ) -> None:
        self._node = node
        self._limits = limits
        self._expected = expected
        self._clock = clock
        self._on_headers = on_headers
        self._monitor = monitor
        self._penalise = penalise
        self._lock = asyncio.Lock()
        self._appending = asyncio.Lock()
        self._plan: HeaderPlan[Peer] | None = None
        self._has_moved = asyncio.Event()
        self._failed_skeleton_peers: ExpiringSet[Peer] = ExpiringSet(256)
        self._last_given: dict[Peer, BlockId] = {}
        self._branches: dict[Peer, TokenBucket] = {}
        self._ignored: ExpiringSet[Peer] = ExpiringSet(256)
        self._warned_at = -WARN_S

    def drop_peer(self, peer: Peer) -> None:
        """Note that the link to the peer has ended."""
        self._last_given.pop(peer, None)
        self._branches.pop(peer, None)

    async def catch_up(self, peer: Peer) -> None:
        """Learn the peer's chain if its claimed tip is unknown.

        Raises:
            Misbehaviour: the headers break a rule or do not follow each other.
            RequestFailed: the peer did not answer in time.
        """
        ledger = self._node.ledger
        if is_known(ledger, peer.best_id) or self._count_ahead() >= MAX_AHEAD:
            return
        if self._ignored.has(peer, self._clock.monotonic()):
            return
        with self._monitor.learning(peer):
            if self._is_far(peer):
                await self._learn_together(peer)
            await self._learn(peer)

    async def on_announced(self, peer: Peer, message: AnnounceBlock) -> None:
        """Process a header that the peer has connected; if its parent is known, no request is needed."""
        header = message.header
        id = compute_block_id(header)
        peer.known_blocks.add(id)
        peer.set_claim(id, header.height)
        await self.accept(peer, header)
        self._on_headers()

    async def accept(self, peer: Peer, header: Header) -> bool:
        """Add one header if its parent is known; return True if the header is here now.

        Raises:
            Misbehaviour: the header breaks a rule.
            RequestFailed: the header cannot be added now.
        """
        ledger = self._node.ledger
        if not is_known(ledger, BlockId(header.parent)):
            return False
        if not is_known(ledger, compute_block_id(header)):
            await self._add(peer, (header,))
        return True

    def _count_ahead(self) -> int:
        return self._node.ledger.best_header.header.height - max(self._node.ledger.tip.header.height, self._expected)

    def _is_far(self, peer: Peer) -> bool:
        return peer.best_height > self._node.ledger.best_header.header.height + FAR

    # The following methods learn from all peers at once.

    async def _learn_together(self, peer: Peer) -> None:
        """Take part in plans, making one if there is none, while the peer helps and is far ahead."""
        while self._is_far(peer) and self._count_ahead() < MAX_AHEAD:
            if self._plan is None and not await self._make_plan(peer):
                return
            plan = self._plan
            if plan is not None and not await self._work(plan, peer):
                return

    async def _make_plan(self, peer: Peer) -> bool:
        if self._failed_skeleton_peers.has(peer, self._clock.monotonic()):
            return False
        async with self._one_at_a_time():
            if self._plan is not None:
                return True
            with peer.requests.open(Skeleton) as pending:
                request = GetSkeleton(pending.request, self._make_locator(None), MAX_HEADERS)
                await peer.send_request(pending, request, self._limits.headers)
                reply = await pending.next(self._limits.headers)
            start = self._node.ledger.get_header(BlockId(reply.start)) if isinstance(reply, Skeleton) else None
            if not isinstance(reply, Skeleton) or start is None or not reply.ids:
                self._failed_skeleton_peers.add(peer, self._clock.monotonic() + SKELETON_RETRY_S)
                return False
            ids = [BlockId(id) for id in reply.ids]
            self._plan = HeaderPlan(peer, BlockId(reply.start), start.height, ids, MAX_HEADERS)
            log.debug(
                "headers requested from all peers", skeleton_peer=peer.name, segments=len(ids), above=start.height
            )
            return True

    async def _work(self, plan: HeaderPlan[Peer], peer: Peer) -> bool:
        """Request segments from the peer until the plan is over; return False if the peer does not have them."""
        lacking = 0
        try:
            while plan is self._plan and lacking < MAX_LACKING:
                limit_s = OVERDUE * self._limits.headers
                segment = plan.take(peer, peer.best_height, self._clock.monotonic(), limit_s)
                if segment is None:
                    await self._await_move(limit_s)
                    continue
                lacking += not await self._fetch(plan, peer, segment)
                await self._append(plan)
        finally:
            if plan is self._plan and (plan.skeleton_peer is peer or plan.is_hopeless()):
                self._failed_skeleton_peers.add(plan.skeleton_peer, self._clock.monotonic() + SKELETON_RETRY_S)
                self._end(plan)
        return lacking < MAX_LACKING

    async def _await_move(self, limit_s: float) -> None:
        self._has_moved.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._has_moved.wait()
        except TimeoutError:
            return

    async def _fetch(self, plan: HeaderPlan[Peer], peer: Peer, segment: Segment[Peer]) -> bool:
        is_answered = False
        try:
            with peer.requests.open(Headers) as pending:
                request = GetHeaders(pending.request, (segment.start,))
                await peer.send_request(pending, request, self._limits.headers)
                reply = await pending.next(self._limits.headers)
            is_answered = True
        finally:
            if not is_answered:
                plan.give_back(peer, segment)
                self._has_moved.set()
        return plan.put(peer, segment, reply.headers if isinstance(reply, Headers) else ())

    async def _append(self, plan: HeaderPlan[Peer]) -> None:
        """Give the next segments to the node, one task at a time."""
        async with self._appending:
            while plan is self._plan and (segment := plan.pop_ready()) is not None:
                try:
                    await self._add(segment.source, segment.headers)
                except Misbehaviour as fault:
                    self._end(plan)
                    if segment.source is not None:
                        await self._penalise(segment.source, fault)
                except RequestFailed:
                    self._end(plan)
                    raise
                self._on_headers()
                self._has_moved.set()
            if plan.is_done:
                self._end(plan)

    def _end(self, plan: HeaderPlan[Peer]) -> None:
        if plan is self._plan:
            self._plan = None
        self._has_moved.set()

    # The following methods learn from one peer.

    async def _learn(self, peer: Peer) -> None:
        async with self._one_at_a_time():
            last: BlockId | None = None
            while not is_known(self._node.ledger, peer.best_id) and self._count_ahead() < MAX_AHEAD:
                headers = await self._ask(peer, last)
                if not headers:
                    return
                self._check_place(peer, headers)
                self._check_branch(peer, headers)
                await self._add(peer, headers)
                last = compute_block_id(headers[-1])
                if headers[-1].height >= peer.best_height:
                    peer.best_id, peer.best_height = last, headers[-1].height
                self._on_headers()
                if len(headers) < MAX_HEADERS:
                    return

    @asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[None]:
        """Let one peer at a time send a long chain, but wait only for a limited time for a slow one."""
        has_turn = False
        try:
            async with asyncio.timeout(self._limits.headers):
                has_turn = await self._lock.acquire()
        except TimeoutError:
            log.debug("header sync stops waiting for a slow peer")
        try:
            yield
        finally:
            if has_turn:
                self._lock.release()

    async def _ask(self, peer: Peer, last: BlockId | None) -> tuple[Header, ...]:
        with peer.requests.open(Headers) as pending:
            await peer.send_request(
                pending, GetHeaders(pending.request, self._make_locator(last)), self._limits.headers
            )
            reply = await pending.next(self._limits.headers)
        if not isinstance(reply, Headers):
            raise RequestFailed("not-found", "the peer sends no headers")
        return reply.headers

    def _make_locator(self, last: BlockId | None) -> tuple[BlockId, ...]:
        locator = list(self._node.ledger.get_locator())
        if last is not None:
            locator.insert(0, last)
        return tuple(locator[: MAX_LOCATOR - 1] + locator[MAX_LOCATOR - 1 :][-1:])

    def _check_place(self, peer: Peer, headers: tuple[Header, ...]) -> None:
        if not is_usable(self._node.ledger, BlockId(headers[0].parent)):
            peer.penalise(Misbehaviour("headers-unconnected", "the headers follow no block of the locator", 20))
            raise RequestFailed("headers-unconnected", "the headers follow no block that is known here")
        for before, header in pairwise(headers):
            if header.parent != compute_block_id(before) or header.height != before.height + 1:
                raise Misbehaviour(
                    "headers-unconnected", f"header {header.height} does not follow the header before it"
                )

    def _check_branch(self, peer: Peer, headers: tuple[Header, ...]) -> None:
        """Ignore a peer that gives one branch after another: branches are cheap to invent and costly to check."""
        last = self._last_given.get(peer)
        self._last_given[peer] = compute_block_id(headers[-1])
        if last in (None, headers[0].parent) or get_status_name(self._node.ledger, last) in ("stored", "connected"):
            return
        now = self._clock.monotonic()
        if not self._branches.setdefault(peer, TokenBucket(BRANCHES_PER_S, MAX_BRANCHES, now)).take(now):
            self._ignored.add(peer, now + IGNORED_S)
            raise RequestFailed("too-many-branches", "the peer gives one branch of headers after another and no block")

    async def _add(self, peer: Peer | None, headers: tuple[Header, ...]) -> None:
        """Add headers in the node's own thread, off the event loop."""
        try:
            await self._node.blocks.add_headers(headers)
        except RuleViolation as error:
            raise Misbehaviour(error.code, f"invalid header: {error.message}") from error
        except NotYet as error:
            if error.code == Code.CONFLICTS_WITH_FINAL:
                self._warn_of_split(peer, error)
            raise RequestFailed(error.code, error.message) from error
        except InosError as error:
            log.warning("headers not added", code=error.code, reason=error.message)
            raise RequestFailed(error.code, error.message) from error

    def _warn_of_split(self, peer: Peer | None, error: NotYet) -> None:
        """Say that a peer follows a chain that this node never will. It ends by itself if votes bring the peer here."""
        now = self._clock.monotonic()
        if now - self._warned_at >= WARN_S:
            self._warned_at = now
            log.warning(
                "a peer's chain leaves this node's below a final block",
                peer="unknown" if peer is None else peer.name,
                reason=error.message,
                hint="if it lasts, one of the two is on the wrong chain: compare `inos finality status` with people "
                "you trust, and see docs/troubleshooting.md",
            )
