"""The next step for a job in every state of the chain."""

from typing import Any

import pytest

from inos.consensus.records import Claim, Job, JobState, ProductWork
from inos.miner.lifecycle import Decision, Observation, Progress, Step, decide
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import JobMode
from inos.primitives.units import Address, Height

ME = Address(bytes([1]) * 20)
OTHER = Address(bytes([2]) * 20)
REF = MatrixRef(bytes(32), 16, 16, bytes(32))


def make_job(state: JobState, worker: Address | None = None, closed_at: int = 0) -> Job:
    return Job(OTHER, ProductWork(REF, REF, JobMode.CHECKED), 10, 1, 20, 500, 1, 1, state, worker, closed_at)


def look(job: Job | None, *, done: bool = False, sent: int = 1, seen: int | None = 100, **fields: Any) -> Decision:
    values: dict[str, Any] = {
        "height": Height(100),
        "job": job,
        "claim": Claim(ME, 1, 90, 120) if job is not None and job.state is JobState.CLAIMED else None,
        "is_posting_pending": False,
        "is_claim_pending": False,
        "is_result_pending": False,
        "is_finishable": True,
    }
    progress = Progress(claims_sent=sent, is_complete=done, last_seen=None if seen is None else Height(seen))
    return decide(ME, progress, Observation(**(values | fields)))


OPEN = make_job(JobState.OPEN)
MINE = make_job(JobState.CLAIMED, ME)


@pytest.mark.parametrize("done", [False, True])
def test_an_open_job_is_claimed_once_and_then_waited_for(done: bool) -> None:
    assert look(OPEN, sent=0, done=done).step is Step.CLAIM
    assert look(OPEN, sent=1, done=done, is_claim_pending=True) == Decision(Step.WAIT, "claim-pending")


def test_a_job_that_no_block_has_yet_is_claimed_while_its_posting_waits() -> None:
    assert look(None, seen=None, sent=0, is_posting_pending=True).step is Step.CLAIM
    assert look(None, seen=None, is_posting_pending=True, is_claim_pending=True) == Decision(Step.WAIT, "claim-pending")
    assert look(None, seen=None, is_claim_pending=True) == Decision(Step.DROP, "posting-gone")


def test_a_claim_on_chain_starts_the_work_and_a_product_is_submitted() -> None:
    assert look(MINE).step is Step.MINE
    assert look(MINE, done=True).step is Step.SUBMIT
    assert look(MINE, done=True, is_result_pending=True) == Decision(Step.WAIT, "result-pending")


def test_a_claim_that_lapsed_or_was_reorganised_away_is_sent_again_a_few_times() -> None:
    assert look(OPEN, sent=2, done=True).step is Step.CLAIM
    assert look(OPEN, sent=3, done=True) == Decision(Step.DROP, "claimed-too-often")


def test_a_job_that_cannot_be_finished_any_more_is_not_claimed_again() -> None:
    assert look(OPEN, is_finishable=False) == Decision(Step.DROP, "cannot-finish")


def test_a_job_somebody_else_holds_or_delivered_is_dropped() -> None:
    assert look(make_job(JobState.CLAIMED, OTHER)) == Decision(Step.DROP, "claimed-by-another")
    assert look(make_job(JobState.SETTLED, OTHER, 99)) == Decision(Step.DROP, "settled-by-another")
    assert look(make_job(JobState.CANCELLED)) == Decision(Step.DROP, "cancelled")
    assert look(make_job(JobState.DELIVERED, OTHER)) == Decision(Step.DROP, "delivered-by-another")


def test_a_payment_is_watched_until_it_is_deep_and_the_result_sent_again_if_it_is_undone() -> None:
    assert look(make_job(JobState.DELIVERED, ME), done=True) == Decision(Step.WAIT, "challenge-window")
    assert look(make_job(JobState.SETTLED, ME, 85), done=True).step is Step.SETTLED
    assert look(make_job(JobState.SETTLED, ME, 84), done=True).step is Step.FINISHED
    assert look(MINE, done=True).step is Step.SUBMIT


def test_a_job_whose_posting_was_reorganised_away_is_given_time_to_come_back() -> None:
    assert look(None, seen=84) == Decision(Step.WAIT, "job-missing")
    assert look(None, seen=83) == Decision(Step.DROP, "job-gone")
