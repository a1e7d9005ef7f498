"""The records of the state tree: accounts, jobs, claims, queues, the market, voters and finality.

A record lives under a state key, one byte of kind followed by its id, which the tree hashes to H("state key", kind ||
id). Values are canonical encodings of the structs below. A record that equals its empty value is not stored.

A queue is one record per job under kind || height u64 || job id, with big-endian integers, so that the starts of blocks
process the jobs in the order of the keys. `height` is that of the first block that may do so.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NewType, Protocol, Self

import msgspec
from msgspec import Struct

from inos.primitives.matrices import U32, Hash32, MatrixRef, compute_tickets
from inos.primitives.transactions import U64, AddressBytes, JobMode, MeshIds, TaskKind, Verdict
from inos.primitives.units import Address, Height, JobId
from inos.primitives.votes import BlsKey, Checkpoint, Epoch, Link

StateKey = NewType("StateKey", bytes)
"""kind u8 || id."""

MAX_RECORD_BYTES: Final = 1 << 20


class Kind(IntEnum):
    """First byte of a state key."""

    ACCOUNT = 1
    JOB = 2
    CLAIM = 3
    LAPSE = 4
    """A queue of claims whose last height has passed."""
    MARKET = 5
    DUE = 6
    """A queue of delivered results that are to be paid."""
    DEADLINE = 7
    """A queue of jobs whose deadline has passed."""
    REMOVAL = 8
    """A queue of closed jobs that leave the state."""
    DISPUTE = 9
    JURY = 10
    """A queue of juries that are to be drawn or counted; it is never put off."""
    VOTER = 16
    VOTER_KEY = 17
    VOTER_COUNT = 18
    FINALITY = 19
    COMMITTEE = 20
    NETWORK_MINED = 21
    POT = 22


ACCOUNT_PREFIX: Final = bytes([Kind.ACCOUNT])


class Account(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The nano that one address owns and has locked, and its reputation.

    `reputation` is what the jobs that the account settled had burned, in nano. It is the value at height
    `reputation_height`, and is halved only when it is read or changed.
    """

    nonce: U64 = 0
    balance: U64 = 0
    bonded: U64 = 0
    reputation: U64 = 0
    reputation_height: U64 = 0
    open_claims: U32 = 0
    mined: U64 = 0
    """Subsidies, in nano, of the blocks that the account found, at height `mined_height`; halved when it is read or
    changed.
    """
    mined_height: U64 = 0


class JobState(IntEnum):
    OPEN = 0
    CLAIMED = 1
    SETTLED = 2
    CANCELLED = 3
    DELIVERED = 4
    """Mode optimistic only: the result may still be challenged or disputed."""
    DISPUTED = 5
    """A jury decides about the delivered result."""
    UNDECIDED = 6
    """The job is closed: a jury came to no decision, and the reward was burned."""


CLOSED_STATES: Final = frozenset({JobState.SETTLED, JobState.CANCELLED, JobState.UNDECIDED})


