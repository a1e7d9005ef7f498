"""The movements that the ledger records for an account add up to its balances, over chains with all payloads and
reorgs.
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
from inos.consensus.records import JobState
from inos.primitives.transactions import (
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    UnbondVoter,
    WithdrawBond,
)
from inos.primitives.units import JobId
from inos.primitives.votes import Checkpoint, Link, SignedLink
from support.chain_maker import EASY, PEOPLE, Branch, choose_payload, feed, grow_at_random
from support.consensus_lab import PEOPLE as NAMES
from support.consensus_lab import Key, make_post
from support.tiles import BAD_REF, Y_REF, make_challenge, make_optimistic
from support.voters import get_bls_key, prove, sign_link

PARAMS: Final = msgspec.structs.replace(
    EASY, max_block_bytes=400_000, epoch_blocks=2, unbonding_epochs=1, min_voter_bond=1000
)
WRONG_TILE: Final = make_challenge(JobId(bytes(32)))
ELSEWHERE: Final = {
    Reason.VOTER_BOND_WITHDRAWN,
    Reason.DISPUTE_STAKED,
    Reason.STAKE_RETURNED,
    Reason.STAKE_LOST,
    Reason.BOND_TO_JURY,
    Reason.RESULT_REJECTED,
    Reason.DISPUTE_PAID,
    Reason.JURY_PAID,
    Reason.JUROR_SILENT,
    Reason.VOTES_PAID,
    Reason.VOTES_INCLUDED,
}
"""Juries and votes need members that sign, so their movements are checked where juries and pots are tested: every block
that the lab connects is checked in the same way."""
VOTES: Final = [Link(Checkpoint(0, bytes(32)), Checkpoint(1, bytes([n]) * 32)) for n in (1, 2)]
NAME_OF: Final = {key.address: name for name, key in NAMES.items()}

seeds = st.integers(0, 2**32 - 1)


def choose_any(branch: Branch, key: Key, rng: random.Random) -> tuple[Key, Payload]:
    """Return a strategy for every kind of payload; those about jobs and evidence match what exists."""
    kind, height, who = rng.randrange(8), branch.height + 1, NAME_OF[key.address]
    if kind == 0:
        changes = make_optimistic(height, reward=rng.randint(1, 3000), bond=rng.randint(3000, 6000))
        return key, make_post(height, **changes)
    if kind == 1:
        return key, RegisterVoter(get_bls_key(who), prove(who), rng.randint(1000, 2000))
    if kind == 2:
        return key, rng.choice([UnbondVoter(), WithdrawBond()])
    if kind == 3:
        guilty = rng.choice(list(NAMES))
        first, second = (SignedLink(vote, sign_link(guilty, vote)) for vote in VOTES)
        return key, ReportVoter(get_bls_key(guilty), first, second)
    jobs = [JobId(k[1:]) for k in branch.records.all if k[0] == 2]
    rng.shuffle(jobs)
    for job_id in jobs if kind < 7 else ():
        job = branch.state.get_job(job_id)
        assert job is not None
        if job.mode is JobMode.OPTIMISTIC and job.state is JobState.OPEN:
            return key, ClaimJob(job_id)
        if job.mode is JobMode.OPTIMISTIC and job.state is JobState.CLAIMED:
            worker = next(each for each in PEOPLE if each.address == job.worker)
            return worker, SubmitResult(job_id, rng.choice([BAD_REF, Y_REF]))
        if job.state is JobState.DELIVERED and job.y == BAD_REF:
            return key, msgspec.structs.replace(WRONG_TILE, job=job_id)
    return choose_payload(branch, key, rng)


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
    for seed in range(4):
        reasons += run(seed, 26, payloads)
    assert set(reasons) >= set(Reason) - ELSEWHERE, set(Reason) - ELSEWHERE - set(reasons)
    assert payloads >= set(get_args(Payload)) - {Dispute, JuryVote, JuryReveal, WithdrawBond}


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(4, 14))
def test_histories_sum_up_to_balances(seed: int, height: int) -> None:
    run(seed, height, set())


def run(seed: int, height: int, payloads: set[type]) -> Counter[Reason]:
    """Play a trunk, then a longer side branch in place of its upper part, then an even longer trunk."""
    rng, trunk = random.Random(seed), Branch(PARAMS)
    for _ in range(height):
        grow_at_random(trunk, rng, choose=choose_any)
    back = rng.randint(1, min(height, 6))
    side = trunk.fork(back)
    for branch, count in ((side, back + 1), (trunk, 2)):
        for _ in range(count):
            grow_at_random(branch, rng, choose=choose_any)
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
