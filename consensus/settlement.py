"""What ends well for a job: its worker paid; and what all that concerns jobs looks up first."""

import msgspec

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.merit import add_merit
from inos.consensus.movements import Reason
from inos.consensus.records import Claim, Job, JobState, Lapse
from inos.consensus.reputation import add_reputation
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import MatrixRef, compute_tickets
from inos.primitives.units import Address, Height, JobId, Nano


def compute_job_tickets(x: MatrixRef, w: MatrixRef) -> int:
    """Tickets in the product of a job."""
    return compute_tickets(x.rows, w.rows, x.cols)


def get_job(effects: Effects, job_id: JobId) -> Job:
    """A job that an order names.

    Raises:
        RuleViolation: "unknown-job".
    """
    job = effects.state.get_job(job_id)
    if job is None:
        raise RuleViolation(Code.UNKNOWN_JOB, f"there is no job {job_id.hex()}")
    return job


def remove_lapse(effects: Effects, job_id: JobId, claim: Claim) -> None:
    """The claim cannot lapse any more."""
    expires_at = Height(claim.expires_at)
    lapse = effects.state.get_lapse(expires_at)
    effects.state.set_lapse(expires_at, Lapse(tuple(j for j in lapse.jobs if j != job_id)))


def settle(effects: Effects, job_id: JobId, job: Job, claim: Claim, y: MatrixRef) -> None:
    """Pay the claimer reward and bond, with merit and reputation by the product's tickets; the claim is gone."""
    worker, poster, tickets = Address(claim.worker), Address(job.poster), compute_job_tickets(job.x, job.w)
    effects.close_claim(worker, Reason.CLAIM_BOND_RETURNED, Nano(claim.bond), job_id, poster)
    effects.release_escrow(job.reward)
    effects.move(worker, Reason.JOB_PAID, job.reward, counterparty=poster, job=job_id)
    account = add_merit(effects.state.get_account(worker), tickets)
    effects.state.set_account(worker, add_reputation(effects.params, account, tickets, effects.height))
    effects.state.set_claim(job_id, None)
    settled = msgspec.structs.replace(job, state=JobState.SETTLED, worker=worker, y=y, closed_at=effects.height)
    effects.state.set_job(job_id, settled)
    effects.tickets_settled += tickets
    effects.settled.append(job_id)
    effects.note_job(JobEventKind.SETTLED, job_id, job, worker, job.reward)
