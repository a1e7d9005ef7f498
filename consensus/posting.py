"""Posting: a product or a task is opened as a job, its reward escrowed and the price of posting burned (protocol,
section 5)."""

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.jury import MAX_BOND_SUBSIDIES
from inos.consensus.movements import Reason
from inos.consensus.params import compute_subsidy
from inos.consensus.prices import JobPrice, compute_job_price, compute_task_price
from inos.consensus.records import Job, JobState, Kind, ProductWork, TaskWork
from inos.consensus.settlement import get_deadline_height
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import JobMode, PostJob, PostTask
from inos.primitives.units import U64_MAX, Address, Height, JobId


def process_post(effects: Effects, sender: Address, job_id: JobId, payload: PostJob | PostTask) -> None:
    """Escrow the reward, burn the price of posting, and open the job under the id of its transaction.

    Raises:
        RuleViolation: "deadline-passed", "deadline-too-far", "bond-too-large", "overflow", "burn-above-maximum",
            "insufficient-balance".
    """
    job = make_job(sender, payload, effects.height, 0)
    _check_deadline(effects, payload)
    _check_bond(effects, job)
    job = make_job(sender, payload, effects.height, _compute_burn(effects, payload))
    effects.move(sender, Reason.JOB_REWARD_ESCROWED, payload.reward, job=job_id)
    effects.move(sender, Reason.JOB_BURN, job.burned, job=job_id)
    effects.escrow(payload.reward)
    effects.burn(job.burned)
    effects.tickets_posted += job.work.tickets
    effects.posted_burn += job.burned
    effects.state.set_job(job_id, job)
    effects.state.enqueue(Kind.DEADLINE, get_deadline_height(job), job_id)
    effects.note_job(JobEventKind.POSTED, job_id, job, None, job.burned)


def make_job(poster: Address, payload: PostJob | PostTask, height: Height, burned: int) -> Job:
    """Return the open job that a payload posts in the block at `height`, where it burns `burned` nano."""
    return Job(
        poster=poster,
        work=_make_work(payload),
        reward=payload.reward,
        bond=payload.bond,
        claim_window=payload.claim_window,
        deadline=payload.deadline,
        posted_at=height,
        burned=burned,
        state=JobState.OPEN,
        worker=None,
        closed_at=0,
    )


def _make_work(payload: PostJob | PostTask) -> ProductWork | TaskWork:
    if isinstance(payload, PostJob):
        return ProductWork(payload.x, payload.w, payload.mode)
    return TaskWork(payload.kind, payload.spec, payload.inputs, payload.tickets, payload.units)


def _compute_price(effects: Effects, payload: PostJob | PostTask) -> JobPrice:
    if isinstance(payload, PostTask):
        return compute_task_price(effects.params, effects.height, effects.difficulty, payload.units)
    return compute_job_price(
        effects.params,
        effects.height,
        effects.difficulty,
        rows_x=payload.x.rows,
        rows_w=payload.w.rows,
        depth=payload.x.cols,
        mode=payload.mode,
    )


def _compute_burn(effects: Effects, payload: PostJob | PostTask) -> int:
    """Return what posting the job burns in this block.

    Raises:
        RuleViolation: "overflow", "burn-above-maximum".
    """
    price = _compute_price(effects, payload)
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


def _check_deadline(effects: Effects, payload: PostJob | PostTask) -> None:
    if payload.deadline <= effects.height:
        raise RuleViolation(
            Code.DEADLINE_PASSED, "the job's deadline", expected=f"above height {effects.height}", got=payload.deadline
        )
    last = effects.height + effects.params.max_job_lifetime
    if payload.deadline > last:
        raise RuleViolation(
            Code.DEADLINE_TOO_FAR, "the job's deadline", expected=f"at most {last}", got=payload.deadline
        )


def _check_bond(effects: Effects, job: Job) -> None:
    """Check that a jury of an optimistic job is worth less than discarding a block to draw another jury."""
    most = MAX_BOND_SUBSIDIES * compute_subsidy(effects.params, effects.height)
    if job.mode == JobMode.OPTIMISTIC and job.bond > most:
        raise RuleViolation(Code.BOND_TOO_LARGE, "the optimistic job's bond", expected=f"at most {most}", got=job.bond)
