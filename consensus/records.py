"""What the state tree holds: accounts, jobs, claims, queues, the market's one record, voters and finality.

A record lives under a state key, one byte of kind followed by its id; the tree hashes that
to H("state key", kind || id). Values are canonical encodings of the structs below.
A record equal to its empty value is not stored.

A queue is one record per job under kind || height u64 || job id, integers big-endian, so that the order of the keys is
the order in which the starts of blocks work them off. `height` is that of the first block that does so.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NewType, Protocol

from msgspec import Struct

from inos.primitives.matrices import U32, Hash32, MatrixRef
from inos.primitives.transactions import U64, AddressBytes, JobMode, Verdict
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
    """Queue: claims whose last height is over."""
    MARKET = 5
    DUE = 6
    """Queue: delivered results to be paid."""
    DEADLINE = 7
    """Queue: jobs whose deadline is over."""
    REMOVAL = 8
    """Queue: closed jobs that leave the state."""
    DISPUTE = 9
    JURY = 10
    """Queue: juries to be drawn or counted; never put off."""
    VOTER = 16
    VOTER_KEY = 17
    VOTER_COUNT = 18
    FINALITY = 19
    COMMITTEE = 20
    NETWORK_MINED = 21
    POT = 22


class Account(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One address: what it owns, what it has locked, and its reputation.

    `reputation` is in nano: what the jobs burned that the account settled. It is the value at height
    `reputation_height`, and halves lazily from there.
    """

    nonce: U64 = 0
    balance: U64 = 0
    bonded: U64 = 0
    reputation: U64 = 0
    reputation_height: U64 = 0
    open_claims: U32 = 0
    mined: U64 = 0
    """Subsidies, in nano, of the blocks the account found; the value at height `mined_height`, halved lazily too."""
    mined_height: U64 = 0


class JobState(IntEnum):
    OPEN = 0
    CLAIMED = 1
    SETTLED = 2
    CANCELLED = 3
    DELIVERED = 4
    """In mode optimistic: the result may still be challenged or disputed."""
    DISPUTED = 5
    """A jury decides about the delivered result."""
    UNDECIDED = 6
    """Closed: a jury came to no decision, and the reward was burned."""


CLOSED_STATES: Final = frozenset({JobState.SETTLED, JobState.CANCELLED, JobState.UNDECIDED})


