"""The movements that the ledger records for an account add up to its balances, over chains with all payloads,
juries, votes and reorgs.
"""

import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain.ledger import Ledger
from inos.consensus.movements import Movement, Reason
from inos.consensus.records import Job, JobState, Juror, Kind, ProductWork, TaskWork
from inos.primitives.transactions import (
    ClaimJob,
    Dispute,
    JobMode,
    Payload,
    PostJob,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    UnbondVoter,
    Verdict,
    WithdrawBond,
)
from inos.primitives.units import Address, JobId, Nano
from inos.primitives.votes import Aggregate, Checkpoint, Link, SignedLink
from support.chain_maker import EASY, PEOPLE, Branch, choose_payload, feed, grow_at_random
from support.consensus_lab import PEOPLE as NAMES
from support.consensus_lab import Key, make_post, make_task
from support.juries import make_jury_reveal, make_jury_vote
from support.tiles import BAD_REF, Y_REF, make_challenge, make_optimistic
from support.voters import get_bls_key, make_aggregate, prove, sign_link

PARAMS: Final = msgspec.structs.replace(
    EASY, max_block_bytes=400_000, epoch_blocks=2, finality_start=4, unbonding_epochs=1, min_voter_bond=1000
)
WRONG_TILE: Final = make_challenge(JobId(bytes(32)))
VOTES: Final = [Link(Checkpoint(0, bytes(32)), Checkpoint(1, bytes([n]) * 32)) for n in (1, 2)]
SEEDS: Final = 8
STEPS: Final = (JobState.OPEN, JobState.CLAIMED, JobState.DELIVERED, JobState.DISPUTED)
FUNDS: Final = Nano(1_000_000)
NAME_OF: Final = {key.address: name for name, key in NAMES.items()}

seeds = st.integers(0, 2**32 - 1)


def choose_any(branch: Branch, key: Key, rng: random.Random) -> tuple[Key, Payload]:
    """Return a strategy for every kind of payload; those about jobs, juries and evidence match what exists."""
    kind, height, who = rng.randrange(9), branch.height + 1, NAME_OF[key.address]
    due = list_due(branch) if kind < 4 else []
    if due:
        sender, payload = rng.choice(due)
        return sender or key, payload
    if kind == 0:
        if rng.random() < 0.2:
            return key, make_task(height, reward=rng.randint(1, 3000), bond=rng.randint(3000, 6000))
        changes = make_optimistic(height, reward=rng.randint(1, 3000), bond=rng.randint(3000, 6000))
        return key, make_post(height, **changes)
    if kind == 1 and rng.random() < 0.5:
        return key, RegisterVoter(get_bls_key(who), prove(who), rng.randint(1000, 2000))
    if kind == 4 and rng.random() < 0.05:
        guilty = rng.choice(list(NAMES))
        first, second = (SignedLink(vote, sign_link(guilty, vote)) for vote in VOTES)
        return key, ReportVoter(get_bls_key(guilty), first, second)
    if kind == 4 and rng.random() < 0.1:
        return key, UnbondVoter()
    return choose_job_step(branch, key, rng) or choose_payload(branch, key, rng)


def choose_job_step(branch: Branch, key: Key, rng: random.Random) -> tuple[Key, Payload] | None:
    """Return what brings an optimistic job further, or contests its result."""
    jobs = [(job_id, get_job(branch, job_id)) for job_id in (JobId(k[1:]) for k in branch.records.all if k[0] == 2)]
    rng.shuffle(jobs)
    states = rng.sample(STEPS, len(STEPS))
    for job_id, job in sorted(jobs, key=lambda each: [*states, each[1].state].index(each[1].state)):
        if job.mode is JobMode.OPTIMISTIC and job.state is JobState.OPEN:
            return key, ClaimJob(job_id)
        if job.mode is JobMode.OPTIMISTIC and job.state is JobState.CLAIMED:
            worker = next(each for each in PEOPLE if each.address == job.worker)
            if isinstance(job.work, TaskWork):
                return worker, SubmitOutcome(job_id, (bytes(32),))
            return worker, SubmitResult(job_id, rng.choice([BAD_REF, Y_REF]))
        is_bad = (
            isinstance(job.work, ProductWork)
            and job.work.y == BAD_REF
            and job.state in {JobState.DELIVERED, JobState.DISPUTED}
        )
        if is_bad and rng.random() < 0.3:
            return key, msgspec.structs.replace(WRONG_TILE, job=job_id)
        if job.state is JobState.DELIVERED and rng.random() < 0.7:
            return key, Dispute(job_id)
    return None


def get_job(branch: Branch, job_id: JobId) -> Job:
    job = branch.state.get_job(job_id)
    assert job is not None
    return job


def list_due(branch: Branch) -> list[tuple[Key | None, Payload]]:
    """Return what jurors and leaving voters may send in the next block; the key is None if any account may send it."""
    state, height = branch.state, branch.height + 1
    due: list[tuple[Key | None, Payload]] = [
        (next(key for key in PEOPLE if key.address == address), WithdrawBond())
        for address, voter in state.iterate_voters()
        if 0 < voter.leaves_at <= height
    ]
    for job_id in [JobId(k[1:]) for k in branch.records.all if k[0] == Kind.DISPUTE]:
        dispute = state.get_dispute(job_id)
        assert dispute is not None
        opens_at = dispute.drawn_at + 2 * PARAMS.jury_window // 3
        for juror in dispute.jurors:
            verdict = choose_verdict(job_id, juror)
            if juror.commitment is None and height < opens_at:
                due.append((None, make_jury_vote(job_id, dispute.drawn_at, NAME_OF[Address(juror.address)], verdict)))
            is_silent = (job_id[1] + juror.key[1]) % 4 == 0
            if juror.commitment is not None and juror.verdict is None and height >= opens_at and not is_silent:
                due.append((None, make_jury_reveal(job_id, dispute.drawn_at, NAME_OF[Address(juror.address)], verdict)))
    return due


