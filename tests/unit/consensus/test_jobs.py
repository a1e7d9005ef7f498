"""Tests the life of a job, with every amount written out, and every transaction that comes at the wrong time."""

import msgspec
import pytest

from inos.consensus.execution import Executed
from inos.consensus.jobevents import JobEventKind
from inos.consensus.records import Claim, Job, JobState, Kind, ProductWork
from inos.consensus.state import compute_reputation
from inos.primitives.errors import VerdictMissing
from inos.primitives.transactions import CancelJob, ClaimJob, Payload, SubmitResult
from inos.primitives.units import Height, JobId, Nano
from support.consensus_lab import ALICE, BOB, CAROL, NOBODY, PARAMS, Key, Lab, get_code, make_post, make_result

Y = make_result(32, 48)
TICKETS = 2 * 3 * 2  # 32 x 48 from depth 1500
BURN = 125 + 586 + 7
"""50,000 * 125 * 12 / (1000 * 600) for tickets, 50,000 * 125 * 12 strips / (1000 * 2 MiB) rounded up, and the place."""
POT = 50_000 // 64
"""The part of each block's subsidy that is put aside for voters."""


def do(lab: Lab, key: Key, payload: Payload) -> Executed:
    return lab.mine(lab.sign(key, payload), miner=NOBODY)


def list_concerned(executed: Executed) -> list[bytes]:
    """Return the accounts whose history has the block's one transaction."""
    return [entry.address for entry in executed.history if entry.place == 1]


def refuse(lab: Lab, key: Key, payload: Payload) -> str:
    return get_code(lambda: lab.begin().add(lab.sign(key, payload)))


def list_queue(lab: Lab, kind: Kind) -> list[tuple[int, JobId]]:
    return list(lab.state.iterate_queue(kind, Height(10**6)))


def get_job(lab: Lab, job_id: JobId) -> Job:
    job = lab.state.get_job(job_id)
    assert job is not None
    return job


def test_posting_escrows_the_reward_and_burns_the_price() -> None:
    lab = Lab()
    before = lab.state.get_market()
    payload = make_post(1)
    executed = do(lab, ALICE, payload)
    [job_id] = [JobId(key[1:]) for key in lab.records.all if key[0] == 2]
    assert get_job(lab, job_id) == Job(
        poster=ALICE.address,
        work=ProductWork(payload.x, payload.w, payload.mode),
        reward=1000,
        bond=101,
        claim_window=3,
        deadline=11,
        posted_at=1,
        burned=BURN,
        state=JobState.OPEN,
        worker=None,
        closed_at=0,
    )
    assert lab.state.get_account(ALICE.address).balance == 1_000_000 - 1000 - BURN - 1
    after = lab.state.get_market()
    assert after.escrowed == before.escrowed + 1000
    assert after.burned == before.burned + BURN
    assert (executed.stats.burned, executed.stats.posted_burn) == (BURN, BURN)
    assert list_queue(lab, Kind.DEADLINE) == [(12, job_id)]
    assert executed.stats.tickets_posted == TICKETS
    assert list_concerned(executed) == [ALICE.address]


@pytest.mark.parametrize(
    ("deadline", "code"), [(5, "deadline-passed"), (6, "deadline-passed"), (7, ""), (26, ""), (27, "deadline-too-far")]
)
def test_deadlines_of_a_job_posted_at_6(deadline: int, code: str) -> None:
    lab = Lab()
    lab.mine_until(5)
    assert refuse(lab, ALICE, make_post(6, deadline=deadline)) == code


def test_the_poster_burns_no_more_than_signed_for() -> None:
    lab = Lab()
    assert refuse(lab, ALICE, make_post(1, max_burn=BURN - 1)) == "burn-above-maximum"
    assert refuse(lab, ALICE, make_post(1, max_burn=BURN)) == ""


def test_a_burn_past_64_bits_is_refused_before_it_is_compared() -> None:
    lab = Lab(msgspec.structs.replace(PARAMS, job_fee=2**64 - 1))
    assert refuse(lab, ALICE, make_post(1, max_burn=2**64 - 1)) == "overflow"


