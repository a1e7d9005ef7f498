"""The transactions of a pool and the three ways to find them: by id, by account and nonce, by who pays least."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final, assert_never

from msgspec import Struct

from inos.primitives.codec import encode
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    Transaction,
    Transfer,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import Address, Height, TxId

RATE_UNIT: Final = 1_000_000
"""Rates are in millionths of a nano per byte."""
SLACK: Final = 64
Rate = tuple[int, int]


class Waiting(Struct, frozen=True):
    """A transaction in the pool."""

    id: TxId
    tx: Transaction
    sender: Address
    size: int
    arrival: int
    height: Height
    """Of the tip when it came."""

    @property
    def rate(self) -> Rate:
        """Fee per byte in millionths of a nano; of equals the older first."""
        return self.tx.fee * RATE_UNIT // self.size, -self.arrival

    @property
    def cost(self) -> int:
        """Nano it takes from its account at least; what it burns is not known before its block."""
        return self.tx.fee + get_cost(self.tx.payload)


class WaitingSet:
    """One writer; readers on other threads get copies made in one step."""

    def __init__(self) -> None:
        self._by_id: dict[TxId, Waiting] = {}
        """In the order they came."""
        self._queues: dict[Address, dict[int, Waiting]] = {}
        self._cheapest: list[tuple[Rate, TxId]] = []
        """A heap; what was removed meanwhile is still in it, and passed over when it comes up."""
        self._refused: set[TxId] = set()
        """What a block could not take in its turn."""
        self._bytes = 0
        self._arrivals = 0
        self._last_height = 0
        self._is_in_order = True
        """Whether whoever came later came at no lower tip: not so after a block was undone."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, tx: TxId) -> bool:
        return tx in self._by_id

    @property
    def bytes(self) -> int:
        return self._bytes

    def make(self, tx: Transaction, height: Height) -> Waiting:
        self._arrivals += 1
        return Waiting(compute_tx_id(tx), tx, get_sender(tx), len(encode(tx)), self._arrivals, height)

    def get(self, tx: TxId) -> Waiting | None:
        return self._by_id.get(tx)

    def get_queue(self, sender: Address) -> dict[int, Waiting]:
        """An account's transactions by nonce; a copy."""
        return dict(self._queues.get(sender, {}))

    def get_at(self, sender: Address, nonce: int) -> Waiting | None:
        return self._queues.get(sender, {}).get(nonce)

    def count(self, sender: Address) -> int:
        return len(self._queues.get(sender, {}))

    def list_senders(self) -> list[Address]:
        return list(self._queues)

    def list_best_first(self) -> list[Waiting]:
        return sorted(list(self._by_id.values()), key=lambda waiting: waiting.rate, reverse=True)

    def list_older_than(self, height: int) -> list[Waiting]:
        """Those that came when the tip was below `height`."""
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

    def is_refused(self, tx: TxId) -> bool:
        return tx in self._refused

    def insert(self, waiting: Waiting) -> None:
        """Take it in; what has the account's same nonce makes room."""
        replaced = self.get_at(waiting.sender, waiting.tx.nonce)
        if replaced is not None:
            self.remove(replaced)
        self._queues.setdefault(waiting.sender, {})[waiting.tx.nonce] = waiting
        self._by_id[waiting.id] = waiting
        self._bytes += waiting.size
        self._is_in_order = self._is_in_order and waiting.height >= self._last_height
        self._last_height = waiting.height
        heappush(self._cheapest, (waiting.rate, waiting.id))

    def remove(self, waiting: Waiting) -> None:
        del self._by_id[waiting.id]
        self._refused.discard(waiting.id)
        self._bytes -= waiting.size
        queue = self._queues[waiting.sender]
        del queue[waiting.tx.nonce]
        if not queue:
            del self._queues[waiting.sender]
        if not self._by_id:
            self._is_in_order = True
        if len(self._cheapest) > 2 * len(self._by_id) + SLACK:
            self._cheapest = [(each.rate, each.id) for each in self._by_id.values()]
            heapify(self._cheapest)

    def choose_victims(self, excess: int, *, below: Rate | None = None, spare: Address | None = None) -> list[Waiting]:
        """The cheapest, each with what follows it in its account's queue, until `excess` bytes are freed.

        Args:
            below: take none that pays as much. spare: take none of this account.

        Returns:
            Nothing where there is not enough to take; nothing is removed.
        """
        victims: dict[TxId, Waiting] = {}
        looked_at: list[tuple[Rate, TxId]] = []
        for rate, cheap in self._iterate_cheapest(looked_at):
            if excess <= 0 or (below is not None and rate >= below):
                break
            if cheap.sender == spare:
                continue
            for nonce, follower in self._queues[cheap.sender].items():
                if nonce >= cheap.tx.nonce and follower.id not in victims:
                    victims[follower.id] = follower
                    excess -= follower.size
        for each in looked_at:
            heappush(self._cheapest, each)
        return list(victims.values()) if excess <= 0 else []

    def _iterate_cheapest(self, looked_at: list[tuple[Rate, TxId]]) -> Iterator[tuple[Rate, Waiting]]:
        while self._cheapest:
            rate, tx_id = heappop(self._cheapest)
            waiting = self._by_id.get(tx_id)
            if waiting is None or waiting.rate != rate:
                continue
            looked_at.append((rate, tx_id))
            yield rate, waiting


def get_cost(payload: Payload) -> int:
    """Nano the payload takes at least, besides the fee."""
    match payload:
        case Transfer():
            return payload.amount
        case PostJob():
            return payload.reward
        case RegisterVoter():
            return payload.bond
        case (
            ClaimJob()
            | SubmitResult()
            | CancelJob()
            | Challenge()
            | UnbondVoter()
            | WithdrawBond()
            | ReportVoter()
            | Dispute()
            | JuryVote()
            | JuryReveal()
        ):
            return 0
        case _:
            assert_never(payload)
