"""The pool of transactions that wait for a block. It is policy and no rule: another node may keep other transactions.

Each account has a queue by nonce. Blocks are filled by fee per byte of room (see `room`), an account's nonces in order.
A full pool first drops transactions that cannot be executed now, even if they pay much, then the cheapest ones, from
the end of its account's queue, so that no gap arises. Transactions behind a gap take at most a sixteenth of the pool.
Transactions that waited for too many blocks are dropped too, since nothing else would remove those that can never be
valid again.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from msgspec import Struct

from inos.chain.accountqueue import RATE_UNIT, Waiting, get_cost
from inos.chain.room import compute_cost_room, compute_room
from inos.chain.waiting import WaitingSet
from inos.consensus.codes import Code
from inos.consensus.params import Params
from inos.consensus.state import StateView
from inos.primitives.blocks import Block
from inos.primitives.errors import InosError
from inos.primitives.transactions import ReportVoter, Transaction, get_sender
from inos.primitives.units import Address, Height, Nano, TxId

__all__ = ["REPLACEMENT_PERCENT", "Mempool", "MempoolLimits", "PoolRejected", "Refusal", "get_cost"]

REPLACEMENT_PERCENT: Final = 110
"""A replacement pays at least this percentage of the replaced transaction's fee."""
GAP_PART: Final = 16
"""Transactions behind gaps take at most one part in this many of a pool."""
HOPELESS: Final = frozenset(
    {
        Code.BAD_RESULT_SHAPE,
        Code.DEADLINE_PASSED,
        Code.JOB_NOT_CLAIMED,
        Code.JOB_NOT_DELIVERED,
        Code.JOB_NOT_OPEN,
        Code.NOT_A_JUROR,
        Code.NOT_THE_CLAIMER,
        Code.NOT_A_VOTER,
        Code.NOT_THE_POSTER,
        Code.ALREADY_A_VOTER,
        Code.ALREADY_COMMITTED,
        Code.ALREADY_JUDGED,
        Code.ALREADY_LEAVING,
        Code.ALREADY_REVEALED,
        Code.CLAIM_EXPIRED,
        Code.COMMIT_WINDOW_OVER,
        Code.KEY_ALREADY_USED,
        Code.UNKNOWN_JOB,
        Code.UNKNOWN_VOTER,
        Code.WRONG_JURY,
        Code.WRONG_OPENING,
    }
)
"""Refusals that waiting rarely changes; such a transaction leaves the pool, and its account's queue goes on."""
HOPE_BLOCKS: Final = 3
"""A hopeless transaction is kept for this many blocks, since the job that it names may still wait in the pool."""


class Refusal(Struct, frozen=True):
    """A transaction of the pool that a block could not take, and the code of the rule."""

    id: TxId
    code: str


class MempoolLimits(Struct, frozen=True, kw_only=True):
    """The limits of a pool, and the least that it asks for."""

    max_bytes: int = 32 << 20
    max_per_account: int = 256
    max_nonce_gap: int = 64
    """The number of nonces that an account may leave out before a transaction."""
    max_age_blocks: int = 2880
    """One day of blocks at 30 s."""
    min_fee_per_byte: int = 1
    """In nano."""
    typical_bytes: int = 500
    """The size that a fee estimate assumes: the largest payload, a posted job, takes about 450 bytes."""
    typical_cost_us: int = 2700
    """The cost that a fee estimate assumes, in microseconds of the reference core: that of a posted job."""


class PoolRejected(InosError):
    """This pool does not take the transaction now: "already-known", "fee-too-low", "nonce-too-old",
    "nonce-gap-too-large", "insufficient-balance", "replacement-fee-too-low", "account-limit", "gaps-full",
    "pool-full"."""