def test_reward_burn_and_fee_must_be_there() -> None:
    lab = Lab()
    assert refuse(lab, ALICE, make_post(1, reward=1_000_000 - BURN - 1)) == ""
    assert refuse(lab, ALICE, make_post(1, reward=1_000_000 - BURN)) == "insufficient-balance"


def test_a_job_claimed_and_delivered() -> None:
    lab = Lab()
    job_id = lab.post()
    executed = do(lab, BOB, ClaimJob(job_id))
    assert list_concerned(executed) == [BOB.address, ALICE.address]
    account = lab.state.get_account(BOB.address)
    assert (account.balance, account.bonded, account.open_claims) == (500_000 - 1 - 101, 101, 1)
    assert lab.state.get_claim(job_id) == Claim(BOB.address, 101, 2, 5)
    assert list_queue(lab, Kind.LAPSE) == [(6, job_id)]
    assert (get_job(lab, job_id).state, get_job(lab, job_id).worker) == (JobState.CLAIMED, BOB.address)

    executed = do(lab, BOB, SubmitResult(job_id, Y))
    account = lab.state.get_account(BOB.address)
    assert (account.balance, account.bonded, account.open_claims) == (500_000 - 2 + 1000, 0, 0)
    assert (account.reputation, account.reputation_height) == (BURN, 3)
    assert lab.state.get_claim(job_id) is None
    assert list_queue(lab, Kind.LAPSE) == []
    assert lab.state.get_market().escrowed == 0
    job = get_job(lab, job_id)
    assert (job.state, job.worker, job.work.y, job.closed_at) == (JobState.SETTLED, BOB.address, Y, 3)
    assert executed.stats.settled == (job_id,)
    assert (executed.stats.tickets_settled, executed.stats.settled_burn) == (TICKETS, BURN)
    assert list_queue(lab, Kind.DEADLINE) == []
    assert list_queue(lab, Kind.REMOVAL) == [(33, job_id)]
    assert list_concerned(executed) == [BOB.address, ALICE.address]


def test_a_settled_job_is_over() -> None:
    lab = Lab()
    job_id = lab.post()
    do(lab, BOB, ClaimJob(job_id))
    do(lab, BOB, SubmitResult(job_id, Y))
    assert refuse(lab, BOB, SubmitResult(job_id, Y)) == "job-not-claimed"
    assert refuse(lab, BOB, ClaimJob(job_id)) == "job-not-open"
    assert refuse(lab, ALICE, CancelJob(job_id)) == "job-not-open"


def test_unknown_jobs() -> None:
    lab = Lab()
    for payload in (ClaimJob(bytes(32)), SubmitResult(bytes(32), Y), CancelJob(bytes(32))):
        assert refuse(lab, ALICE, payload) == "unknown-job"


def test_a_claim_is_for_its_worker_alone() -> None:
    lab = Lab()
    job_id = lab.post()
    assert refuse(lab, BOB, SubmitResult(job_id, Y)) == "job-not-claimed"
    do(lab, BOB, ClaimJob(job_id))
    assert refuse(lab, ALICE, ClaimJob(job_id)) == "job-not-open"
    assert refuse(lab, ALICE, SubmitResult(job_id, Y)) == "not-the-claimer"
    assert refuse(lab, ALICE, CancelJob(job_id)) == "job-not-open"


def test_the_result_must_fit_and_be_right() -> None:
    lab = Lab()
    job_id = lab.post()
    do(lab, BOB, ClaimJob(job_id))
    assert refuse(lab, BOB, SubmitResult(job_id, make_result(48, 32))) == "bad-result-shape"
    lab.products.wrong.add(Y.id)
    assert refuse(lab, BOB, SubmitResult(job_id, Y)) == "wrong-result"
    assert refuse(lab, BOB, SubmitResult(job_id, make_result(32, 48, 9))) == ""
    lab.products.missing.add(Y.id)
    with pytest.raises(VerdictMissing):
        lab.begin().add(lab.sign(BOB, SubmitResult(job_id, Y)))


