"""Transactions are relayed by announcement: a tracker knows which peers have which, and which were requested."""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Final, Generic, TypeVar

import structlog

from inos.core.bounded import ExpiringSet
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import TimeLimits
from inos.network.sync.penalties import Penalise
from inos.network.wire.transactions import MAX_TX_IDS, GetTransactions, Transactions
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, RuleViolation
from inos.primitives.transactions import Transaction, compute_tx_id
from inos.primitives.units import TxId

log = structlog.get_logger("inos.network")

K = TypeVar("K", bound=Hashable)
MAX_TRACKED: Final = 50_000
PEER_PART: Final = 4
"""One peer's announcements take at most one part of the table in so many."""
MAX_SOURCES: Final = 8
SETTLED_S: Final = 60.0
"""An id that was accepted or refused is not requested again for this long."""
INVALID_PENALTY: Final = 25
"""Four invalid transactions in a row are a ban; a single one may result from a block that the peer had not seen."""


class _Wanted(Generic[K]):
    def __init__(self) -> None:
        self.sources: list[K] = []
        self.asked: K | None = None


class TransactionTracker(Generic[K]):
    """Holds the announced ids that are not here; K is the type that names peers. This class does no I/O."""

    def __init__(self, limit: int = MAX_TRACKED) -> None:
        self._limit = limit
        self._wanted: dict[TxId, _Wanted[K]] = {}
        self._queues: dict[K, deque[TxId]] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def announce(self, peer: K, id: TxId) -> None:
        """Note that `peer` has the transaction `id`."""
        wanted = self._wanted.get(id)
        if wanted is None:
            if not self._make_room(peer):
                return
            wanted = self._wanted[id] = _Wanted()
        if peer not in wanted.sources and len(wanted.sources) < MAX_SOURCES:
            wanted.sources.append(peer)
            self._queues.setdefault(peer, deque()).append(id)

    def _make_room(self, peer: K) -> bool:
        """Return True if `peer` may announce another id: in a full table, the peer with the most gives one way.

        Announcements cost nothing, so those of few peers must not keep out what others announce.
        """
        if len(self._queues.get(peer, ())) >= self._limit // PEER_PART:
            return False
        if len(self._wanted) < self._limit:
            return True
        busiest = max(self._queues, key=lambda each: len(self._queues[each]))
        if busiest == peer:
            return False
        queue = self._queues[busiest]
        while queue and len(self._wanted) >= self._limit:
            id = queue.pop()
            wanted = self._wanted.get(id)
            if wanted is not None and busiest in wanted.sources and wanted.asked != busiest:
                wanted.sources.remove(busiest)
                if not wanted.sources:
                    del self._wanted[id]
        return len(self._wanted) < self._limit

    def take(self, peer: K, count: int) -> list[TxId]:
        """Return at most `count` ids to request from `peer` now."""
        queue, taken, waiting = self._queues.get(peer), list[TxId](), list[TxId]()
        while queue and len(taken) < count:
            id = queue.popleft()
            wanted = self._wanted.get(id)
            if wanted is None or peer not in wanted.sources:
                continue
            if wanted.asked is not None:
                waiting.append(id)
                continue
            wanted.asked = peer
            taken.append(id)
        if queue is not None:
            queue.extend(waiting)
        return taken

    def settle(self, id: TxId) -> None:
        """Forget an id whose transaction arrived, accepted or not."""
        self._wanted.pop(id, None)

    def give_back(self, peer: K, ids: Iterable[TxId]) -> None:
        """Note that `peer` did not deliver: the next source is used, and an id without another source is forgotten."""
        for id in ids:
            wanted = self._wanted.get(id)
            if wanted is None or wanted.asked != peer:
                continue
            wanted.asked = None
            wanted.sources.remove(peer)
            if not wanted.sources:
                del self._wanted[id]

    def forget(self, peer: K) -> None:
        """Forget a peer whose link has ended."""
        for id in self._queues.pop(peer, ()):
            wanted = self._wanted.get(id)
            if wanted is not None and peer in wanted.sources and wanted.asked != peer:
                wanted.sources.remove(peer)
                if not wanted.sources:
                    del self._wanted[id]


class TransactionRelay:
    """Relays transactions for all peers."""

    def __init__(self, node: NodePort, limits: TimeLimits, clock: Clock, penalise: Penalise) -> None:
        self._node = node
        self._limits = limits
        self._clock = clock
        self._penalise = penalise
        self._tracker: TransactionTracker[Peer] = TransactionTracker()
        self._settled: ExpiringSet[TxId] = ExpiringSet(MAX_TRACKED)
        self._wakers: dict[Peer, asyncio.Event] = {}

    def on_announced(self, peer: Peer, ids: Iterable[bytes]) -> None:
        """Note the ids that a peer has in its pool."""
        now = self._clock.monotonic()
        announced = [TxId(raw) for raw in ids]
        self._node.result_holders.on_announced(peer, announced)
        for id in announced:
            peer.known_transactions.add(id)
            if not self._settled.has(id, now) and not self._node.mempool.has(id):
                self._tracker.announce(peer, id)
        self._wake(peer)

    def _wake(self, peer: Peer) -> None:
        event = self._wakers.get(peer)
        if event is not None:
            event.set()

    async def fetch_from(self, peer: Peer) -> None:
        """Request from one peer what it announced, for as long as it is connected.

        Raises:
            Misbehaviour: the peer sent something that was not requested.
        """
        event = self._wakers.setdefault(peer, asyncio.Event())
        try:
            while True:
                ids = self._tracker.take(peer, MAX_TX_IDS)
                if not ids:
                    event.clear()
                    await event.wait()
                    continue
                try:
                    await self._ask(peer, ids)
                except RequestFailed as error:
                    log.debug("no transactions from peer", peer=peer.name, code=error.code, count=len(ids))
                finally:
                    self._tracker.give_back(peer, ids)
                    for other in self._wakers.values():
                        other.set()
        finally:
            del self._wakers[peer]
            self._tracker.forget(peer)

    async def _ask(self, peer: Peer, ids: list[TxId]) -> None:
        """Request until all are here or an answer brings none; one answer may not hold all that the peer has."""
        left = dict.fromkeys(ids)
        while left and await self._ask_once(peer, left):
            pass

    async def _ask_once(self, peer: Peer, left: dict[TxId, None]) -> bool:
        """Request the rest; return True if a part of it arrived."""
        count = len(left)
        with peer.requests.open(Transactions) as pending:
            await peer.send_request(pending, GetTransactions(pending.request, tuple(left)), self._limits.transactions)
            reply = await pending.next(self._limits.transactions)
        if not isinstance(reply, Transactions):
            return False
        for tx in reply.transactions:
            id = compute_tx_id(tx)
            if id not in left:
                raise Misbehaviour("wrong-transaction", f"transaction {id.hex()} was not requested")
            del left[id]
            self._tracker.settle(id)
            self._settled.add(id, self._clock.monotonic() + SETTLED_S)
            await self._add(peer, id, tx)
        return len(left) < count

    async def _add(self, peer: Peer, id: TxId, tx: Transaction) -> None:
        try:
            await self._node.transactions.add(tx)
            peer.credit_transaction()
        except RuleViolation as error:
            fault = Misbehaviour(error.code, f"transaction {id.hex()}: {error.message}", INVALID_PENALTY)
            await self._penalise(peer, fault)
        except InosError as error:
            # The pool's policy refuses it, or it cannot be checked yet. Neither is the peer's fault, and it is not
            # relayed.
            log.debug("transaction not added", tx=id.hex(), code=error.code)
