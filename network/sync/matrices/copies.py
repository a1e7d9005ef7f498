"""The network is to hold as many copies of a matrix as are wanted: missing ones are requested, surplus ones dropped.

The pipeline is: a matrix on this node is due for a check; routing finds the other nodes that prove to have it;
`inos.mesh.copies.decide` compares their number with the target; then nodes near the matrix are asked to keep a copy, or
this node drops its own. A node that agrees is not bound by it, because the next check counts proven copies only.
"""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from msgspec import Struct

from inos.mesh.copies import MOST, SLACK, decide, list_candidates
from inos.mesh.store import MatrixInfo
from inos.network.errors import LinkError, Misbehaviour, RequestFailed
from inos.network.identity import PeerAddress
from inos.network.peers.peer import Peer
from inos.network.ports import MatrixInfoView, NodePort
from inos.network.sync.matrices.provider_search import GetOrDial, ProviderLookup
from inos.network.wire.base import Request
from inos.network.wire.matrices import CopyAnswer, OfferCopy
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError
from inos.primitives.randomness import Randomness
from inos.primitives.units import MatrixId, NodeId
from inos.work.strips import InvalidMatrix, check_shape

log = structlog.get_logger("inos.network")

PACE_S: Final = 1.0
"""Two checks are this far apart; a search costs a few dozen small messages."""
REFRESH_S: Final = 30.0
"""New matrices are scheduled this often."""
SOME_DEMAND: Final = 0.5
TRIES: Final = 3
"""For each missing copy this many nodes are asked."""
ASK_S: Final = 10.0
COPY_S: Final = 900.0
"""This node tries for this long to fetch a copy that it has promised."""
STALL_S: Final = 60.0
"""A promised copy of which no proven run arrived for this long is given up, and what is here of it is deleted."""
MAX_OFFERS: Final = 64
"""At most this many copies are promised and not fetched yet."""
MAX_OFFERS_OF_GROUP: Final = 16
"""The offers of one network group are at most this many of these, and ask for at most half of the room for copies."""


class Promise(Struct):
    """This node fetches a copy that a peer has offered."""

    group: bytes
    bytes: int
    until: float
    progress_at: float
    runs: int = 0


class CopyRouting(ProviderLookup, Protocol):
    """Finds the nodes that have a matrix and the nodes near it."""

    async def find_nearest(self, id: MatrixId) -> list[PeerAddress]:
        """Return other nodes near a matrix's id, nearest first."""


