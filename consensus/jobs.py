"""The life of a job (protocol, section 5): posted, claimed, delivered; cancelled; or its claim lapses.

This is mode checked; what mode optimistic adds is in `inos.consensus.optimistic`.

OPEN --claim--> CLAIMED --result--> SETTLED
 | ^               |
 | +----lapse------+        OPEN --cancel--> CANCELLED
"""

from typing import Final, Protocol

import msgspec

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.movements import Reason
from inos.consensus.optimistic import process_delivery
from inos.consensus.records import Claim, Job, JobState, Lapse
from inos.consensus.reputation import compute_open_claim_limit, cut_reputation
from inos.consensus.settlement import compute_job_tickets, get_job, remove_lapse, settle
from inos.consensus.state import compute_reputation
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import CancelJob, ClaimJob, JobMode, PostJob, SubmitResult
from inos.primitives.units import Address, Height, JobId, Nano

MAX_LAPSES_PER_HEIGHT: Final = 4096
"""Claims that may expire at one height, so that no block has unbounded work to do (docs/decisions/0006)."""


class ResultChecker(Protocol):
    """Whether a delivered product is right; answers from matrices that the node holds."""

    def is_result_correct(self, job: JobId, x: MatrixRef, w: MatrixRef, y: MatrixRef) -> bool:
        """Whether Y = X * W^T.

        Raises:
            MatrixMissing: with the ids of those of the three that are not here.
        """


def process_post_job(effects: Effects, sender: Address, job_id: JobId, payload: PostJob) -> None:
    """Escrow the reward, burn base_fee * tickets, open the job under the id of its transaction.

    Raises:
        RuleViolation: "deadline-passed", "deadline-too-far", "base-fee-above-maximum", "insufficient-balance".
    """
    _check_deadline(effects, payload)
    base_fee = effects.state.get_market().base_fee
    if base_fee > payload.max_base_fee:
        raise RuleViolation(
            Code.BASE_FEE_ABOVE_MAXIMUM,
            "the base fee is higher than the poster signed for",
            expected=f"at most {payload.max_base_fee} nano per ticket",
            got=base_fee,
        )
    tickets = compute_job_tickets(payload.x, payload.w)
    burned = base_fee * tickets
    effects.move(sender, Reason.JOB_REWARD_ESCROWED, payload.reward, job=job_id)
    effects.move(sender, Reason.JOB_BURN, burned, job=job_id)
    effects.escrow(payload.reward)
    effects.burn(burned)
    effects.tickets_posted += tickets
    job = Job(
        poster=sender,
        x=payload.x,
        w=payload.w,
        reward=payload.reward,
        bond=payload.bond,
        claim_window=payload.claim_window,
        deadline=payload.deadline,
        mode=payload.mode,
        posted_at=effects.height,
        burned=burned,
        state=JobState.OPEN,
        worker=None,
        y=None,
        closed_at=0,
    )
    effects.state.set_job(job_id, job)
    effects.note_job(JobEventKind.POSTED, job_id, job, None, burned)


def process_claim_job(effects: Effects, sender: Address, payload: ClaimJob) -> None:
    """Lock the bond and give the sender the job alone until min(height + claim_window, deadline).

    Raises:
        RuleViolation: "unknown-job", "job-not-open", "deadline-passed", "too-many-claims",
            "expiry-height-full", "insufficient-balance".
    """
    job_id = JobId(payload.job)
    job = get_job(effects, job_id)
    _check_open(job_id, job)
    if effects.height > job.deadline:
        raise RuleViolation(
            Code.DEADLINE_PASSED, f"job {job_id.hex()}", expected=f"height <= {job.deadline}", got=effects.height
        )
    _check_claim_limit(effects, sender)
    expires_at = Height(min(effects.height + job.claim_window, job.deadline))
    lapse = effects.state.get_lapse(expires_at)
    if len(lapse.jobs) >= MAX_LAPSES_PER_HEIGHT:
        raise RuleViolation(
            Code.EXPIRY_HEIGHT_FULL,
            f"too many claims expire at height {expires_at}",
            expected=f"fewer than {MAX_LAPSES_PER_HEIGHT}",
            got=len(lapse.jobs),
        )
    effects.open_claim(sender, Nano(job.bond), job_id, Address(job.poster))
    effects.state.set_claim(job_id, Claim(sender, job.bond, effects.height, expires_at))
    effects.state.set_lapse(expires_at, Lapse((*lapse.jobs, job_id)))
    effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.CLAIMED, worker=sender))
    effects.note_job(JobEventKind.CLAIMED, job_id, job, sender, job.bond)
    effects.touch(Address(job.poster))


