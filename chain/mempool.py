"""Transactions that wait for a block. Policy, never rules: another node may keep others.

Each account has a queue by nonce. Blocks are filled by fee per byte, an account's nonces in order;
a full pool drops the cheapest, from the end of its account's queue, so that no gap arises.
"""

from collections import defaultdict
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from msgspec import Struct

from consensus.params import Params
from consensus.state import StateView
from primitives.blocks import Block
from primitives.codec import encode
from primitives.errors import InosError
from primitives.transactions import (
    Payload,
    PostJob,
    Transaction,
    Transfer,
    compute_tx_id,
    get_sender,
)
from primitives.units import Address, Height, Nano, TxId

REPLACEMENT_PERCENT: Final = 110
"""A replacement pays at least this share of the replaced transaction's fee."""


class MempoolLimits(Struct, frozen=True, kw_only=True):
    """How much a pool keeps, and for how little."""

    max_bytes: int = 32 << 20
    max_per_account: int = 256
    max_nonce_gap: int = 64
    """Nonces an account may leave out before its next transaction on chain."""
    min_fee_per_byte: int = 1
    """Nano."""
    typical_bytes: int = 500
    """Size an estimate is made for: the largest payload, a posted job, takes about 450 bytes."""


class PoolRejected(InosError):
    """This pool does not take the transaction now: "already-known", "fee-too-low", "nonce-too-old",
    "nonce-gap-too-large", "insufficient-balance", "replacement-fee-too-low", "account-limit", "pool-full"."""


class Waiting(Struct, frozen=True):
    """A transaction in the pool."""

    id: TxId
    tx: Transaction
    sender: Address
    size: int
    arrival: int

    @property
    def rate(self) -> tuple[int, int]:
        """Fee per byte in millionths of a nano; of equals the older first."""
        return self.tx.fee * 1_000_000 // self.size, -self.arrival


