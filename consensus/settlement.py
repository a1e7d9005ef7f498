"""The ends of jobs, their reopening, and the look-ups that all rules about jobs share.

A closed job leaves the state `job_retention` blocks after it was closed. A job that is not closed is in the queue of
deadlines.
"""

import msgspec

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.movements import Reason
from inos.consensus.records import Claim, Job, JobState, Kind, ProductWork, TaskWork
from inos.consensus.reputation import add_reputation
from inos.primitives.errors import RuleViolation
from inos.primitives.units import Address, Height, JobId, Nano


def get_job(effects: Effects, job_id: JobId) -> Job:
    """Return a job that a transaction names.

    Raises:
        RuleViolation: "unknown-job".
    """
    job = effects.state.get_job(job_id)
    if job is None:
        raise RuleViolation(Code.UNKNOWN_JOB, f"there is no job {job_id.hex()}")
    return job


def get_product(job_id: JobId, job: Job) -> ProductWork:
    """Return the product that a job asks for.

    Raises:
        RuleViolation: "wrong-kind".
    """
    if not isinstance(job.work, ProductWork):
        raise RuleViolation(Code.WRONG_KIND, f"job {job_id.hex()}", expected="a product", got="a task")
    return job.work


def get_task(job_id: JobId, job: Job) -> TaskWork:
    """Return the task that a job asks for.

    Raises:
        RuleViolation: "wrong-kind".
    """
    if not isinstance(job.work, TaskWork):
        raise RuleViolation(Code.WRONG_KIND, f"job {job_id.hex()}", expected="a task", got="a product")
    return job.work


def get_lapse_height(claim: Claim) -> Height:
    """Return the height of the first block whose start may end the claim."""
    return Height(claim.expires_at + 1)


def get_deadline_height(job: Job) -> Height:
    """Return the height of the first block whose start may cancel the job."""
    return Height(job.deadline + 1)


def settle(effects: Effects, job_id: JobId, job: Job, claim: Claim) -> None:
    """Pay the claimer reward and bond, add reputation by what the job burned, remove the claim, and close the job."""
    worker, poster = Address(claim.worker), Address(job.poster)
    effects.close_claim(worker, Reason.CLAIM_BOND_RETURNED, Nano(claim.bond), job_id, poster)
    effects.release_escrow(job.reward)
    effects.move(worker, Reason.JOB_PAID, job.reward, counterparty=poster, job=job_id)
    account = add_reputation(effects.params, effects.state.get_account(worker), job.burned, effects.height)
    effects.state.set_account(worker, account)
    effects.state.set_claim(job_id, None)
    close_job(effects, job_id, msgspec.structs.replace(job, state=JobState.SETTLED, worker=worker))
    effects.tickets_settled += job.work.tickets
    effects.settled_burn += job.burned
    effects.settled.append(job_id)
    effects.note_job(JobEventKind.SETTLED, job_id, job, worker, job.reward)


def cancel(effects: Effects, job_id: JobId, job: Job) -> None:
    """Return the reward of an unclaimed job to its poster and close the job; what was burned stays burned."""
    effects.release_escrow(job.reward)
    effects.move(Address(job.poster), Reason.JOB_REWARD_RETURNED, job.reward, job=job_id)
    close_job(effects, job_id, _clear_result(job, JobState.CANCELLED))
    effects.note_job(JobEventKind.CANCELLED, job_id, job, None, job.reward)


def reopen_job(effects: Effects, job_id: JobId, job: Job) -> None:
    """Open a job again whose claim ended without a result; past its deadline cancel it instead.

    The caller has removed the claim from the state and noted why it ended.
    """
    if effects.height > job.deadline:
        cancel(effects, job_id, job)
    else:
        effects.state.set_job(job_id, _clear_result(job, JobState.OPEN))


def _clear_result(job: Job, state: JobState) -> Job:
    """Return the job in `state`, without a worker or a result."""
    return msgspec.structs.replace(job, state=state, worker=None, work=job.work.without_result())


def close_job(effects: Effects, job_id: JobId, job: Job) -> None:
    """Write a job as closed in this block, and queue its removal from the state after the retention time."""
    effects.state.set_job(job_id, msgspec.structs.replace(job, closed_at=effects.height))
    effects.state.dequeue(Kind.DEADLINE, get_deadline_height(job), job_id)
    effects.state.enqueue(Kind.REMOVAL, Height(effects.height + effects.params.job_retention), job_id)
