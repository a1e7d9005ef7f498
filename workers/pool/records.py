"""What the pool stores, and under which keys.

| key | value |
|---|---|
| a | Head: version, network, counters and sums of all that follows |
| b + bucket u64 + address | BucketRecord: tickets of an address in a bucket of the window |
| c + address | Member: an address with shares or income |
| d + number u64 | Income: a block that the pool found, or a job that it was paid for |
| e + number u64 | Payout: a TransferMany of the pool |
| f + job + address | Pieces: tickets of a paid job that an address delivered |
| g + address + identity | PieceRecord: see inos.workers.pool.fairness |

Integers in keys are big-endian; values are in the project's canonical encoding.
"""

from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.primitives.matrices import U32, Hash32
from inos.primitives.transactions import U64, AddressBytes
from inos.primitives.units import Address, JobId

VERSION: Final = 2
HEAD: Final = b"a"
BUCKET: Final = b"b"
MEMBER: Final = b"c"
INCOME: Final = b"d"
PAYOUT: Final = b"e"
PIECES: Final = b"f"
NOISE: Final = b"g"
MAX_RECORD_BYTES: Final = 1 << 24

Signed = Annotated[int, Meta(ge=-(2**63))]


class Record(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The base class of all records."""


class Head(Record, frozen=True):
    """One record with counters and sums; the sums must be those of the other records."""

    version: U32
    genesis: Hash32
    address: AddressBytes
    """The account that pays."""
    incomes: U64 = 0
    """How many incomes there were; also the next one's number."""
    payouts: U64 = 0
    shares: U64 = 0
    """The shares of all members. Those of a member that is forgotten are taken off."""
    tickets: U64 = 0
    """The tickets of all members."""
    earned: Signed = 0
    """What all members earned, in nano."""
    kept: Signed = 0
    """What the pool kept: fees, and what divisions left over."""
    round_tickets: U64 = 0
    """Tickets since the last block that the pool found."""
    scanned_height: U64 = 0
    scanned: Hash32 = bytes(32)
    """The newest block that was searched for income; zeros before the first one."""


class BucketRecord(Record, frozen=True):
    began_ms: U64
    tickets: U64


class Member(Record, frozen=True):
    """One address: earned = paid + pending + what it is owed."""

    shares: U64 = 0
    tickets: U64 = 0
    earned: Signed = 0
    pending: U64 = 0
    """Nano in a payout that is not settled yet."""
    paid: U64 = 0
    """Nano in settled payouts, with their fees."""
    first_ms: U64 = 0
    last_ms: U64 = 0

    @property
    def owed(self) -> int:
        """What can be paid out; below zero if paid income was undone by a reorganisation."""
        return self.earned - self.pending - self.paid


class IncomeState(IntEnum):
    """Where an income is on its way."""

    YOUNG = 0
    """Its block may still be undone; nobody has earned it."""
    EARNED = 1
    UNDONE = 2
    """Its block is not on the best chain."""


class Income(Record, frozen=True):
    """A block's subsidy and fees, or a job's reward."""

    block: Hash32
    """The block that paid."""
    height: U64
    at_ms: U64
    job: Hash32 | None
    amount: U64
    fee_ppm: U32
    difficulty: U64
    """Of a block: the tickets that a block takes on average."""
    round_tickets: U64
    """Of a block: the tickets since the pool's block before."""
    of: U64
    """The tickets that the amount is divided by."""
    parts: bytes
    """Tickets by address: see inos.workers.pool.split.pack_parts."""
    state: IncomeState = IncomeState.YOUNG


class PayoutState(IntEnum):
    """Where a payout is on its way."""

    SENT = 0
    SETTLED = 1
    """Its transaction is in a block that will not be undone."""
    VOID = 2
    """Another transaction took its nonce; the amounts are owed again."""


class Payout(Record, frozen=True):
    """One TransferMany."""

    tx: bytes
    """The signed transaction."""
    id: Hash32
    nonce: U64
    fee: U64
    at_ms: U64
    parts: bytes
    """What each receiver is charged, its part of the fee included."""
    height: U64
    """The height of the chain when it was made."""
    state: PayoutState = PayoutState.SENT


class Pieces(Record, frozen=True):
    tickets: U64
    at_ms: U64


def bucket_key(number: int, address: Address) -> bytes:
    return BUCKET + number.to_bytes(8, "big") + address


def member_key(address: Address) -> bytes:
    return MEMBER + address


def income_key(number: int) -> bytes:
    return INCOME + number.to_bytes(8, "big")


def payout_key(number: int) -> bytes:
    return PAYOUT + number.to_bytes(8, "big")


def pieces_key(job: JobId, address: Address) -> bytes:
    return PIECES + job + address


def noise_key(address: Address, identity: bytes) -> bytes:
    return NOISE + address + identity