class Mempool:
    """The pool of one node. Transactions must have passed `check_transaction_sanity`."""

    def __init__(self, params: Params, limits: MempoolLimits | None = None) -> None:
        self._params = params
        self._limits = limits or MempoolLimits()
        self._by_id: dict[TxId, Waiting] = {}
        self._queues: dict[Address, dict[int, Waiting]] = defaultdict(dict)
        self._bytes = 0
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def bytes_used(self) -> int:
        return self._bytes

    def has(self, tx: TxId) -> bool:
        return tx in self._by_id

    def get(self, tx: TxId) -> Transaction | None:
        waiting = self._by_id.get(tx)
        return None if waiting is None else waiting.tx

    def list_ids(self) -> list[TxId]:
        """All ids, the best paid first."""
        return [w.id for w in sorted(self._by_id.values(), key=lambda w: w.rate, reverse=True)]

    def next_nonce(self, address: Address, state: StateView) -> int:
        """The nonce after the account's transactions on chain and those here that follow without a gap."""
        nonce = state.get_account(address).nonce
        queue = self._queues.get(address, {})
        while nonce in queue:
            nonce += 1
        return nonce

    def estimate_fee(self, size: int | None = None) -> Nano:
        """Nano for a transaction of `size` bytes to be in one of the next blocks.

        Where less than a block waits it is the least fee; else a tenth above what the last of the best block pays.
        """
        wanted = self._limits.typical_bytes if size is None else size
        rate, filled = self._limits.min_fee_per_byte * 1_000_000, 0
        for waiting in sorted(self._by_id.values(), key=lambda w: w.rate, reverse=True):
            filled += waiting.size
            if filled > self._params.max_block_bytes:
                rate = max(rate, waiting.rate[0] * 11 // 10)
                break
        return Nano(-(-rate * wanted // 1_000_000))

    def add(self, tx: Transaction, state: StateView, height: Height) -> TxId:
        """Take a transaction, replacing one of the same nonce that pays less.

        Args:
            state: at the tip. height: of the tip.

        Raises:
            PoolRejected: with the reason; the pool is as before.
        """
        waiting = self._make_waiting(tx)
        if waiting.id in self._by_id:
            raise PoolRejected("already-known", f"transaction {waiting.id.hex()} is in the pool already")
        self._check_fee(waiting)
        self._check_nonce(waiting, state)
        replaced = self._queues[waiting.sender].get(tx.nonce) if waiting.sender in self._queues else None
        self._check_replacement(waiting, replaced)
        self._check_balance(waiting, replaced, state)
        victims = self._choose_victims(waiting, replaced)
        for victim in victims:
            self._remove(victim)
        self._insert(waiting)
        return waiting.id

    def select(self, state: StateView) -> Iterator[Transaction]:
        """Transactions in the order a block should take them: by fee per byte, each account's nonces in turn."""
        ready = []
        for address, queue in list(self._queues.items()):
            first = queue.get(state.get_account(address).nonce)
            if first is not None:
                ready.append((_order(first), first))
        heapify(ready)
        while ready:
            _, best = heappop(ready)
            yield best.tx
            after = self._queues.get(best.sender, {}).get(best.tx.nonce + 1)
            if after is not None:
                heappush(ready, (_order(after), after))

    def remove(self, tx: TxId) -> None:
        """Drop a transaction that can never be valid again; those after it wait for a new one in its place."""
        waiting = self._by_id.get(tx)
        if waiting is not None:
            self._remove(waiting)

    def on_connected(self, block: Block) -> None:
        """Drop what the block includes, and what its nonces made stale."""
        for tx in block.transactions:
            sender = get_sender(tx)
            for nonce in [n for n in self._queues.get(sender, {}) if n <= tx.nonce]:
                self._remove(self._queues[sender][nonce])

    def on_disconnected(self, block: Block) -> None:
        """Take back what was undone; another transaction that stands in its place stays."""
        for tx in block.transactions:
            waiting = self._make_waiting(tx)
            if waiting.id not in self._by_id and tx.nonce not in self._queues.get(waiting.sender, {}):
                self._insert(waiting)

    def _make_waiting(self, tx: Transaction) -> Waiting:
        self._arrivals += 1
        return Waiting(compute_tx_id(tx), tx, get_sender(tx), len(encode(tx)), self._arrivals)

    def _insert(self, waiting: Waiting) -> None:
        replaced = self._queues[waiting.sender].get(waiting.tx.nonce)
        if replaced is not None:
            self._remove(replaced)
        self._queues[waiting.sender][waiting.tx.nonce] = waiting
        self._by_id[waiting.id] = waiting
        self._bytes += waiting.size

    def _remove(self, waiting: Waiting) -> None:
        del self._by_id[waiting.id]
        self._bytes -= waiting.size
        queue = self._queues[waiting.sender]
        del queue[waiting.tx.nonce]
        if not queue:
            del self._queues[waiting.sender]

    def _check_fee(self, waiting: Waiting) -> None:
        least = waiting.size * self._limits.min_fee_per_byte
        if waiting.tx.fee < least:
            raise PoolRejected(
                "fee-too-low",
                f"the fee of {waiting.tx.fee} nano is too low for {waiting.size} bytes",
                hint=f"this node takes it from {least} nano",
            )

    def _check_nonce(self, waiting: Waiting, state: StateView) -> None:
        expected, nonce = state.get_account(waiting.sender).nonce, waiting.tx.nonce
        if nonce < expected:
            raise PoolRejected("nonce-too-old", f"nonce {nonce} is used already", hint=f"the next one is {expected}")
        if nonce > expected + self._limits.max_nonce_gap + len(self._queues.get(waiting.sender, {})):
            raise PoolRejected(
                "nonce-gap-too-large", f"nonce {nonce} is too far ahead", hint=f"the next one on chain is {expected}"
            )

    def _check_replacement(self, waiting: Waiting, replaced: Waiting | None) -> None:
        if replaced is None:
            if len(self._queues.get(waiting.sender, {})) >= self._limits.max_per_account:
                raise PoolRejected(
                    "account-limit", f"the account has {self._limits.max_per_account} transactions waiting already"
                )
            return
        least = -(-replaced.tx.fee * REPLACEMENT_PERCENT // 100)
        if waiting.tx.fee < max(least, replaced.tx.fee + 1):
            raise PoolRejected(
                "replacement-fee-too-low",
                f"another transaction with nonce {waiting.tx.nonce} waits and pays {replaced.tx.fee} nano",
                hint=f"replacing it takes a fee of at least {max(least, replaced.tx.fee + 1)} nano",
            )

    def _check_balance(self, waiting: Waiting, replaced: Waiting | None, state: StateView) -> None:
        """The balance must cover everything queued up to this nonce; what jobs pay back is not counted on."""
        queue = self._queues.get(waiting.sender, {})
        queued = sum(
            w.tx.fee + get_cost(w.tx.payload)
            for w in queue.values()
            if w is not replaced and w.tx.nonce < waiting.tx.nonce
        )
        needed = waiting.tx.fee + get_cost(waiting.tx.payload)
        balance = state.get_account(waiting.sender).balance
        if queued + needed > balance:
            raise PoolRejected(
                "insufficient-balance",
                f"the transaction needs {needed} nano and {queued} more are spent by those waiting before it, "
                f"but the account has {balance}",
            )

    def _choose_victims(self, waiting: Waiting, replaced: Waiting | None) -> list[Waiting]:
        """What has to go so that there is room: the cheapest, with what follows it in its account's queue."""
        excess = self._bytes + waiting.size - (replaced.size if replaced else 0) - self._limits.max_bytes
        victims: dict[TxId, Waiting] = {}
        for cheap in sorted(self._by_id.values(), key=lambda w: w.rate) if excess > 0 else ():
            if excess <= 0:
                break
            if cheap.rate >= waiting.rate or cheap.sender == waiting.sender:
                continue
            for follower in self._queues[cheap.sender].values():
                if follower.tx.nonce >= cheap.tx.nonce and follower.id not in victims:
                    victims[follower.id] = follower
                    excess -= follower.size
        if excess > 0:
            raise PoolRejected("pool-full", "the pool is full of transactions that pay more", hint="raise the fee")
        return list(victims.values())


def get_cost(payload: Payload) -> int:
    """Nano the payload takes at least, besides the fee; what it burns is not known before its block."""
    match payload:
        case Transfer():
            return payload.amount
        case PostJob():
            return payload.reward
        case _:
            return 0


def _order(waiting: Waiting) -> tuple[int, int]:
    rate, age = waiting.rate
    return -rate, -age
