"""A lab with a voting committee that a test sets, and jurors that vote and open their verdicts."""

from collections.abc import Mapping
from typing import Any

import msgspec

from inos.consensus.params import Params
from inos.consensus.records import (
    FINALITY_KEY,
    Ballot,
    Committee,
    Finality,
    Juror,
    Member,
    Voter,
    account_key,
    committee_key,
    voter_key,
)
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.jury import compute_commitment, compute_reveal_hash, compute_vote_hash
from inos.primitives.transactions import (
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    SubmitResult,
    Transaction,
    Verdict,
)
from inos.primitives.units import Address, Height, JobId, Nano
from inos.primitives.votes import Checkpoint, Link
from support.consensus_lab import (
    ALICE,
    ALLOCATIONS,
    BOB,
    CAROL,
    CHAIN_ID,
    MINER,
    NOBODY,
    PARAMS,
    PEOPLE,
    Key,
    Lab,
    make_result,
)
from support.voters import get_bls_key, get_bls_secret

JURY_PARAMS = msgspec.structs.replace(
    PARAMS, max_block_bytes=400_000, epoch_blocks=1000, jury_size=7, jury_window=6, jury_mib_fee=Nano(10)
)
SALT = bytes(range(32))
REWARD, BOND = 1000, 1600


def make_jury_vote(job: JobId, drawn_at: int, who: str, verdict: Verdict) -> JuryVote:
    """A juror's commitment to a verdict."""
    key = get_bls_key(who)
    commitment = compute_commitment(verdict, SALT, key)
    digest = compute_vote_hash(CHAIN_ID, job, drawn_at, commitment)
    return JuryVote(job, drawn_at, key, commitment, get_bls().sign(get_bls_secret(who), digest))


def make_jury_reveal(job: JobId, drawn_at: int, who: str, verdict: Verdict, salt: bytes = SALT) -> JuryReveal:
    """A juror's opened verdict."""
    digest = compute_reveal_hash(CHAIN_ID, job, drawn_at, verdict, salt)
    return JuryReveal(job, drawn_at, get_bls_key(who), verdict, salt, get_bls().sign(get_bls_secret(who), digest))


def seat_committee(lab: Lab, weights: Mapping[str, int]) -> None:
    """Let these people vote and judge from the next block on; the lab already has a block."""
    genesis = Checkpoint(0, lab.headers[0].parent)
    ballot = Ballot(Link(genesis, genesis), 0)
    members = tuple(Member(PEOPLE[who].address, get_bls_key(who), weight, weight) for who, weight in weights.items())
    lab.records.all[FINALITY_KEY] = encode(Finality(genesis, genesis, (ballot,), (0,)))
    lab.records.all[committee_key(0)] = encode(Committee(members))


class Court(Lab):
    """A lab with a committee of `weights`, in which Alice posts, Bob works and Carol disputes."""

    def __init__(self, weights: Mapping[str, int], params: Params = JURY_PARAMS) -> None:
        super().__init__(params, {**ALLOCATIONS, CAROL.address: Nano(500_000), MINER.address: Nano(500_000)})
        self.mine(miner=NOBODY)
        seat_committee(self, weights)
        for who in weights:
            self._bond(PEOPLE[who], who, 10_000)

    def _bond(self, key: Key, who: str, bond: int) -> None:
        """Make a person a voter whose bond was locked before."""
        account = self.state.get_account(key.address)
        moved = msgspec.structs.replace(account, balance=account.balance - bond, bonded=account.bonded + bond)
        self.records.all[account_key(key.address)] = encode(moved)
        self.records.all[voter_key(key.address)] = encode(Voter(get_bls_key(who), bond, 1))

    def deliver(self, **changes: Any) -> JobId:
        """Post an optimistic job, claim it and deliver a result, in three blocks."""
        job = self.post(ALICE, **{"mode": JobMode.OPTIMISTIC, "reward": REWARD, "bond": BOND} | changes)
        self.mine(self.sign(BOB, ClaimJob(job)), miner=NOBODY)
        self.mine(self.sign(BOB, SubmitResult(job, make_result(32, 48))), miner=NOBODY)
        return job

    def dispute(self, job: JobId, who: Key = CAROL) -> Height:
        """Dispute a delivery, mine until its jury is drawn, and return the height of the drawing."""
        self.mine(self.sign(who, Dispute(job)), miner=NOBODY)
        self.mine_until(self.height + 2)
        return self.height

    def get_jurors(self, job: JobId) -> dict[str, Juror]:
        """Return the jurors by the names of people."""
        dispute = self.state.get_dispute(job)
        assert dispute is not None
        names = {key.address: who for who, key in PEOPLE.items()}
        return {names[Address(juror.address)]: juror for juror in dispute.jurors}

    def commit(self, job: JobId, verdicts: Mapping[str, Verdict], sender: Key = MINER) -> None:
        """Mine a block with the commitments of some jurors."""
        self.mine(*self.sign_votes(job, verdicts, sender), miner=NOBODY)

    def sign_votes(
        self,
        job: JobId,
        verdicts: Mapping[str, Verdict],
        sender: Key = MINER,
        changes: Mapping[str, Any] | None = None,
        drawn_at: int | None = None,
    ) -> list[Transaction]:
        """Return the jurors' votes as transactions of `sender`; `changes` replace fields of the signed payload."""
        drawn_at = self.get_drawn_at(job) if drawn_at is None else drawn_at
        signed = []
        for number, (who, verdict) in enumerate(verdicts.items()):
            vote = make_jury_vote(job, drawn_at, who, verdict)
            signed.append(self.sign(sender, msgspec.structs.replace(vote, **changes or {}), ahead=number))
        return signed

    def reveal(self, job: JobId, verdicts: Mapping[str, Verdict], sender: Key = MINER) -> None:
        """Mine until verdicts may be opened, then add a block that opens some."""
        self.mine_until(self.get_drawn_at(job) + 3)
        self.mine(*self.sign_reveals(job, verdicts, sender), miner=NOBODY)

    def sign_reveals(
        self, job: JobId, verdicts: Mapping[str, Verdict], sender: Key = MINER, salt: bytes = SALT
    ) -> list[Transaction]:
        drawn_at = self.get_drawn_at(job)
        signed = []
        for number, (who, verdict) in enumerate(verdicts.items()):
            reveal = make_jury_reveal(job, drawn_at, who, verdict, salt)
            signed.append(self.sign(sender, reveal, ahead=number))
        return signed

    def get_drawn_at(self, job: JobId) -> Height:
        dispute = self.state.get_dispute(job)
        assert dispute is not None
        assert dispute.drawn_at
        return Height(dispute.drawn_at)

    def count(self, job: JobId) -> None:
        """Mine until the verdicts are counted."""
        self.mine_until(self.get_drawn_at(job) + self.params.jury_window)

    def get_wealth(self, who: str) -> int:
        """Return balance and bonds of a person."""
        account = self.state.get_account(PEOPLE[who].address)
        return account.balance + account.bonded