class CopyMaintenance:
    """Checks the copies of all matrices on this node.

    Args:
        check_s: the time between two checks of the same matrix in seconds; 0 means never.
        fetch: starts to fetch a copy that this node has promised, for a number of seconds.
        abandon: stops that.
    """

    def __init__(
        self,
        own_id: NodeId,
        node: NodePort,
        router: CopyRouting,
        get_or_dial: GetOrDial,
        fetch: Callable[[MatrixInfo, float], bool],
        abandon: Callable[[MatrixId], None],
        check_s: float,
        clock: Clock,
        rng: Randomness,
    ) -> None:
        self._own_id = own_id
        self._node = node
        self._router = router
        self._get_or_dial = get_or_dial
        self._fetch = fetch
        self._abandon = abandon
        self._check_s = check_s
        self._clock = clock
        self._rng = rng
        self._due: list[tuple[float, MatrixId]] = []
        self._short: dict[MatrixId, int] = {}
        self._promises: dict[MatrixId, Promise] = {}
        self.invited = self.dropped = self.accepted = 0

    async def run(self) -> None:
        """Check one matrix after the other, and what came of promises, until cancelled."""
        refreshed = float("-inf")
        while True:
            now = self._clock.monotonic()
            await self._follow_promises(now)
            if not self._check_s:
                await asyncio.sleep(PACE_S)
                continue
            if now - refreshed >= min(REFRESH_S, self._check_s / 4):
                self._refresh(now)
                refreshed = now
            if self._due and self._due[0][0] <= now:
                await self._try(heapq.heappop(self._due)[1])
            await asyncio.sleep(min(PACE_S, self._check_s / 10))

    async def handle_request(self, peer: Peer, request: Request) -> bool:
        """Answer an offer of a copy; return False if the request is of another kind.

        Raises:
            LinkError: the link has ended.
        """
        if not isinstance(request, OfferCopy):
            return False
        await peer.out.put(CopyAnswer(request.request, self._take(peer, request)))
        return True

    def _take(self, peer: Peer, offer: OfferCopy) -> bool:
        """Return True if this node has the matrix, or fetches it now."""
        info = MatrixInfo(offer.dtype, offer.rows, offer.cols, offer.root)
        try:
            check_shape(info.dtype, info.rows, info.cols)
        except InvalidMatrix:
            return False
        if self._node.matrices.store.has(info.id) or info.id in self._promises:
            return True
        if not self._may_promise(info, peer.group) or not self._fetch(info, COPY_S):
            return False
        now = self._clock.monotonic()
        self._promises[info.id] = Promise(peer.group, info.file_bytes, now + COPY_S, now)
        self.accepted += 1
        return True

    def _may_promise(self, info: MatrixInfo, group: bytes) -> bool:
        """Return True if a copy is taken for others: always if it is promised to the chain or the owner, else within
        the room for such copies, which no network group can take alone."""
        retention = self._node.matrices.store.retention
        if retention.is_promised(info.id):
            return True
        share, left = retention.count_lending_room()
        of_group = [each for each in self._promises.values() if each.group == group]
        return (
            len(self._promises) < MAX_OFFERS
            and len(of_group) < MAX_OFFERS_OF_GROUP
            and sum(each.bytes for each in of_group) + info.file_bytes <= share // 2
            and sum(each.bytes for each in self._promises.values()) + info.file_bytes <= left
        )

    async def _follow_promises(self, now: float) -> None:
        """Forget the promises that were kept, and give up those of which nothing arrives."""
        store = self._node.matrices.store
        for id, promise in tuple(self._promises.items()):
            runs = store.arrivals.count_here(id) or 0
            if runs > promise.runs:
                promise.runs, promise.progress_at = runs, now
            if store.has(id):
                del self._promises[id]
            elif now >= promise.until or now - promise.progress_at >= STALL_S:
                del self._promises[id]
                self._abandon(id)
                if not store.retention.is_promised(id):
                    await self._node.matrices.drop(id)
                log.info("offered copy given up", id=id.hex(), runs=promise.runs)

    def _refresh(self, now: float) -> None:
        held = set(self._node.matrices.store.list_ids())
        self._due = [(at, id) for at, id in self._due if id in held]
        for id in sorted(held - {id for _, id in self._due}):
            self._due.append((now + self._check_s * (0.25 + self._rng.random() / 2), id))
        heapq.heapify(self._due)
        self._short = {id: rounds for id, rounds in self._short.items() if id in held}

    async def _try(self, id: MatrixId) -> None:
        """Check a matrix; if this node itself fails, only this check ends."""
        try:
            await self._check_copies(id)
        except InosError as error:
            log.info("copies not checked", id=id.hex(), code=error.code, reason=error.message)

    async def _check_copies(self, id: MatrixId) -> None:
        store = self._node.matrices.store
        info, retention = store.info(id), store.retention
        demand, is_promised = retention.get_demand(id), retention.is_promised(id)
        self._schedule(id)
        if info is None or not (is_promised or demand >= SOME_DEMAND or retention.may_let_go(id)):
            return
        found = await self._router.find_providers(id, MOST + SLACK + 1)
        others = [address.id for address in found]
        rounds = self._short.get(id, 0)
        decision = decide(self._own_id, id, others, demand, is_promised=is_promised, short_rounds=rounds)
        if decision.holders < decision.target:
            self._short[id] = min(rounds + 1, MOST)
            await self._invite(id, info, decision.invite, others)
            return
        self._short.pop(id, None)
        if decision.is_surplus and retention.may_let_go(id) and await self._node.matrices.drop(id):
            self.dropped += 1
            log.info("surplus copy dropped", id=id.hex(), holders=decision.holders, target=decision.target)

    def _schedule(self, id: MatrixId) -> None:
        again = self._check_s * (0.75 + self._rng.random() / 2)
        heapq.heappush(self._due, (self._clock.monotonic() + again, id))

    async def _invite(self, id: MatrixId, info: MatrixInfoView, count: int, holders: list[NodeId]) -> None:
        """Ask nodes near a matrix to keep a copy, until `count` have agreed."""
        if not count:
            return
        near = {bytes(address.id): address for address in await self._router.find_nearest(id)}
        agreed = 0
        for candidate in list_candidates(id, near, [*holders, self._own_id])[: TRIES * count]:
            if agreed == count:
                break
            agreed += await self._ask(near[candidate], info)
        self.invited += agreed
        log.info("copies requested", id=id.hex(), missing=count, agreed=agreed)

    async def _ask(self, address: PeerAddress, info: MatrixInfoView) -> bool:
        try:
            peer = await self._get_or_dial(address, ASK_S)
            with peer.requests.open(CopyAnswer) as pending:
                offer = OfferCopy(pending.request, info.dtype, info.rows, info.cols, info.root)
                await peer.send_request(pending, offer, ASK_S)
                reply = await pending.next(ASK_S)
        except (LinkError, RequestFailed, Misbehaviour) as error:
            log.debug("copy not requested", address=str(address), code=error.code)
            return False
        return isinstance(reply, CopyAnswer) and reply.is_taken
