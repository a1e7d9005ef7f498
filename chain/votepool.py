"""The pool of votes that wait for a block: one for each voter and epoch, and evidence against voters who signed
conflicting votes.

The pool is policy and no rule: `inos.consensus.finality` says which votes count when a block carries their aggregate.
Every vote here was signed by a voter with a bond, so filling the pool costs something. Votes that cannot be checked
yet, because their voter is not known at this tip, wait in a list of their own.
"""

from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum
from typing import Final

from msgspec import Struct

from inos.consensus.codes import Code
from inos.consensus.finality import (
    compute_epoch,
    is_before_start,
    is_open,
    is_quorum,
)
from inos.consensus.params import Params
from inos.consensus.records import Ballot, Committee
from inos.consensus.state import StateView
from inos.primitives.bls import BlsBackend
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import Address, BlockId
from inos.primitives.votes import (
    MAX_COMMITTEE,
    Aggregate,
    Link,
    Vote,
    compute_vote_hash,
    is_slashable,
    make_bits,
)

KEPT_EPOCHS: Final = 64
"""Votes are kept for this many epochs below the tip's, as evidence against voters who sign another one."""
EPOCHS_AHEAD: Final = 4
"""Votes are taken for this many epochs above the tip's, since a node may be behind its peers."""
MAX_VOTES: Final = MAX_COMMITTEE * (KEPT_EPOCHS + EPOCHS_AHEAD)
"""The votes of full committees in all these epochs, some 26 MB; the oldest go first."""
MAX_WAITING: Final = 1024
"""The largest number of votes from unknown voters; the oldest go first."""
MAX_CAUGHT: Final = 4096
"""The largest number of voters with evidence against them; the oldest go first."""


class Taken(Enum):
    """The result of checking or adding a vote."""

    NEW = "new"
    KNOWN = "known"
    WAITING = "waiting"
    CAUGHT = "caught"
    """The vote is new and conflicts with another one, so both together are evidence."""


class Evidence(Struct, frozen=True):
    """Two votes of one key that conflict, so that no voter may sign both."""

    first: Vote
    second: Vote