class ProductWork(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """The product X * W^T, with its result Y once it is delivered."""

    x: MatrixRef
    w: MatrixRef
    mode: JobMode
    y: MatrixRef | None = None

    @property
    def is_delivered(self) -> bool:
        return self.y is not None

    @property
    def tickets(self) -> int:
        return compute_tickets(self.x.rows, self.w.rows, self.x.cols)

    def without_result(self) -> Self:
        return msgspec.structs.replace(self, y=None)


class TaskWork(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """A whole computation, with the mesh ids of its outputs once they are delivered."""

    kind: TaskKind
    spec: Hash32
    inputs: MeshIds
    tickets: U64
    units: U64
    outputs: MeshIds | None = None

    @property
    def is_delivered(self) -> bool:
        return self.outputs is not None

    def without_result(self) -> Self:
        return msgspec.structs.replace(self, outputs=None)


class Job(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A posted product or task. A closed job stays for `job_retention` blocks, so that its result can be proven."""

    poster: AddressBytes
    work: ProductWork | TaskWork
    reward: U64
    bond: U64
    claim_window: U32
    deadline: U64
    posted_at: U64
    burned: U64
    """What posting the job burned, all parts together."""
    state: JobState
    worker: AddressBytes | None
    """The account that holds the claim, or that delivered."""
    closed_at: U64
    """Height of the block that closed the job, 0 before."""

    @property
    def mode(self) -> JobMode:
        """Return how the result is checked; tasks are always optimistic."""
        return self.work.mode if isinstance(self.work, ProductWork) else JobMode.OPTIMISTIC


class Claim(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The one open claim on a job; `expires_at` is the last height at which its result can be delivered.

    For a delivered job, the claim holds the bond, and `expires_at` is the height from which the result is paid.
    """

    worker: AddressBytes
    bond: U64
    claimed_at: U64
    expires_at: U64
    is_judged: bool = False
    """A jury has upheld the delivered result, so it cannot be disputed again."""


class Juror(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A committee member with its seats in one jury, and its verdict."""

    address: AddressBytes
    key: BlsKey
    seats: U32
    commitment: Hash32 | None = None
    verdict: Verdict | None = None


class DisputeRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A disputed result with the stake, and with its jury once it is drawn. The jury's size limits the size of the
    record.
    """

    disputer: AddressBytes
    stake: U64
    """Nano locked by the disputer: the job's bond and the fee."""
    fee: U64
    """What the jury is paid in all, in nano."""
    opened_at: U64
    drawn_at: U64 = 0
    """Height at which the jury was drawn, 0 before."""
    jurors: tuple[Juror, ...] = ()


class Queued(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One job in a queue; the key contains all data."""


class Market(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The chain's single record of supply."""

    minted: U64
    """Everything minted since genesis, allocations included."""
    burned: U64
    escrowed: U64
    """Rewards held for jobs that are not closed yet."""


class Voter(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A voter with its bond, which is part of the account's `bonded` too."""

    key: BlsKey
    bond: U64
    changed_at: U64
    """Height of its last RegisterVoter or UnbondVoter transaction; committees take changes over in this order."""
    is_leaving: bool = False
    leaves_at: U64 = 0
    """Height from which the bond can be withdrawn; 0 until a committee without the voter was chosen."""


class VoterKey(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The owner of a BLS key, present or past: no other account can ever register it."""

    owner: AddressBytes
    is_slashed: bool = False
    """The owner cannot register it again either."""


class VoterCount(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The number of voters, including those that are leaving, until they withdraw."""

    count: U32 = 0


class NetworkMined(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The mined figures of all accounts together, halved separately, less those of slashed voters."""

    mined: U64 = 0
    height: U64 = 0


class Pot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The nano that the blocks of one epoch put aside for those who vote on its checkpoint."""

    amount: U64 = 0


class Ballot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The one link on which the committee may vote for one epoch, which leads to its checkpoint."""

    link: Link
    committee: Epoch
    """The epoch of the checkpoint whose state chose the committee."""


class Finality(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The chain's single record of checkpoints."""

    justified: Checkpoint
    finalized: Checkpoint
    ballots: tuple[Ballot, ...] = ()
    """Ballots of the latest checkpoints, oldest first."""
    committees: tuple[Epoch, ...] = ()
    """Epochs of the checkpoints whose committees are stored, oldest first."""


class Member(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A voter in a committee."""

    address: AddressBytes
    key: BlsKey
    weight: U64
    mined: U64
    """Mined figure of the member's account at the checkpoint."""


class Committee(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The heaviest voters at a checkpoint, heaviest first; among equals the lower address comes first."""

    members: tuple[Member, ...] = ()
    mined: U64 = 0
    """Mined figure of the network at the checkpoint; 0 if there are no members."""


class StateReader(Protocol):
    """Read access to one block's state."""

    def get(self, key: StateKey) -> bytes | None:
        """Return the canonical bytes of the record under `key`, or None."""

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        """Yield the records whose keys begin with `prefix`, from the key `start` on, in the order of their keys.

        Records that are written during an iteration may or may not appear in it.
        """


def account_key(address: Address) -> StateKey:
    return StateKey(ACCOUNT_PREFIX + address)


def job_key(job: JobId) -> StateKey:
    return StateKey(bytes([Kind.JOB]) + job)


def claim_key(job: JobId) -> StateKey:
    return StateKey(bytes([Kind.CLAIM]) + job)


def dispute_key(job: JobId) -> StateKey:
    return StateKey(bytes([Kind.DISPUTE]) + job)


def queue_key(kind: Kind, height: Height, job: JobId) -> StateKey:
    """Return the key of a job in a queue: kind || height || job id."""
    return StateKey(bytes([kind]) + height.to_bytes(8, "big") + job)


def parse_queue_key(key: StateKey) -> tuple[Height, JobId]:
    """Return height and job of a queue's key."""
    return Height(int.from_bytes(key[1:9], "big")), JobId(key[9:])


def voter_key(address: Address) -> StateKey:
    return StateKey(bytes([Kind.VOTER]) + address)


def bls_key_key(key: bytes) -> StateKey:
    """Return the key of the record that names the owner of a BLS key."""
    return StateKey(bytes([Kind.VOTER_KEY]) + key)


def pot_key(epoch: int) -> StateKey:
    return StateKey(bytes([Kind.POT]) + epoch.to_bytes(8, "big"))


def committee_key(epoch: int) -> StateKey:
    return StateKey(bytes([Kind.COMMITTEE]) + epoch.to_bytes(8, "big"))


MARKET_KEY: Final = StateKey(bytes([Kind.MARKET]))
VOTER_COUNT_KEY: Final = StateKey(bytes([Kind.VOTER_COUNT]))
NETWORK_MINED_KEY: Final = StateKey(bytes([Kind.NETWORK_MINED]))
FINALITY_KEY: Final = StateKey(bytes([Kind.FINALITY]))