def test_a_poster_takes_its_reward_back_but_not_the_burn() -> None:
    lab = Lab()
    job_id = lab.post()
    assert refuse(lab, BOB, CancelJob(job_id)) == "not-the-poster"
    do(lab, ALICE, CancelJob(job_id))
    assert lab.state.get_account(ALICE.address).balance == 1_000_000 - BURN - 2
    market = lab.state.get_market()
    assert (market.escrowed, market.burned) == (0, BURN)
    assert (get_job(lab, job_id).state, get_job(lab, job_id).closed_at) == (JobState.CANCELLED, 2)
    assert refuse(lab, BOB, ClaimJob(job_id)) == "job-not-open"
    assert refuse(lab, ALICE, CancelJob(job_id)) == "job-not-open"


def test_a_lapsed_claim() -> None:
    lab = Lab()
    # Bob has earned a reputation of BURN before
    first = lab.post()
    do(lab, BOB, ClaimJob(first))
    do(lab, BOB, SubmitResult(first, Y))
    job_id = lab.post()
    do(lab, BOB, ClaimJob(job_id))  # at 5, until 8
    bob, alice = (lab.state.get_account(k.address).balance for k in (BOB, ALICE))
    burned = lab.state.get_market().burned
    lab.mine_until(8)
    assert get_job(lab, job_id).state == JobState.CLAIMED
    executed = lab.mine(miner=NOBODY)
    account = lab.state.get_account(BOB.address)
    assert (account.balance, account.bonded, account.open_claims) == (bob, 0, 0)
    assert (account.reputation, account.reputation_height) == (BURN * 3 // 4, 9)
    # of a bond of 101, 50 to the poster and 51 burned
    assert lab.state.get_account(ALICE.address).balance == alice + 50
    # the block after the checkpoint at 8 burns the pot of its epoch as well, since nobody votes
    assert lab.state.get_market().burned == burned + 51 + 8 * POT
    assert executed.stats.burned == 51 + 8 * POT
    assert lab.state.get_claim(job_id) is None
    assert list_queue(lab, Kind.LAPSE) == []
    assert (get_job(lab, job_id).state, get_job(lab, job_id).worker) == (JobState.OPEN, None)
    do(lab, BOB, ClaimJob(job_id))


def test_the_last_height_of_a_claim_still_counts() -> None:
    lab = Lab()
    job_id = lab.post()
    do(lab, BOB, ClaimJob(job_id))  # at 2, until 5
    lab.mine_until(4)
    do(lab, BOB, SubmitResult(job_id, Y))
    assert lab.height == 5
    assert get_job(lab, job_id).state == JobState.SETTLED
    lab.mine(miner=NOBODY)
    assert lab.state.get_account(BOB.address).bonded == 0


def test_a_lapse_and_a_new_claim_in_one_block() -> None:
    lab = Lab()
    job_id = lab.post()
    do(lab, BOB, ClaimJob(job_id))
    lab.mine_until(5)
    assert refuse(lab, BOB, SubmitResult(job_id, Y)) == "job-not-claimed"
    do(lab, ALICE, ClaimJob(job_id))
    assert lab.state.get_claim(job_id) == Claim(ALICE.address, 101, 6, 9)


def test_no_claim_outlives_the_deadline() -> None:
    lab = Lab()
    job_id = lab.post(deadline=4)
    lab.mine_until(3)
    do(lab, BOB, ClaimJob(job_id))
    assert lab.state.get_claim(job_id) == Claim(BOB.address, 101, 4, 4)
    lab.mine(miner=NOBODY)
    assert get_job(lab, job_id).state == JobState.CANCELLED
    assert refuse(lab, BOB, ClaimJob(job_id)) == "job-not-open"
    assert refuse(lab, ALICE, CancelJob(job_id)) == "job-not-open"


def test_open_claims_are_limited() -> None:
    lab = Lab()
    first, second, third = lab.post(), lab.post(), lab.post()
    do(lab, BOB, ClaimJob(first))
    do(lab, BOB, ClaimJob(second))
    assert refuse(lab, BOB, ClaimJob(third)) == "too-many-claims"
    do(lab, BOB, SubmitResult(first, Y))
    assert refuse(lab, BOB, ClaimJob(third)) == ""


def test_the_bond_must_be_there() -> None:
    lab = Lab(allocations={ALICE.address: Nano(1_000_000), BOB.address: Nano(102), CAROL.address: Nano(101)})
    job_id = lab.post()
    assert refuse(lab, CAROL, ClaimJob(job_id)) == "insufficient-balance"
    assert refuse(lab, BOB, ClaimJob(job_id)) == ""


def test_ones_own_job_can_be_worked_and_can_lapse() -> None:
    lab = Lab()
    job_id = lab.post()
    do(lab, ALICE, ClaimJob(job_id))
    lab.mine_until(6)
    assert lab.state.get_account(ALICE.address).balance == 1_000_000 - BURN - 2 - 1000 - 51
    do(lab, ALICE, ClaimJob(job_id))
    do(lab, ALICE, SubmitResult(job_id, Y))
    assert lab.state.get_account(ALICE.address).balance == 1_000_000 - BURN - 4 - 51


def test_an_open_job_past_its_deadline_is_cancelled() -> None:
    lab = Lab()
    job_id = lab.post(deadline=4)
    before = lab.state.get_account(ALICE.address).balance
    lab.mine_until(4)
    assert get_job(lab, job_id).state == JobState.OPEN
    [event] = lab.mine(miner=NOBODY).job_events
    assert (event.kind, event.worker, event.amount) == (JobEventKind.CANCELLED, None, 1000)
    assert (get_job(lab, job_id).state, get_job(lab, job_id).closed_at) == (JobState.CANCELLED, 5)
    assert lab.state.get_account(ALICE.address).balance == before + 1000
    assert lab.state.get_market().escrowed == 0
    assert list_queue(lab, Kind.DEADLINE) == []


def test_a_job_that_would_open_past_its_deadline_is_cancelled() -> None:
    lab = Lab()
    job_id = lab.post(deadline=4)
    do(lab, BOB, ClaimJob(job_id))  # until 4
    lab.mine_until(4)
    kinds = [event.kind for event in lab.mine(miner=NOBODY).job_events]
    assert kinds == [JobEventKind.LAPSED, JobEventKind.CANCELLED]
    assert get_job(lab, job_id).state == JobState.CANCELLED
    assert lab.state.get_account(ALICE.address).balance == 1_000_000 - 1 - BURN + 50


def test_closed_jobs_leave_the_state_after_the_retention() -> None:
    lab = Lab()
    job_id = lab.post()
    do(lab, ALICE, CancelJob(job_id))  # at 2
    lab.mine_until(31)
    assert get_job(lab, job_id).state == JobState.CANCELLED
    lab.mine(miner=NOBODY)
    assert lab.height == 32
    assert lab.state.get_job(job_id) is None
    assert list_queue(lab, Kind.REMOVAL) == []
    assert refuse(lab, ALICE, CancelJob(job_id)) == "unknown-job"


def test_reputation_raises_the_limit_and_fades() -> None:
    lab = Lab(msgspec.structs.replace(PARAMS, reputation_per_claim=BURN))
    first = lab.post()
    do(lab, BOB, ClaimJob(first))
    do(lab, BOB, SubmitResult(first, Y))
    claims = [lab.post(deadline=20, claim_window=6) for _ in range(3)]
    for job_id in claims:
        do(lab, BOB, ClaimJob(job_id))
    assert lab.height == 9
    bob = lab.state.get_account(BOB.address)
    assert bob.open_claims == 3
    assert compute_reputation(lab.params, bob, Height(9)) == BURN
    assert compute_reputation(lab.params, bob, Height(10)) == BURN // 2
