"""The life of a job (protocol, section 5): it is posted, claimed and delivered, or cancelled, or its claim lapses.

`inos.consensus.posting` opens jobs, and `inos.consensus.optimistic` adds mode optimistic.

OPEN --claim--> CLAIMED --result--> SETTLED
 | ^               |
 | +----lapse------+        OPEN --cancel, or deadline--> CANCELLED
"""

import msgspec

from inos.consensus.codes import Code
from inos.consensus.disputes import check_jury_exists
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.optimistic import process_delivery
from inos.consensus.records import Claim, Job, JobState, Kind, ProductWork
from inos.consensus.reputation import compute_open_claim_limit
from inos.consensus.settlement import (
    cancel,
    get_job,
    get_lapse_height,
    get_product,
    get_task,
    settle,
)
from inos.consensus.state import compute_reputation
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import MatrixRef, Product
from inos.primitives.transactions import CancelJob, ClaimJob, JobMode, SubmitOutcome, SubmitResult
from inos.primitives.units import Address, JobId, Nano


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
        RuleViolation: "unknown-job", "wrong-kind", "job-not-claimed", "not-the-claimer", "claim-expired",
            "bad-result-shape".
    """
    job_id = JobId(payload.job)
    job = get_job(effects, job_id)
    product = get_product(job_id, job)
    claim = _get_claim(effects, sender, job_id, job)
    _check_shape(job_id, product, payload.y)
    job = msgspec.structs.replace(job, work=msgspec.structs.replace(product, y=payload.y))
    if job.mode == JobMode.OPTIMISTIC:
        process_delivery(effects, job_id, job, claim)
        return
    effects.products.append(Product(job_id, product.x, product.w, payload.y))
    effects.state.dequeue(Kind.LAPSE, get_lapse_height(claim), job_id)
    settle(effects, job_id, job, claim)
    effects.touch(Address(job.poster))


def process_submit_outcome(effects: Effects, sender: Address, payload: SubmitOutcome) -> None:
    """Accept the claimer's outcome of a task; like every optimistic result it is paid when it falls due.

    Raises:
        RuleViolation: "unknown-job", "wrong-kind", "job-not-claimed", "not-the-claimer", "claim-expired".
    """
    job_id = JobId(payload.job)
    job = get_job(effects, job_id)
    task = get_task(job_id, job)
    claim = _get_claim(effects, sender, job_id, job)
    work = msgspec.structs.replace(task, outputs=payload.outputs)
    process_delivery(effects, job_id, msgspec.structs.replace(job, work=work), claim)


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


def _get_claim(effects: Effects, sender: Address, job_id: JobId, job: Job) -> Claim:
    """Return the claim on which the sender delivers.

    Raises:
        RuleViolation: "job-not-claimed", "not-the-claimer", "claim-expired".
    """
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
    return claim


def _check_shape(job_id: JobId, product: ProductWork, y: MatrixRef) -> None:
    if (y.rows, y.cols) != (product.x.rows, product.w.rows):
        raise RuleViolation(
            Code.BAD_RESULT_SHAPE,
            f"result of job {job_id.hex()}",
            expected=f"{product.x.rows} x {product.w.rows}",
            got=f"{y.rows} x {y.cols}",
        )


def _check_open(job_id: JobId, job: Job) -> None:
    if job.state != JobState.OPEN:
        raise RuleViolation(Code.JOB_NOT_OPEN, f"job {job_id.hex()}", expected="open", got=job.state.name.lower())


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