class Mempool:
    """The pool of one node. Transactions must have passed `check_transaction_sanity`.

    Changes belong to one thread. Other threads may call `has`, `get`, `list_ids`, `list_with_matrices`,
    `list_best_first`, `list_queue`, `next_nonce` and `select`, and read the properties. What `select` yields there may
    have left the pool meanwhile.
    """

    def __init__(self, params: Params, limits: MempoolLimits | None = None) -> None:
        self._params = params
        self.limits = limits or MempoolLimits()
        self._all = WaitingSet()
        self._height = Height(0)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def bytes_used(self) -> int:
        return self._all.bytes

    def has(self, tx: TxId) -> bool:
        return tx in self._all

    def get(self, tx: TxId) -> Transaction | None:
        waiting = self._all.get(tx)
        return None if waiting is None else waiting.tx

    def get_age(self, tx: TxId) -> int:
        """Return the number of blocks since the transaction came, or 0 if it is not in the pool."""
        waiting = self._all.get(tx)
        return 0 if waiting is None else max(0, self._height - waiting.height)

    def list_ids(self) -> list[TxId]:
        """Return all ids, in the order they came."""
        return [waiting.id for waiting in self._all.list_all()]

    def list_with_matrices(self) -> list[Transaction]:
        """Return the transactions that post a job or deliver a result, in the order they came."""
        return [waiting.tx for waiting in self._all.list_with_matrices()]

    def list_best_first(self) -> list[TxId]:
        """Return all ids, the best paid first. It takes some time in a full pool."""
        return [waiting.id for waiting in self._all.list_best_first()]

    def next_nonce(self, address: Address, state: StateView) -> int:
        """Return the nonce after the account's transactions on chain and those here that follow without a gap."""
        nonce, queue = state.get_account(address).nonce, self._all.get_queue(address)
        while nonce in queue:
            nonce += 1
        return nonce

    def list_queue(self, address: Address, first: int, end: int) -> list[Transaction] | None:
        """Return the account's transactions with nonces `first` ... `end` - 1, or None if one of them is not here."""
        queue = self._all.get_queue(address)
        found = [queue[nonce].tx for nonce in range(first, min(end, first + len(queue) + 1)) if nonce in queue]
        return found if len(found) == end - first else None

    def estimate_fee(self, size: int | None = None, cost_us: int = 0) -> Nano:
        """Return the fee in nano with which a transaction of `size` bytes gets into one of the next blocks.

        If less than a block waits, this is the least fee. Otherwise it is a tenth above the rate of the best
        transaction that the next block leaves out, times the room of the transaction or of a posted job, whichever is
        larger.

        Args:
            cost_us: its cost by the cost table, if that may be above the one of a posted job.
        """
        wanted = self.limits.typical_bytes if size is None else size
        least, filled = self.limits.min_fee_per_byte * wanted, 0
        if self._all.room > self._params.max_block_bytes:
            for waiting in self._all.list_best_first():
                filled += waiting.room
                if filled > self._params.max_block_bytes:
                    cost = max(cost_us, self.limits.typical_cost_us)
                    room = max(wanted, compute_cost_room(self._params, cost))
                    return Nano(max(least, -(-(waiting.rate[0] * 11 // 10) * room // RATE_UNIT)))
        return Nano(least)

    def add(self, tx: Transaction, state: StateView, height: Height) -> TxId:
        """Add a transaction; it replaces one of the same nonce that pays less.

        Args:
            state: the state at the tip.
            height: the height of the tip.

        Raises:
            PoolRejected: the pool does not take it, and stays as before.
        """
        self._height = height
        waiting = self._all.make(tx, height, compute_room(self._params, state, tx))
        if waiting.id in self._all:
            raise PoolRejected("already-known", f"transaction {waiting.id.hex()} is in the pool already")
        self._check_fee(waiting)
        account = state.get_account(waiting.sender)
        self._check_nonce(waiting, account.nonce)
        replaced = self._all.get_at(waiting.sender, tx.nonce)
        self._check_replacement(waiting, replaced)
        self._check_balance(waiting, account.balance)
        is_idle = self._all.is_behind_gap(waiting.sender, account.nonce, tx.nonce)
        for victim in self._choose_victims(waiting, replaced, is_idle=is_idle):
            self._all.remove(victim)
        self._all.insert(waiting, account.nonce)
        self._trim_gaps()
        return waiting.id

    def select(self, state: StateView) -> Iterator[Transaction]:
        """Yield transactions in the order in which a block should take them: by fee per byte of room, and each
        account's nonces in turn.

        Transactions that a block refused before come after all others, however much they pay: a fee that is never paid
        must not keep paying transactions waiting. A replacement of such a transaction takes its usual place.
        """
        ready = []
        for address in self._all.list_senders():
            first = self._all.get_at(address, state.get_account(address).nonce)
            if first is not None:
                ready.append((self._order(first), first))
        heapify(ready)
        while ready:
            _, best = heappop(ready)
            yield best.tx
            after = self._all.get_at(best.sender, best.tx.nonce + 1)
            if after is not None:
                heappush(ready, (self._order(after), after))

    def remove(self, tx: TxId) -> None:
        """Drop a transaction that can never be valid again; those after it wait for a new one in its place."""
        waiting = self._all.get(tx)
        if waiting is not None:
            self._all.remove(waiting)
            self._trim_gaps()

    def on_refused(self, refusals: Iterable[Refusal], state: StateView) -> None:
        """Drop what a block on `state` refused for good, put the other refused transactions last, and drop what their
        accounts cannot pay.
        """
        refused = list(refusals)
        for refusal in refused:
            if self._is_hopeless(refusal):
                self.remove(refusal.id)
        for refusal in refused:
            self._put_last(refusal.id, state)

    def _is_hopeless(self, refusal: Refusal) -> bool:
        is_old = self.get_age(refusal.id) >= HOPE_BLOCKS
        return refusal.code == Code.WRONG_RESULT or (refusal.code in HOPELESS and is_old)

    def _put_last(self, tx: TxId, state: StateView) -> None:
        waiting = self._all.get(tx)
        if waiting is None:
            return
        self._all.set_refused(tx)
        account, spent = state.get_account(waiting.sender), 0
        for nonce, queued in sorted(self._all.get_queue(waiting.sender).items()):
            spent += queued.cost if nonce >= account.nonce else 0
            if nonce < account.nonce or spent > account.balance:
                self._all.remove(queued)
        self._trim_gaps()

    def on_connected(self, block: Block) -> None:
        """Drop transactions that the block includes, that its nonces make stale, or that have waited for too long."""
        self._height = Height(block.header.height)
        if not len(self._all):
            return
        for sender, nonce in _list_last_nonces(block).items():
            self._all.pass_nonces(sender, nonce + 1)
        for expired in self._all.list_older_than(self._height - self.limits.max_age_blocks):
            self._all.remove(expired)
        self._drop_reports({tx.payload.key for tx in block.transactions if isinstance(tx.payload, ReportVoter)})
        self._trim_gaps()

    def on_disconnected(self, block: Block, state: StateView) -> None:
        """Add the transactions of an undone block again, within the limits. Another transaction with the same nonce
        stays instead.

        Args:
            state: the state at the tip, where at least this block is undone.
        """
        self._height = Height(max(0, block.header.height - 1))
        for tx in block.transactions:
            waiting = self._all.make(tx, self._height, compute_room(self._params, state, tx))
            self._all.follow(waiting.sender, tx.nonce)
            if waiting.id in self._all or self._all.get_at(waiting.sender, tx.nonce) is not None:
                continue
            self._all.insert(waiting, tx.nonce)
            queue = self._all.get_queue(waiting.sender)
            if len(queue) > self.limits.max_per_account:
                self._all.remove(queue[max(queue)])
        for sender, nonce in _list_first_nonces(block).items():
            self._all.follow(sender, nonce)
        for victim in self._all.choose_victims(self._all.bytes - self.limits.max_bytes):
            self._all.remove(victim)
        self._trim_gaps()

    def _drop_reports(self, keys: set[bytes]) -> None:
        """Drop all other reports against these voters: one is enough, and the others would block their accounts' queues
        for ever.
        """
        if keys:
            for waiting in self._all.list_best_first():
                if isinstance(waiting.tx.payload, ReportVoter) and waiting.tx.payload.key in keys:
                    self._all.remove(waiting)

    def _check_fee(self, waiting: Waiting) -> None:
        least = waiting.size * self.limits.min_fee_per_byte
        if waiting.tx.fee < least:
            raise PoolRejected(
                "fee-too-low",
                f"the fee of {waiting.tx.fee} nano is too low for {waiting.size} bytes",
                hint=f"this node takes it from {least} nano",
            )

    def _check_nonce(self, waiting: Waiting, expected: int) -> None:
        nonce = waiting.tx.nonce
        if nonce < expected:
            raise PoolRejected("nonce-too-old", f"nonce {nonce} is used already", hint=f"the next one is {expected}")
        if nonce > expected + self.limits.max_nonce_gap + self._all.count(waiting.sender):
            raise PoolRejected(
                "nonce-gap-too-large", f"nonce {nonce} is too far ahead", hint=f"the next one on chain is {expected}"
            )

    def _check_replacement(self, waiting: Waiting, replaced: Waiting | None) -> None:
        if replaced is None:
            if self._all.count(waiting.sender) >= self.limits.max_per_account:
                raise PoolRejected(
                    "account-limit", f"the account has {self.limits.max_per_account} transactions waiting already"
                )
            return
        least = max(-(-replaced.tx.fee * REPLACEMENT_PERCENT // 100), replaced.tx.fee + 1)
        if waiting.tx.fee < least:
            raise PoolRejected(
                "replacement-fee-too-low",
                f"another transaction with nonce {waiting.tx.nonce} waits and pays {replaced.tx.fee} nano",
                hint=f"replacing it takes a fee of at least {least} nano",
            )

    def _check_balance(self, waiting: Waiting, balance: int) -> None:
        """Check that the balance covers everything queued up to this nonce; what jobs pay back is not counted."""
        queued = self._all.compute_cost_below(waiting.sender, waiting.tx.nonce)
        if queued + waiting.cost > balance:
            raise PoolRejected(
                "insufficient-balance",
                f"the transaction needs {waiting.cost} nano and {queued} more are spent by those waiting before it, "
                f"but the account has {balance}",
            )

    @property
    def _most_gap_bytes(self) -> int:
        return self.limits.max_bytes // GAP_PART

    def _choose_victims(self, waiting: Waiting, replaced: Waiting | None, *, is_idle: bool) -> list[Waiting]:
        """Return the transactions that must go to make room, each with those that follow it in its account's queue.

        Args:
            is_idle: the new one would stand behind a gap.
        """
        more = waiting.size - (replaced.size if replaced else 0)
        gap_excess = self._all.gap_bytes + more - self._most_gap_bytes if is_idle else 0
        if gap_excess > 0:
            victims = self._all.choose_victims(gap_excess, for_one=waiting, is_idle=True, only_gaps=True)
            if not victims:
                raise PoolRejected(
                    "gaps-full",
                    "the pool's room for transactions whose nonces leave a gap is full",
                    hint="send the account's transactions with lower nonces first",
                )
            return victims
        excess = self._all.bytes + more - self.limits.max_bytes
        if excess <= 0:
            return []
        victims = self._all.choose_victims(excess, for_one=waiting, is_idle=is_idle)
        if not victims:
            raise PoolRejected("pool-full", "the pool is full of transactions that pay more", hint="raise the fee")
        return victims

    def _trim_gaps(self) -> None:
        """Drop transactions beyond the limit for those behind gaps, since a removal can put the rest of its queue
        behind a gap.
        """
        for victim in self._all.choose_victims(self._all.gap_bytes - self._most_gap_bytes, only_gaps=True):
            self._all.remove(victim)

    def _order(self, waiting: Waiting) -> tuple[bool, int, int]:
        rate, age = waiting.rate
        return self._all.is_refused(waiting.id), -rate, -age


def _list_first_nonces(block: Block) -> dict[Address, int]:
    """The lowest nonce of each sender; an account's transactions stand in a block in the order of their nonces."""
    return {get_sender(tx): tx.nonce for tx in reversed(block.transactions)}


def _list_last_nonces(block: Block) -> dict[Address, int]:
    """The highest nonce of each sender."""
    return {get_sender(tx): tx.nonce for tx in block.transactions}
