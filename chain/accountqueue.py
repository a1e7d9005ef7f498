"""The transactions of one account that wait in a pool, by nonce."""

from typing import Final, assert_never

from msgspec import Struct

from inos.primitives.payments import compute_total
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    WithdrawBond,
)
from inos.primitives.units import Address, Height, TxId

RATE_UNIT: Final = 1_000_000
"""Rates are in millionths of a nano per byte of room."""
Rate = tuple[int, int]


class Waiting(Struct, frozen=True):
    """A transaction in the pool."""

    id: TxId
    tx: Transaction
    sender: Address
    size: int
    room: int
    """The room it takes in bytes of a block: its own size, or its share of a block's limits on cost and matrices if
    that is more.
    """
    arrival: int
    height: Height
    """The height of the tip when the transaction came."""

    @property
    def rate(self) -> Rate:
        """Fee per byte of room in millionths of a nano; of two equal rates, the older transaction's is higher."""
        return self.tx.fee * RATE_UNIT // self.room, -self.arrival

    @property
    def cost(self) -> int:
        """The least amount in nano that it takes from its account; what it burns is known only in its block."""
        return self.tx.fee + get_cost(self.tx.payload)


class AccountQueue:
    """The queue has one writer. It knows what it costs, and how far it can be executed, without looking at each."""

    def __init__(self, first: int) -> None:
        self.by_nonce: dict[int, Waiting] = {}
        self.first = first
        """The nonce that the account has on chain, as last reported."""
        self.end = first
        """The first nonce from `first` on that is not here, as `find_end` and `extend` last found it."""
        self._cost = 0
        self._last = -1
        """No transaction that is here has a higher nonce."""

    def __len__(self) -> int:
        return len(self.by_nonce)

    def insert(self, waiting: Waiting) -> None:
        """Insert a transaction with a nonce that is not here."""
        self.by_nonce[waiting.tx.nonce] = waiting
        self._cost += waiting.cost
        self._last = max(self._last, waiting.tx.nonce)

    def remove(self, waiting: Waiting) -> None:
        del self.by_nonce[waiting.tx.nonce]
        self._cost -= waiting.cost

    def compute_cost_below(self, nonce: int) -> int:
        """Return what the transactions with lower nonces take from the account."""
        if nonce > self._last:
            return self._cost
        return sum(each.cost for other, each in self.by_nonce.items() if other < nonce)

    def is_ready(self, nonce: int) -> bool:
        """Return True if no nonce is missing before this one."""
        return self.first <= nonce < self.end

    def extend(self) -> list[Waiting]:
        """Move `end` over the transactions that follow it; return them."""
        passed: list[Waiting] = []
        while (waiting := self.by_nonce.get(self.end)) is not None:
            passed.append(waiting)
            self.end += 1
        return passed

    def find_end(self) -> None:
        """Find `end` anew, since `first` has changed or transactions were removed."""
        self.end = self.first
        self.extend()


def get_cost(payload: Payload) -> int:
    """Return the least amount in nano that the payload takes, besides the fee."""
    match payload:
        case Transfer():
            return payload.amount
        case TransferMany():
            return compute_total(payload.payments)
        case PostJob() | PostTask():
            return payload.reward
        case RegisterVoter():
            return payload.bond
        case (
            ClaimJob()
            | SubmitResult()
            | SubmitOutcome()
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
