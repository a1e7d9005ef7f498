"""The typed state of one block: reading it, and drafting changes that may still be dropped."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from msgspec import Struct

from inos.consensus.params import Params
from inos.consensus.records import (
    FINALITY_KEY,
    MARKET_KEY,
    MAX_RECORD_BYTES,
    NETWORK_MINED_KEY,
    VOTER_COUNT_KEY,
    Account,
    Claim,
    Committee,
    DisputeRecord,
    Finality,
    Job,
    Kind,
    Market,
    NetworkMined,
    Pot,
    Queued,
    StateKey,
    StateReader,
    Voter,
    VoterCount,
    VoterKey,
    account_key,
    bls_key_key,
    claim_key,
    committee_key,
    dispute_key,
    job_key,
    parse_queue_key,
    pot_key,
    queue_key,
    voter_key,
)
from inos.consensus.reputation import compute_halved
from inos.primitives.codec import decode, decode_canonical, encode
from inos.primitives.units import Address, Height, JobId, Nano

R = TypeVar("R", bound=Struct)
K = TypeVar("K", bound=bytes)
V = TypeVar("V")
EMPTY_ACCOUNT: Final = Account()
EMPTY_VOTER_COUNT: Final = VoterCount()
EMPTY_NETWORK_MINED: Final = NetworkMined()
EMPTY_POT: Final = Pot()
EMPTY_COMMITTEE: Final = Committee()
QUEUED: Final = Queued()


def select_range(records: Iterable[tuple[K, V]], prefix: bytes, start: bytes | None) -> list[tuple[K, V]]:
    """Return the records whose keys begin with `prefix` and are not below `start`, sorted by key."""
    low = prefix if start is None else start
    return sorted((each for each in records if each[0].startswith(prefix) and each[0] >= low), key=lambda each: each[0])


def overlay(changes: list[tuple[K, bytes | None]], below: Iterator[tuple[K, bytes]]) -> Iterator[tuple[K, bytes]]:
    """Merge two runs sorted by key; a change replaces the record below it, and None hides it."""
    at = 0
    for key, value in below:
        while at < len(changes) and changes[at][0] < key:
            changed, new = changes[at]
            at += 1
            if new is not None:
                yield changed, new
        if at < len(changes) and changes[at][0] == key:
            continue  # the loop above, or the one below, yields the change
        yield key, value
    for changed, new in changes[at:]:
        if new is not None:
            yield changed, new


class StateView:
    """Typed reading of one block's state."""

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader

    def get(self, key: StateKey) -> bytes | None:
        """Return the canonical bytes of the record under `key`, or None."""
        return self._reader.get(key)

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        """See StateReader.iterate."""
        return self._reader.iterate(prefix, start)

    def get_account(self, address: Address) -> Account:
        """Return the account, or an empty one, since every address exists."""
        return self._get(Account, account_key(address)) or EMPTY_ACCOUNT

    def find_account(self, address: Address) -> Account | None:
        """Return the account, or None if it has no record."""
        return self._get(Account, account_key(address))

    def has_account(self, address: Address) -> bool:
        """Return True if the account has a record."""
        return self.find_account(address) is not None

    def get_job(self, job: JobId) -> Job | None:
        return self._get(Job, job_key(job))

    def get_claim(self, job: JobId) -> Claim | None:
        """Return the open claim on `job`, or None."""
        return self._get(Claim, claim_key(job))

    def get_dispute(self, job: JobId) -> DisputeRecord | None:
        """Return the dispute about the job's delivered result, or None."""
        return self._get(DisputeRecord, dispute_key(job))

    def iterate_queue(self, kind: Kind, last: Height) -> Iterator[tuple[Height, JobId]]:
        """Yield the jobs of a queue whose heights are at most `last`, lowest first, and among equals the lower id
        first.
        """
        for key, _ in self.iterate(bytes([kind])):
            height, job = parse_queue_key(key)
            if height > last:
                return
            yield height, job

    def get_market(self) -> Market:
        """Return the record of supply.

        Raises:
            LookupError: there is none. Then this is no chain's state, since genesis writes it.
        """
        market = self._get(Market, MARKET_KEY)
        if market is None:
            raise LookupError("this state has no market record, which every state since genesis has")
        return market

    def get_voter(self, address: Address) -> Voter | None:
        """Return the voter's record, or None if the account has no bond as a voter."""
        return self._get(Voter, voter_key(address))

    def iterate_voters(self) -> Iterator[tuple[Address, Voter]]:
        """Yield all voters in the order of their addresses, those that are leaving included."""
        prefix = bytes([Kind.VOTER])
        for key, data in self.iterate(prefix):
            yield Address(key[len(prefix) :]), decode(Voter, data, limit=MAX_RECORD_BYTES)

    def get_key_owner(self, key: bytes) -> VoterKey | None:
        """Return the owner of a BLS key, present or past, or None if it was never registered."""
        return self._get(VoterKey, bls_key_key(key))

    def get_voter_count(self) -> VoterCount:
        return self._get(VoterCount, VOTER_COUNT_KEY) or EMPTY_VOTER_COUNT

    def get_network_mined(self) -> NetworkMined:
        """Return the record as written; `finality.mined.compute_network_mined` brings it up to date."""
        return self._get(NetworkMined, NETWORK_MINED_KEY) or EMPTY_NETWORK_MINED

    def get_pot(self, epoch: int) -> Pot:
        """Return the nano put aside for the votes on the checkpoint of `epoch`."""
        return self._get(Pot, pot_key(epoch)) or EMPTY_POT

    def get_finality(self) -> Finality | None:
        """Return the record of checkpoints, or None in the genesis state."""
        return self._get(Finality, FINALITY_KEY)

    def get_committee(self, epoch: int) -> Committee:
        """Return the committee chosen at the checkpoint of `epoch`, or an empty one."""
        return self._get(Committee, committee_key(epoch)) or EMPTY_COMMITTEE

    def _get(self, kind: type[R], key: StateKey) -> R | None:
        data = self._reader.get(key)
        return None if data is None else decode_canonical(kind, data)


