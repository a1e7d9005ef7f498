"""One block's state, typed: reading it, and drafting changes that may still be thrown away."""

from typing import Final, TypeVar

from inos.consensus.params import Params
from inos.consensus.records import (
    FINALITY_KEY,
    MARKET_KEY,
    MAX_RECORD_BYTES,
    VOTERS_KEY,
    Account,
    Claim,
    Committee,
    Due,
    Finality,
    Job,
    Lapse,
    Market,
    Record,
    StateKey,
    StateReader,
    Voter,
    VoterKey,
    Voters,
    account_key,
    bls_key_key,
    claim_key,
    committee_key,
    due_key,
    job_key,
    lapse_key,
    voter_key,
)
from inos.consensus.reputation import compute_halved
from inos.primitives.codec import decode, encode
from inos.primitives.units import Address, Height, JobId, Nano, Tickets

R = TypeVar("R", Account, Job, Claim, Lapse, Due, Market, Voter, VoterKey, Voters, Finality, Committee)
EMPTY_ACCOUNT: Final = Account()
EMPTY_LAPSE: Final = Lapse()
EMPTY_VOTERS: Final = Voters()
EMPTY_COMMITTEE: Final = Committee()
EMPTY_DUE: Final = Due()


class StateView:
    """Typed reading of one block's state."""

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader

    def get(self, key: StateKey) -> bytes | None:
        """Canonical bytes of the record under `key`, or None."""
        return self._reader.get(key)

    def get_account(self, address: Address) -> Account:
        """The account, or the empty one: every address exists."""
        return self._get(Account, account_key(address)) or EMPTY_ACCOUNT

    def get_job(self, job: JobId) -> Job | None:
        return self._get(Job, job_key(job))

    def get_claim(self, job: JobId) -> Claim | None:
        """The live claim on `job`, or None."""
        return self._get(Claim, claim_key(job))

    def get_lapse(self, height: Height) -> Lapse:
        """Jobs whose claims expire at `height`."""
        return self._get(Lapse, lapse_key(height)) or EMPTY_LAPSE

    def get_due(self, height: Height) -> Due:
        """Delivered jobs that the block at `height` settles."""
        return self._get(Due, due_key(height)) or EMPTY_DUE

    def get_market(self) -> Market:
        """Prices and supply.

        Raises:
            LookupError: there is none; then this is no chain's state, since genesis writes it.
        """
        market = self._get(Market, MARKET_KEY)
        if market is None:
            raise LookupError("this state has no market record, which every state since genesis has")
        return market

    def get_voter(self, address: Address) -> Voter | None:
        """The voter's record while it has a bond."""
        return self._get(Voter, voter_key(address))

    def get_key_owner(self, key: bytes) -> VoterKey | None:
        """Whose BLS key this is or was, or None where nobody registered it."""
        return self._get(VoterKey, bls_key_key(key))

    def get_voters(self) -> Voters:
        return self._get(Voters, VOTERS_KEY) or EMPTY_VOTERS

    def get_finality(self) -> Finality | None:
        """Checkpoints; None in genesis alone."""
        return self._get(Finality, FINALITY_KEY)

    def get_committee(self, epoch: int) -> Committee:
        """The committee chosen at the checkpoint of `epoch`, or an empty one."""
        return self._get(Committee, committee_key(epoch)) or EMPTY_COMMITTEE

    def _get(self, kind: type[R], key: StateKey) -> R | None:
        data = self.get(key)
        return None if data is None else decode(kind, data, limit=MAX_RECORD_BYTES)


class Draft(StateView):
    """A state with changes on top that live in memory, until `merge` hands them down or they are dropped."""

    def __init__(self, reader: StateReader) -> None:
        super().__init__(reader)
        self._changes: dict[StateKey, bytes | None] = {}

    def get(self, key: StateKey) -> bytes | None:
        return self._changes[key] if key in self._changes else self._reader.get(key)

    def set_account(self, address: Address, account: Account) -> None:
        self._put(account_key(address), None if account == EMPTY_ACCOUNT else account)

    def set_job(self, job: JobId, record: Job) -> None:
        self._put(job_key(job), record)

    def set_claim(self, job: JobId, claim: Claim | None) -> None:
        self._put(claim_key(job), claim)

    def set_lapse(self, height: Height, lapse: Lapse) -> None:
        self._put(lapse_key(height), None if lapse == EMPTY_LAPSE else lapse)

    def set_due(self, height: Height, due: Due) -> None:
        self._put(due_key(height), None if due == EMPTY_DUE else due)

    def set_market(self, market: Market) -> None:
        self._put(MARKET_KEY, market)

    def set_voter(self, address: Address, voter: Voter | None) -> None:
        self._put(voter_key(address), voter)

    def set_key_owner(self, key: bytes, owner: VoterKey) -> None:
        self._put(bls_key_key(key), owner)

    def set_voters(self, voters: Voters) -> None:
        self._put(VOTERS_KEY, None if voters == EMPTY_VOTERS else voters)

    def set_finality(self, finality: Finality) -> None:
        self._put(FINALITY_KEY, finality)

    def set_committee(self, epoch: int, committee: Committee | None) -> None:
        self._put(committee_key(epoch), None if committee == EMPTY_COMMITTEE else committee)

    def merge(self, upper: "Draft") -> None:
        """Take over the changes of a draft made on top of this one."""
        self._changes.update(upper._changes)

    def compute_changes(self) -> dict[StateKey, bytes | None]:
        """Records that differ from the state below, in order of their keys; None where one was removed."""
        return {key: self._changes[key] for key in sorted(self._changes) if self._changes[key] != self._reader.get(key)}

    def _put(self, key: StateKey, record: Record | None) -> None:
        self._changes[key] = None if record is None else encode(record)


def compute_supply(market: Market) -> Nano:
    """Everything minted less everything burned, in nano; equals all balances, bonds and escrows together."""
    return Nano(market.minted - market.burned)


def compute_reputation(params: Params, account: Account, height: Height) -> Tickets:
    """The account's reputation as it stands at `height`, halvings since it was written included."""
    return compute_halved(params, account.reputation, Height(account.reputation_height), height)