def choose_verdict(job_id: JobId, juror: Juror) -> Verdict:
    """Some juries agree that a result is right, some that it is not, and some do not agree."""
    match job_id[0] % 3:
        case 0:
            return Verdict.RIGHT
        case 1:
            return Verdict.WRONG
        case _:
            return Verdict(juror.key[2] % 3)


def choose_aggregate(branch: Branch, rng: random.Random) -> Aggregate | None:
    """Return votes of all members for a checkpoint of an even epoch: no two that are justified follow each other, so
    nothing becomes final, and any block can be undone."""
    finality = branch.state.get_finality()
    for number, ballot in enumerate(() if finality is None else finality.ballots):
        assert finality is not None
        is_open = ballot.link.target.epoch > finality.justified.epoch and ballot.link.source == finality.justified
        is_early = ballot.link.target.epoch * PARAMS.epoch_blocks < PARAMS.finality_start
        if not is_open or is_early or ballot.link.target.epoch % 2 or rng.random() < 0.3:
            continue
        members = branch.state.get_committee(ballot.committee).members
        voters = [NAME_OF[Address(each.address)] for each in members if branch.state.get_voter(Address(each.address))]
        weight = sum(each.weight for each in members if NAME_OF[Address(each.address)] in voters)
        committee = branch.state.get_committee(ballot.committee)
        if 6 * weight > max(4 * sum(each.weight for each in members), 3 * committee.mined):
            return make_aggregate(branch.state, voters, number)
    return None


def list_movements(ledger: Ledger, key: Key) -> list[Movement]:
    """Return all movements of an account, oldest first, read page by page."""
    found, before = [], None
    while page := ledger.view.reader.get_history(key.address, before=before, limit=7):
        found += page
        before = (page[-1].height, page[-1].place)
    assert sorted({(entry.height, entry.place) for entry in found}, reverse=True) == [
        (entry.height, entry.place) for entry in found
    ]
    return [movement for entry in reversed(found) for movement in entry.movements]


def check_histories(ledger: Ledger) -> Counter[Reason]:
    """Check that every account's movements add up to its balances and never fall below zero."""
    reasons: Counter[Reason] = Counter()
    for key in PEOPLE:
        balance = bonded = 0
        for movement in list_movements(ledger, key):
            balance, bonded = balance + movement.balance, bonded + movement.bonded
            assert balance >= 0
            assert bonded >= 0
            reasons[movement.reason] += 1
        account = ledger.view.state.get_account(key.address)
        assert (balance, bonded) == (account.balance, account.bonded)
    return reasons


def test_histories_sum_up_to_balances_also_after_reorganisations() -> None:
    """One long run with fixed seeds contains all reasons and all payloads."""
    reasons: Counter[Reason] = Counter()
    payloads: set[type] = set()
    for seed in range(SEEDS):
        reasons += run(seed, 40, payloads)
    assert set(reasons) == set(Reason), set(Reason) - set(reasons)
    assert payloads == set(get_args(Payload)), set(get_args(Payload)) - payloads


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(4, 14))
def test_histories_sum_up_to_balances(seed: int, height: int) -> None:
    run(seed, height, set())


def run(seed: int, height: int, payloads: set[type]) -> Counter[Reason]:
    """Play a trunk, then a longer side branch in place of its upper part, then an even longer trunk."""
    rng, trunk = random.Random(seed), Branch(PARAMS, dict.fromkeys((key.address for key in PEOPLE), FUNDS))
    for _ in range(height):
        grow_at_random(trunk, rng, max_transactions=9, choose=choose_any, aggregate=choose_aggregate(trunk, rng))
    back = rng.randint(1, min(height, 6))
    side = trunk.fork(back)
    for branch, count in ((side, back + 1), (trunk, 2)):
        for _ in range(count):
            grow_at_random(branch, rng, max_transactions=9, choose=choose_any, aggregate=choose_aggregate(branch, rng))
    payloads |= {type(tx.payload) for made in trunk.blocks for tx in made.block.transactions}
    with TemporaryDirectory() as folder:
        ledger = trunk.open_ledger(Path(folder))
        feed(ledger, trunk.blocks[:height])
        first = check_histories(ledger)
        feed(ledger, side.blocks[height - back :])
        assert ledger.view.tip.id == side.tip_id
        reasons = first + check_histories(ledger)
        feed(ledger, trunk.blocks[height:])
        assert ledger.view.tip.id == trunk.tip_id
        reasons += check_histories(ledger)
        ledger.close()
    return reasons


def test_a_post_is_in_the_history_of_its_poster_only() -> None:
    """The random chains above would not detect an entry for an account that it does not concern."""
    branch = Branch(PARAMS)
    alice, bob = PEOPLE[0], PEOPLE[1]
    branch.grow(branch.sign(alice, make_post(1, reward=5)), miner=PEOPLE[3].address)
    with TemporaryDirectory() as folder:
        ledger = branch.open_ledger(Path(folder))
        feed(ledger, branch.blocks)
        (post,) = branch.blocks[0].block.transactions
        assert isinstance(post.payload, PostJob)
        moved = list_movements(ledger, alice)
        assert [movement.reason for movement in moved] == [
            Reason.ALLOCATED,
            Reason.FEE,
            Reason.JOB_REWARD_ESCROWED,
            Reason.JOB_BURN,
        ]
        assert [movement.reason for movement in list_movements(ledger, bob)] == [Reason.ALLOCATED]
        ledger.close()