class Draft(StateView):
    """A state with changes on top that live in memory, until they are merged into the draft below or dropped.

    A record is decoded once and encoded once, however many transactions read and change it. What lies below must not
    change as long as the draft is used.
    """

    def __init__(self, reader: StateReader) -> None:
        super().__init__(reader)
        self._below = reader if isinstance(reader, Draft) else None
        self._changes: dict[StateKey, Any] = {}
        """Records of the type that belongs to their key; None for a removed one."""
        self._known: dict[StateKey, Any] = {}
        """Records of a reader below that is no draft."""

    def get(self, key: StateKey) -> bytes | None:
        return _encode(self._changes[key]) if key in self._changes else self._reader.get(key)

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        below = self._reader.iterate(prefix, start)
        changed = select_range(self._changes.items(), prefix, start)
        return overlay([(key, _encode(record)) for key, record in changed], below) if changed else below

    def set_account(self, address: Address, account: Account) -> None:
        self._changes[account_key(address)] = None if account == EMPTY_ACCOUNT else account

    def set_job(self, job: JobId, record: Job | None) -> None:
        self._put(job_key(job), record)

    def set_claim(self, job: JobId, claim: Claim | None) -> None:
        self._put(claim_key(job), claim)

    def set_dispute(self, job: JobId, dispute: DisputeRecord | None) -> None:
        self._put(dispute_key(job), dispute)

    def enqueue(self, kind: Kind, height: Height, job: JobId) -> None:
        """Queue a job for the block at `height`, or for the next one that has room."""
        self._put(queue_key(kind, height, job), QUEUED)

    def dequeue(self, kind: Kind, height: Height, job: JobId) -> None:
        """Remove a job from a queue, if it is there."""
        self._put(queue_key(kind, height, job), None)

    def set_market(self, market: Market) -> None:
        self._put(MARKET_KEY, market)

    def set_voter(self, address: Address, voter: Voter | None) -> None:
        self._put(voter_key(address), voter)

    def set_key_owner(self, key: bytes, owner: VoterKey) -> None:
        self._put(bls_key_key(key), owner)

    def set_voter_count(self, count: VoterCount) -> None:
        self._put(VOTER_COUNT_KEY, None if count == EMPTY_VOTER_COUNT else count)

    def set_network_mined(self, mined: NetworkMined) -> None:
        self._put(NETWORK_MINED_KEY, None if mined == EMPTY_NETWORK_MINED else mined)

    def set_pot(self, epoch: int, pot: Pot) -> None:
        self._put(pot_key(epoch), None if pot == EMPTY_POT else pot)

    def set_finality(self, finality: Finality) -> None:
        self._put(FINALITY_KEY, finality)

    def set_committee(self, epoch: int, committee: Committee | None) -> None:
        self._put(committee_key(epoch), None if committee == EMPTY_COMMITTEE else committee)

    def merge(self, upper: "Draft") -> None:
        """Add the changes of a draft that was made on top of this one."""
        self._changes.update(upper._changes)

    def count_records(self) -> int:
        """Return how many records the draft holds in memory."""
        return len(self._changes) + len(self._known)

    def compute_changes(self) -> dict[StateKey, bytes | None]:
        """Return the records that differ from the state below, in the order of their keys; None for a removed one."""
        encoded = [(key, _encode(self._changes[key])) for key in sorted(self._changes)]
        return {key: record for key, record in encoded if record != self._reader.get(key)}

    def _get(self, kind: type[R], key: StateKey) -> R | None:
        record: R | None
        if key in self._changes:
            record = self._changes[key]
        elif self._below is not None:
            record = self._below._get(kind, key)
        elif key in self._known:
            record = self._known[key]
        else:
            record = self._known[key] = super()._get(kind, key)
        return record

    def _put(self, key: StateKey, record: Struct | None) -> None:
        self._changes[key] = record


def _encode(record: Struct | None) -> bytes | None:
    return None if record is None else encode(record)


def compute_supply(market: Market) -> Nano:
    """Return everything minted less everything burned, in nano: the sum of all balances, bonds, escrows and pots."""
    return Nano(market.minted - market.burned)


def compute_reputation(params: Params, account: Account, height: Height) -> Nano:
    """Return the account's reputation at `height`, including the halvings since it was written."""
    return compute_halved(params, account.reputation, Height(account.reputation_height), height)
