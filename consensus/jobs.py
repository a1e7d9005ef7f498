"""The life of a job (protocol, section 5): it is posted, claimed and delivered, or cancelled, or its claim lapses.

This module covers mode checked; `inos.consensus.optimistic` adds mode optimistic.

OPEN --claim--> CLAIMED --result--> SETTLED
 | ^               |
 | +----lapse------+        OPEN --cancel, or deadline--> CANCELLED
"""

import msgspec

from inos.consensus.codes import Code
from inos.consensus.disputes import check_jury_exists
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.jury import MAX_BOND_SUBSIDIES
from inos.consensus.movements import Reason
from inos.consensus.optimistic import process_delivery
from inos.consensus.params import compute_subsidy
from inos.consensus.prices import compute_job_price
from inos.consensus.records import Claim, Job, JobState, Kind
from inos.consensus.reputation import compute_open_claim_limit
from inos.consensus.settlement import (
    cancel,
    compute_job_tickets,
    get_deadline_height,
    get_job,
    get_lapse_height,
    settle,
)
from inos.consensus.state import compute_reputation
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import MatrixRef, Product
from inos.primitives.transactions import CancelJob, ClaimJob, JobMode, PostJob, SubmitResult
from inos.primitives.units import U64_MAX, Address, JobId, Nano


def process_post_job(effects: Effects, sender: Address, job_id: JobId, payload: PostJob) -> None:
    """Escrow the reward, burn the price of posting, and open the job under the id of its transaction.

    Raises:
        RuleViolation: "deadline-passed", "deadline-too-far", "bond-too-large", "overflow", "burn-above-maximum",
            "insufficient-balance".
    """
    _check_deadline(effects, payload)
    _check_bond(effects, payload)
    burned = _compute_burn(effects, payload)
    effects.move(sender, Reason.JOB_REWARD_ESCROWED, payload.reward, job=job_id)
    effects.move(sender, Reason.JOB_BURN, burned, job=job_id)
    effects.escrow(payload.reward)
    effects.burn(burned)
    effects.tickets_posted += compute_job_tickets(payload.x, payload.w)
    effects.posted_burn += burned
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
    effects.state.enqueue(Kind.DEADLINE, get_deadline_height(job), job_id)
    effects.note_job(JobEventKind.POSTED, job_id, job, None, burned)


def process_claim_job(effects: Effects, sender: Address, payload: ClaimJob) -> None:
    """Lock the bond and reserve the job for the sender until min(height + claim_window, deadline).

    Raises:
        RuleViolation: "unknown-job", "job-not-open", "deadline-passed", "too-many-claims", "no-jury",
            "insufficient-balance".
    """
    job_id = JobId(payload.job)
    job = get_job(effects, job_id)
    _check_open(job_id, job)
    if effects.height > job.deadline:
        raise RuleViolation(
            Code.DEADLINE_PASSED, f"job {job_id.hex()}", expected=f"height <= {job.deadline}", got=effects.height
        )
    _check_claim_limit(effects, sender)
    if job.mode == JobMode.OPTIMISTIC:
        check_jury_exists(effects.state, job_id, job, sender)
    claim = Claim(sender, job.bond, effects.height, min(effects.height + job.claim_window, job.deadline))
    effects.open_claim(sender, Nano(job.bond), job_id, Address(job.poster))
    effects.state.set_claim(job_id, claim)
    effects.state.enqueue(Kind.LAPSE, get_lapse_height(claim), job_id)
    effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.CLAIMED, worker=sender))
    effects.note_job(JobEventKind.CLAIMED, job_id, job, sender, job.bond)
    effects.touch(Address(job.poster))


def process_submit_result(effects: Effects, sender: Address, payload: SubmitResult) -> None:
    """Pay the claimer reward and bond for the product, and add reputation by what the job burned.

    The block's execution looks up whether the product is right (see `inos.consensus.results`). In mode optimistic
    nothing is paid yet: see `inos.consensus.optimistic`.

    Raises:
        RuleViolation: "unknown-job", "job-not-claimed", "not-the-claimer", "claim-expired", "bad-result-shape".
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
    if effects.height > claim.expires_at:
        raise RuleViolation(
            Code.CLAIM_EXPIRED, f"job {job_id.hex()}", expected=f"height <= {claim.expires_at}", got=effects.height
        )
    _check_shape(job_id, job, payload.y)
    if job.mode == JobMode.OPTIMISTIC:
        process_delivery(effects, job_id, job, claim, payload.y)
        return
    effects.products.append(Product(job_id, job.x, job.w, payload.y))
    effects.state.dequeue(Kind.LAPSE, get_lapse_height(claim), job_id)
    settle(effects, job_id, job, claim, payload.y)
    effects.touch(Address(job.poster))


def process_cancel_job(effects: Effects, sender: Address, payload: CancelJob) -> None:
    """Return the reward of an unclaimed job to its poster; what was burned stays burned.

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
    cancel(effects, job_id, job)


def _compute_burn(effects: Effects, payload: PostJob) -> int:
    """Return what posting the job burns in this block.

    Raises:
        RuleViolation: "overflow", "burn-above-maximum".
    """
    x, w = payload.x, payload.w
    price = compute_job_price(
        effects.params,
        effects.height,
        effects.difficulty,
        rows_x=x.rows,
        rows_w=w.rows,
        depth=x.cols,
        mode=payload.mode,
    )
    if price.total > U64_MAX:
        raise RuleViolation(
            Code.OVERFLOW, "what the job burns does not fit 64 bits", expected=f"at most {U64_MAX}", got=price.total
        )
    if price.total > payload.max_burn:
        raise RuleViolation(
            Code.BURN_ABOVE_MAXIMUM,
            "the job burns more than its poster signed for",
            expected=f"at most {payload.max_burn} nano",
            got=price.total,
        )
    return price.total


def _check_shape(job_id: JobId, job: Job, y: MatrixRef) -> None:
    if (y.rows, y.cols) != (job.x.rows, job.w.rows):
        raise RuleViolation(
            Code.BAD_RESULT_SHAPE,
            f"result of job {job_id.hex()}",
            expected=f"{job.x.rows} x {job.w.rows}",
            got=f"{y.rows} x {y.cols}",
        )


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


def _check_bond(effects: Effects, payload: PostJob) -> None:
    """Check that a jury of an optimistic job is worth less than discarding a block to draw another jury."""
    most = MAX_BOND_SUBSIDIES * compute_subsidy(effects.params, effects.height)
    if payload.mode == JobMode.OPTIMISTIC and payload.bond > most:
        raise RuleViolation(
            Code.BOND_TOO_LARGE, "the optimistic job's bond", expected=f"at most {most}", got=payload.bond
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
