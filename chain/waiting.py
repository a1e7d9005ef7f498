"""The transactions of a pool, found by id, by account and nonce, or by the order in which they are dropped.

A transaction is idle while no block can take it: it stands behind a gap in its account's nonces, or a block refused it
in its turn. When room is needed, idle transactions are dropped first, even if they pay much.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from inos.chain.accountqueue import AccountQueue, Rate, Waiting
from inos.primitives.codec import encode
from inos.primitives.transactions import (
    PostJob,
    PostTask,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import Address, Height, TxId

SLACK: Final = 64


class WaitingSet:
    """The set has one writer. Readers on other threads get copies that are made in one step."""

    def __init__(self) -> None:
        self._by_id: dict[TxId, Waiting] = {}
        self._with_matrices: dict[TxId, Waiting] = {}
        """The transactions in the order in which they came."""
        self._queues: dict[Address, AccountQueue] = {}
        self._cheapest: list[tuple[Rate, TxId]] = []
        """A heap; removed transactions stay in it and are passed over when they come up."""
        self._refused: set[TxId] = set()
        """Transactions that a block refused in their turn."""
        self._gapped: set[TxId] = set()
        """Transactions behind a gap."""
        self._gap_bytes = 0
        self._cheapest_idle: list[tuple[Rate, TxId]] = []
        """A heap like `_cheapest`; transactions that are not idle any more are passed over."""
        self._bytes = self._room = 0
        self._arrivals = 0
        self._last_height = 0
        self._is_in_order = True
        """True if no transaction came at a lower tip than one before it, which can happen after a block was undone."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, tx: TxId) -> bool:
        return tx in self._by_id

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def room(self) -> int:
        """The room of all transactions together."""
        return self._room

    @property
    def gap_bytes(self) -> int:
        """The bytes of the transactions behind gaps."""
        return self._gap_bytes

    def make(self, tx: Transaction, height: Height, room: int) -> Waiting:
        self._arrivals += 1
        size = len(encode(tx))
        return Waiting(compute_tx_id(tx), tx, get_sender(tx), size, max(size, room), self._arrivals, height)

    def get(self, tx: TxId) -> Waiting | None:
        return self._by_id.get(tx)

    def get_queue(self, sender: Address) -> dict[int, Waiting]:
        """Return a copy of an account's transactions by nonce."""
        queue = self._queues.get(sender)
        return {} if queue is None else dict(queue.by_nonce)

    def get_at(self, sender: Address, nonce: int) -> Waiting | None:
        queue = self._queues.get(sender)
        return None if queue is None else queue.by_nonce.get(nonce)

    def count(self, sender: Address) -> int:
        return len(self._queues.get(sender, ()))

    def compute_cost_below(self, sender: Address, nonce: int) -> int:
        """Return what an account's transactions with lower nonces take from it."""
        queue = self._queues.get(sender)
        return 0 if queue is None else queue.compute_cost_below(nonce)

    def list_all(self) -> list[Waiting]:
        """Return all, in the order they came."""
        return list(self._by_id.values())

    def list_with_matrices(self) -> list[Waiting]:
        """Return those that post a job or deliver a result, in the order they came."""
        return list(self._with_matrices.values())

    def list_senders(self) -> list[Address]:
        return list(self._queues)

    def list_best_first(self) -> list[Waiting]:
        return sorted(list(self._by_id.values()), key=lambda waiting: waiting.rate, reverse=True)

    def list_older_than(self, height: int) -> list[Waiting]:
        """Return the transactions that came when the tip was below `height`."""
        found = []
        for waiting in self._by_id.values():
            if waiting.height < height:
                found.append(waiting)
            elif self._is_in_order:
                break
        return found

    def set_refused(self, tx: TxId) -> None:
        if tx in self._by_id:
            self._refused.add(tx)
            self._push_idle(self._by_id[tx])

    def is_refused(self, tx: TxId) -> bool:
        return tx in self._refused

    def is_behind_gap(self, sender: Address, first: int, nonce: int) -> bool:
        """Return True if a transaction with this nonce would wait for others that are not here.

        Args:
            first: the account's nonce on chain.
        """
        queue = self._queues.get(sender)
        if queue is None:
            return first < nonce
        if queue.first == first:
            return queue.end < nonce
        return any(each not in queue.by_nonce for each in range(first, nonce))

    def follow(self, sender: Address, first: int) -> None:
        """Note that the account's nonce on chain is `first` now."""
        queue = self._queues.get(sender)
        if queue is not None:
            queue.first = first
            self._find_gaps(queue)

    def insert(self, waiting: Waiting, first: int) -> None:
        """Insert a transaction; one of the same account and nonce is removed.

        Args:
            first: the account's nonce on chain.
        """
        replaced = self.get_at(waiting.sender, waiting.tx.nonce)
        if replaced is not None:
            self.remove(replaced)
        queue = self._queues.get(waiting.sender)
        if queue is None:
            queue = self._queues[waiting.sender] = AccountQueue(first)
        queue.insert(waiting)
        self._by_id[waiting.id] = waiting
        if isinstance(waiting.tx.payload, PostJob | SubmitResult | PostTask | SubmitOutcome):
            self._with_matrices[waiting.id] = waiting
        self._bytes += waiting.size
        self._room += waiting.room
        self._is_in_order = self._is_in_order and waiting.height >= self._last_height
        self._last_height = waiting.height
        heappush(self._cheapest, (waiting.rate, waiting.id))
        if queue.first != first:
            self.follow(waiting.sender, first)
        else:
            self._set_gapped(waiting, is_gapped=waiting.tx.nonce != queue.end)
            for passed in queue.extend():
                self._set_gapped(passed, is_gapped=False)

    def pass_nonces(self, sender: Address, first: int) -> None:
        """The account's nonce on chain is `first` now; what has a lower one goes."""
        for nonce, waiting in self.get_queue(sender).items():
            if nonce < first:
                self._forget(waiting)
        self.follow(sender, first)
        self._trim_heap()

    def remove(self, waiting: Waiting) -> None:
        self._forget(waiting)
        queue = self._queues.get(waiting.sender)
        if queue is not None:
            self._find_gaps(queue)
        self._trim_heap()

    def _forget(self, waiting: Waiting) -> None:
        """Take it out; the gaps in its account's queue are looked for afterwards."""
        del self._by_id[waiting.id]
        self._with_matrices.pop(waiting.id, None)
        self._refused.discard(waiting.id)
        self._bytes -= waiting.size
        self._room -= waiting.room
        self._set_gapped(waiting, is_gapped=False)
        queue = self._queues[waiting.sender]
        queue.remove(waiting)
        if not queue:
            del self._queues[waiting.sender]
        if not self._by_id:
            self._is_in_order = True

    def _trim_heap(self) -> None:
        if len(self._cheapest) > 2 * len(self._by_id) + SLACK:
            self._cheapest = [(each.rate, each.id) for each in self._by_id.values()]
            heapify(self._cheapest)

    def choose_victims(
        self, excess: int, *, for_one: Waiting | None = None, is_idle: bool = False, only_gaps: bool = False
    ) -> list[Waiting]:
        """Return what to drop so that `excess` bytes become free: idle transactions, then others, the cheapest first,
        each with those that follow it in its queue.

        Args:
            for_one: the transaction that needs the room; no other transaction of its account is dropped for it.
            is_idle: that transaction would be idle itself, so only idle ones that pay less are dropped for it.
            only_gaps: room is needed among the transactions behind gaps.

        Returns:
            The transactions, none of which is removed here; empty if dropping all of them would not free enough.
        """
        if excess <= 0:
            return []
        victims: dict[TxId, Waiting] = {}
        rate = None if for_one is None else for_one.rate
        excess = self._gather(victims, excess, self._cheapest_idle, rate if is_idle else None, for_one, only_gaps)
        if not is_idle and not only_gaps:
            excess = self._gather(victims, excess, self._cheapest, rate, for_one, False)
        return list(victims.values()) if excess <= 0 else []

    def _gather(
        self,
        victims: dict[TxId, Waiting],
        excess: int,
        heap: list[tuple[Rate, TxId]],
        below: Rate | None,
        for_one: Waiting | None,
        only_gaps: bool,
    ) -> int:
        """Add to the victims from one heap, and return how many bytes are still to be freed."""
        looked_at: list[tuple[Rate, TxId]] = []
        for rate, cheap in self._iterate_cheapest(heap, looked_at):
            if excess <= 0 or (below is not None and rate >= below):
                break
            if (for_one is not None and cheap.sender == for_one.sender) or (only_gaps and cheap.id not in self._gapped):
                continue
            for nonce, follower in self._queues[cheap.sender].by_nonce.items():
                if nonce >= cheap.tx.nonce and follower.id not in victims:
                    victims[follower.id] = follower
                    excess -= follower.size
        for each in looked_at:
            heappush(heap, each)
        return excess

    def _iterate_cheapest(
        self, heap: list[tuple[Rate, TxId]], looked_at: list[tuple[Rate, TxId]]
    ) -> Iterator[tuple[Rate, Waiting]]:
        seen: set[TxId] = set()
        while heap:
            rate, tx_id = heappop(heap)
            waiting = self._by_id.get(tx_id)
            is_gone = waiting is None or waiting.rate != rate or tx_id in seen
            if waiting is None or is_gone or (heap is self._cheapest_idle and not self._is_idle(tx_id)):
                continue
            seen.add(tx_id)
            looked_at.append((rate, tx_id))
            yield rate, waiting

    def _is_idle(self, tx: TxId) -> bool:
        return tx in self._gapped or tx in self._refused

    def _push_idle(self, waiting: Waiting) -> None:
        heappush(self._cheapest_idle, (waiting.rate, waiting.id))
        if len(self._cheapest_idle) > 2 * len(self._by_id) + SLACK:
            self._cheapest_idle = [(each.rate, each.id) for each in self._by_id.values() if self._is_idle(each.id)]
            heapify(self._cheapest_idle)

    def _find_gaps(self, queue: AccountQueue) -> None:
        """Determine which of an account's transactions stand behind a gap."""
        queue.find_end()
        for nonce, waiting in queue.by_nonce.items():
            self._set_gapped(waiting, is_gapped=not queue.is_ready(nonce))

    def _set_gapped(self, waiting: Waiting, *, is_gapped: bool) -> None:
        if is_gapped == (waiting.id in self._gapped):
            return
        self._gap_bytes += waiting.size if is_gapped else -waiting.size
        if is_gapped:
            self._gapped.add(waiting.id)
            self._push_idle(waiting)
        else:
            self._gapped.discard(waiting.id)