class VotePool:
    """The pool belongs to one thread, except `has`, `get_evidence` and `get_latest`, which other threads may call."""

    def __init__(self, params: Params, bls: BlsBackend) -> None:
        self._params = params
        self._bls = bls
        self._by_epoch: dict[int, dict[Vote, None]] = {}
        """The votes by target epoch, in the order in which they came."""
        self._by_key: dict[bytes, dict[int, Vote]] = {}
        """The first vote of each key for each target epoch."""
        self._by_link: dict[Link, dict[bytes, Vote]] = {}
        self._waiting: OrderedDict[Vote, None] = OrderedDict()
        self._caught: OrderedDict[bytes, Evidence] = OrderedDict()
        self._count = 0
        self._signature: tuple[Link, bytes, bytes] | None = None
        """Link, bitmap and signature of the last aggregate, kept because templates are made more often than votes come.
        """

    def __len__(self) -> int:
        return self._count

    @property
    def waiting(self) -> int:
        """The number of votes that cannot be checked yet."""
        return len(self._waiting)

    def has(self, vote: Vote) -> bool:
        """Return True if the vote is here, checked or not, or if there is evidence against its key, whose votes no
        longer count.
        """
        is_taken = vote in self._by_epoch.get(vote.link.target.epoch, ()) or vote in self._waiting
        return is_taken or vote.key in self._caught

    def get_latest(self, key: bytes) -> tuple[Vote, ...]:
        """Return the votes of one key that are here, one for each target epoch."""
        return tuple(self._by_key.get(key, {}).values())

    def get_evidence(self) -> tuple[Evidence, ...]:
        """Return the evidence against voters, at most one for each key."""
        return tuple(self._caught.values())

    def count_votes(self, link: Link) -> int:
        return len(self._by_link.get(link, ()))

    def list_votes(self, first_epoch: int, limit: int) -> list[Vote]:
        """Return at most `limit` votes for targets from an epoch on, lowest epochs first; evidence comes before all
        others.
        """
        found: dict[Vote, None] = {}
        for each in self._caught.values():
            if each.second.link.target.epoch >= first_epoch:
                found |= {each.first: None, each.second: None}
        for epoch in sorted(self._by_epoch):
            if epoch >= first_epoch:
                found |= self._by_epoch[epoch]
            if len(found) >= limit:
                break
        return list(found)[:limit]

    def check(self, vote: Vote, state: StateView, height: int) -> Taken:
        """Check if the vote is worth taking, including its signature, without changing anything.

        Returns:
            KNOWN, WAITING if it is not known yet whose key signed it, else NEW.

        Raises:
            RuleViolation: "bad-link" or "bad-vote-signature", which no honest peer sends.
            NotYet: "vote-out-of-time".
        """
        source, target = vote.link.source, vote.link.target
        if source.epoch >= target.epoch:
            raise RuleViolation(Code.BAD_LINK, "a vote's source", expected=f"below {target.epoch}", got=source.epoch)
        if self.has(vote):
            return Taken.KNOWN
        epoch = compute_epoch(self._params, height)
        if not epoch - KEPT_EPOCHS <= target.epoch <= epoch + EPOCHS_AHEAD:
            raise NotYet("vote-out-of-time", f"a vote for epoch {target.epoch}, while the tip's is {epoch}")
        if not is_voter(state, vote.key):
            return Taken.WAITING
        if not self._bls.is_signed(vote.key, compute_vote_hash(self._params.chain_id, vote.link), vote.signature):
            raise RuleViolation(Code.BAD_VOTE_SIGNATURE, f"a vote for epoch {target.epoch} that its key did not sign")
        return Taken.NEW

    def add(self, vote: Vote, checked: Taken) -> Taken:
        """Add a vote with the result of `check`."""
        if self.has(vote) and not (checked is Taken.NEW and vote in self._waiting):
            return Taken.KNOWN
        if checked is Taken.WAITING:
            self._waiting[vote] = None
            while len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)
            return Taken.WAITING
        self._waiting.pop(vote, None)
        return self._insert(vote)

    def take_waiting(self, state: StateView) -> list[Vote]:
        """Remove and return the votes whose voters are known now, so that they are checked again."""
        ready = [vote for vote in self._waiting if is_voter(state, vote.key)]
        for vote in ready:
            del self._waiting[vote]
        return ready

    def forget_below(self, height: int) -> None:
        """Drop the epochs that are too old for a chain of this height."""
        floor = compute_epoch(self._params, height) - KEPT_EPOCHS
        for epoch in [each for each in self._by_epoch if each < floor]:
            self._drop_epoch(epoch)

    def find_final(self, state: StateView, final_epoch: int) -> BlockId | None:
        """Return the highest block that votes show to be final, on any branch, or None if none is above `final_epoch`.

        A quorum voted for that block, and from it for the next checkpoint. It is a quorum of the last committee that
        was chosen at or below the last final block: on any branch above that block, the votes of this committee count
        first.
        """
        finality = state.get_finality()
        settled = [each for each in finality.committees if each <= final_epoch] if finality is not None else []
        if not settled:
            return None
        committee = state.get_committee(settled[-1])
        links = [
            link for link in self._by_link if link.target.epoch > final_epoch and self._has_quorum(committee, link)
        ]
        targets = {link.target for link in links}
        finals = [
            link.source
            for link in links
            if link.source in targets and link.source.epoch > final_epoch and link.target.epoch == link.source.epoch + 1
        ]
        return BlockId(max(finals, key=lambda each: each.epoch).id) if finals else None

    def _has_quorum(self, committee: Committee, link: Link) -> bool:
        votes = self._by_link[link]
        places = [i for i, member in enumerate(committee.members) if member.key in votes]
        return not is_before_start(self._params, link.target.epoch) and is_quorum(committee, places)

    def make_aggregate(self, state: StateView) -> Aggregate | None:
        """Return the oldest aggregate that the next block on this state could carry; None if no link has a quorum."""
        for ballot in list_open_ballots(self._params, state):
            committee = state.get_committee(ballot.committee)
            votes = self._by_link.get(ballot.link, {})
            members = frozenset(i for i, member in enumerate(committee.members) if member.key in votes)
            if is_quorum(committee, members):
                bits = make_bits(members, len(committee.members))
                chosen = [votes[committee.members[i].key].signature for i in sorted(members)]
                return Aggregate(ballot.link, bits, self._add_up(ballot.link, bits, chosen))
        return None

    def _add_up(self, link: Link, bits: bytes, signatures: list[bytes]) -> bytes:
        if self._signature is None or self._signature[:2] != (link, bits):
            self._signature = link, bits, self._bls.aggregate(signatures)
        return self._signature[2]

    def _insert(self, vote: Vote) -> Taken:
        """Insert one vote per key and epoch. A vote that conflicts with a stored one becomes evidence, and further ones
        are ignored.
        """
        own = self._by_key.setdefault(vote.key, {})
        other = next((each for each in own.values() if is_slashable(each.link, vote.link)), None)
        if other is not None:
            self._caught[vote.key] = Evidence(other, vote)
            while len(self._caught) > MAX_CAUGHT:
                self._caught.popitem(last=False)
            return Taken.CAUGHT
        own[vote.link.target.epoch] = vote
        self._by_epoch.setdefault(vote.link.target.epoch, {})[vote] = None
        self._by_link.setdefault(vote.link, {})[vote.key] = vote
        self._count += 1
        if self._count > MAX_VOTES:
            self._drop_epoch(min(self._by_epoch))
        return Taken.NEW

    def _drop_epoch(self, epoch: int) -> None:
        votes = self._by_epoch.pop(epoch)
        self._count -= len(votes)
        for vote in votes:
            self._by_link.pop(vote.link, None)
            own = self._by_key[vote.key]
            del own[epoch]
            if not own:
                del self._by_key[vote.key]


def is_voter(state: StateView, key: bytes) -> bool:
    """Return True if the key's owner has a bond that evidence could burn."""
    owner = state.get_key_owner(key)
    voter = None if owner is None else state.get_voter(Address(owner.owner))
    return voter is not None and voter.key == key


def list_open_ballots(params: Params, state: StateView) -> Iterator[Ballot]:
    """Yield the ballots that the next block on this state may justify, oldest first."""
    finality = state.get_finality()
    for ballot in () if finality is None else finality.ballots:
        if finality is not None and is_open(params, finality, ballot):
            yield ballot