class Job(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A posted product. A closed job stays for `job_retention` blocks, so that its result can be proven to anybody."""

    poster: AddressBytes
    x: MatrixRef
    w: MatrixRef
    reward: U64
    bond: U64
    claim_window: U32
    deadline: U64
    mode: JobMode
    posted_at: U64
    burned: U64
    """What posting it burned, all parts together."""
    state: JobState
    worker: AddressBytes | None
    """Who holds the claim, or who delivered."""
    y: MatrixRef | None
    closed_at: U64
    """Height of the block that settled, cancelled or gave up the job, 0 before."""


class Claim(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The one live claim on a job; `expires_at` is the last height at which its result can be delivered.

    Of a delivered job the claim holds the bond, and `expires_at` is the height from which it is paid.
    """

    worker: AddressBytes
    bond: U64
    claimed_at: U64
    expires_at: U64
    is_judged: bool = False
    """A jury has upheld the delivered result; it is not disputed again."""


class Juror(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A committee's member with its seats in one jury, and what it said."""

    address: AddressBytes
    key: BlsKey
    seats: U32
    commitment: Hash32 | None = None
    verdict: Verdict | None = None


class DisputeRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A disputed result: who staked what, and its jury once it is drawn. The jury's size bounds the record."""

    disputer: AddressBytes
    stake: U64
    """Nano locked by the disputer: the job's bond and the fee."""
    fee: U64
    """What the jury is paid in all."""
    opened_at: U64
    drawn_at: U64 = 0
    """Height at which the jury was drawn, 0 before."""
    jurors: tuple[Juror, ...] = ()


class Queued(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One job in a queue; its key says everything."""


class Market(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The chain's one record of supply."""

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
    """Height of its last RegisterVoter or UnbondVoter: changes are taken over into committees in this order."""
    is_leaving: bool = False
    leaves_at: U64 = 0
    """Height from which the bond can be withdrawn; 0 until a committee without the voter was chosen."""


class VoterKey(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Whose BLS key it is, or was: nobody else can ever register it."""

    owner: AddressBytes
    is_slashed: bool = False
    """Its owner cannot register it again either."""


class VoterCount(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How many voters there are, those that are leaving included until they withdraw."""

    count: U32 = 0


class NetworkMined(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The mined figures of all accounts together, halved on its own; less what slashed voters had."""

    mined: U64 = 0
    height: U64 = 0


class Pot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the blocks of one epoch put aside for those who vote on its checkpoint, in nano."""

    amount: U64 = 0


class Ballot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the committee may vote on for one epoch: the one link that leads to its checkpoint."""

    link: Link
    committee: Epoch
    """Epoch of the checkpoint whose state chose the committee."""


class Finality(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The chain's one record of checkpoints."""

    justified: Checkpoint
    finalized: Checkpoint
    ballots: tuple[Ballot, ...] = ()
    """Of the latest checkpoints, oldest first."""
    committees: tuple[Epoch, ...] = ()
    """Checkpoints whose committees are stored, oldest first."""


class Member(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A voter in a committee."""

    address: AddressBytes
    key: BlsKey
    weight: U64
    mined: U64
    """Its account's mined figure at the checkpoint."""


class Committee(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The heaviest voters at a checkpoint, heaviest first; of equals the lower address first."""

    members: tuple[Member, ...] = ()
    mined: U64 = 0
    """The network's mined figure at the checkpoint; 0 where there are no members."""


class StateReader(Protocol):
    """Read access to one block's state."""

    def get(self, key: StateKey) -> bytes | None:
        """Return the canonical bytes of the record under `key`, or None."""

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        """Yield the records whose keys begin with `prefix`, from the key `start` on, in the order of their keys.

        What is written while an iteration runs may or may not be seen by it.
        """


def account_key(address: Address) -> StateKey:
    return StateKey(bytes([Kind.ACCOUNT]) + address)


def job_key(job: JobId) -> StateKey:
    return StateKey(bytes([Kind.JOB]) + job)


def claim_key(job: JobId) -> StateKey:
    return StateKey(bytes([Kind.CLAIM]) + job)


def dispute_key(job: JobId) -> StateKey:
    return StateKey(bytes([Kind.DISPUTE]) + job)


def queue_key(kind: Kind, height: Height, job: JobId) -> StateKey:
    """Where a job stands in a queue: kind || height || job id."""
    return StateKey(bytes([kind]) + height.to_bytes(8, "big") + job)


def parse_queue_key(key: StateKey) -> tuple[Height, JobId]:
    """Height and job of a queue's record."""
    return Height(int.from_bytes(key[1:9], "big")), JobId(key[9:])


def voter_key(address: Address) -> StateKey:
    return StateKey(bytes([Kind.VOTER]) + address)


def bls_key_key(key: bytes) -> StateKey:
    """Where it says whose BLS key this is."""
    return StateKey(bytes([Kind.VOTER_KEY]) + key)


def pot_key(epoch: int) -> StateKey:
    return StateKey(bytes([Kind.POT]) + epoch.to_bytes(8, "big"))


def committee_key(epoch: int) -> StateKey:
    return StateKey(bytes([Kind.COMMITTEE]) + epoch.to_bytes(8, "big"))


MARKET_KEY: Final = StateKey(bytes([Kind.MARKET]))
VOTER_COUNT_KEY: Final = StateKey(bytes([Kind.VOTER_COUNT]))
NETWORK_MINED_KEY: Final = StateKey(bytes([Kind.NETWORK_MINED]))
FINALITY_KEY: Final = StateKey(bytes([Kind.FINALITY]))