def process_submit_result(effects: Effects, sender: Address, payload: SubmitResult, results: ResultChecker) -> None:
    """Pay the claimer for the right product: reward and bond, merit and reputation by the product's tickets.

    In mode optimistic nothing is checked but the shape, and nothing paid yet: see `inos.consensus.optimistic`.

    Raises:
        RuleViolation: "unknown-job", "job-not-claimed", "not-the-claimer", "bad-result-shape", "wrong-result",
            "due-height-full".
        MatrixMissing: the product cannot be checked here yet.
    """
    job_id = JobId(payload.job)
    job = get_job(effects, job_id)
    claim = effects.state.get_claim(job_id)
    if claim is None or job.state != JobState.CLAIMED:
        raise RuleViolation(
            Code.JOB_NOT_CLAIMED, f"job {job_id.hex()}", expected="a claimed job", got=f"a job {job.state.name.lower()}"
        )
    if claim.worker != sender:
        raise RuleViolation(
            Code.NOT_THE_CLAIMER,
            f"job {job_id.hex()}",
            expected=f"a result from {claim.worker.hex()}",
            got=sender.hex(),
        )
    if (payload.y.rows, payload.y.cols) != (job.x.rows, job.w.rows):
        raise RuleViolation(
            Code.BAD_RESULT_SHAPE,
            f"result of job {job_id.hex()}",
            expected=f"{job.x.rows} x {job.w.rows}",
            got=f"{payload.y.rows} x {payload.y.cols}",
        )
    if job.mode == JobMode.OPTIMISTIC:
        process_delivery(effects, job_id, job, claim, payload.y)
        return
    if not results.is_result_correct(job_id, job.x, job.w, payload.y):
        raise make_wrong_result(job_id, payload.y)
    remove_lapse(effects, job_id, claim)
    settle(effects, job_id, job, claim, payload.y)
    effects.touch(Address(job.poster))


def make_wrong_result(job: JobId, y: MatrixRef) -> RuleViolation:
    """The error for a product that Freivalds' check refuses."""
    return RuleViolation(Code.WRONG_RESULT, f"{y.id.hex()} is not the product that job {job.hex()} asks for")


def process_cancel_job(effects: Effects, sender: Address, payload: CancelJob) -> None:
    """Give the poster the reward of an unclaimed job back; what was burned stays burned.

    Past its deadline a job is always unclaimed, since no claim outlives the deadline.

    Raises:
        RuleViolation: "unknown-job", "not-the-poster", "job-not-open".
    """
    job_id = JobId(payload.job)
    job = get_job(effects, job_id)
    if job.poster != sender:
        raise RuleViolation(
            Code.NOT_THE_POSTER, f"job {job_id.hex()}", expected=f"an order from {job.poster.hex()}", got=sender.hex()
        )
    _check_open(job_id, job)
    effects.release_escrow(job.reward)
    effects.move(sender, Reason.JOB_REWARD_RETURNED, job.reward, job=job_id)
    closed = msgspec.structs.replace(job, state=JobState.CANCELLED, closed_at=effects.height)
    effects.state.set_job(job_id, closed)
    effects.note_job(JobEventKind.CANCELLED, job_id, job, None, job.reward)


def process_lapses(effects: Effects, expired: Height) -> None:
    """Close the claims whose last height was `expired`, in the order they were made; their jobs open again.

    Of each bond half, rounded down, goes to the poster and the rest is burned; the worker keeps three
    quarters of its reputation.
    """
    for job_id in map(JobId, effects.state.get_lapse(expired).jobs):
        job, claim = get_job(effects, job_id), effects.state.get_claim(job_id)
        if claim is None:
            raise LookupError(f"a claim on job {job_id.hex()} should lapse, but there is none")
        worker, poster = Address(claim.worker), Address(job.poster)
        to_poster = claim.bond // 2
        effects.close_claim(worker, Reason.CLAIM_LAPSED, Nano(claim.bond), job_id, poster)
        account = cut_reputation(effects.params, effects.state.get_account(worker), effects.height)
        effects.state.set_account(worker, account)
        effects.move(poster, Reason.LAPSE_COMPENSATION, to_poster, counterparty=worker, job=job_id)
        effects.burn(claim.bond - to_poster)
        effects.state.set_claim(job_id, None)
        effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.OPEN, worker=None))
        effects.note_job(JobEventKind.LAPSED, job_id, job, worker, claim.bond)
    effects.state.set_lapse(expired, Lapse())


def _check_open(job_id: JobId, job: Job) -> None:
    if job.state != JobState.OPEN:
        raise RuleViolation(Code.JOB_NOT_OPEN, f"job {job_id.hex()}", expected="open", got=job.state.name.lower())


def _check_deadline(effects: Effects, payload: PostJob) -> None:
    if payload.deadline <= effects.height:
        raise RuleViolation(
            Code.DEADLINE_PASSED, "the job's deadline", expected=f"above height {effects.height}", got=payload.deadline
        )
    last = effects.height + effects.params.max_job_lifetime
    if payload.deadline > last:
        raise RuleViolation(
            Code.DEADLINE_TOO_FAR, "the job's deadline", expected=f"at most {last}", got=payload.deadline
        )


def _check_claim_limit(effects: Effects, sender: Address) -> None:
    account = effects.state.get_account(sender)
    limit = compute_open_claim_limit(effects.params, compute_reputation(effects.params, account, effects.height))
    if account.open_claims >= limit:
        raise RuleViolation(
            Code.TOO_MANY_CLAIMS,
            f"open claims of {sender.hex()}, limited by its reputation",
            expected=f"fewer than {limit}",
            got=account.open_claims,
        )
