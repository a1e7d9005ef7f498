"""The work that waits for the start of a block: claims lapse, deadlines pass, results are paid, closed jobs are
removed.

Each kind of work is a queue in the state (see `records`). A block may spend a quarter of `max_block_cost_us` on the
queues, in rounds: one job of each queue in turn, each queue in the order of its keys. Work that does not fit is done by
later blocks. So other rules must not depend on whether a queue has reached a job; they depend on heights.
"""

from collections.abc import Iterator
from typing import Final

from inos.consensus.costs import QUEUE_COSTS
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.movements import Reason
from inos.consensus.records import Job, JobState, Kind, queue_key
from inos.consensus.reputation import cut_reputation
from inos.consensus.settlement import cancel, reopen_job, settle
from inos.primitives.units import Address, Height, JobId, Nano

START_PART: Final = 4
"""The queues may use one part in this many of a block's cost limit."""
QUEUES: Final = (Kind.LAPSE, Kind.DEADLINE, Kind.DUE, Kind.REMOVAL)
"""The queues in the order of one round."""


def process_queues(effects: Effects) -> None:
    """Do the work that is due at this block, or was put off by earlier ones, within the budget.

    A queue ends for this block when it is empty or when its next job costs more than what remains of the budget.
    """
    budget = effects.params.max_block_cost_us // START_PART
    waiting = {kind: effects.state.iterate_queue(kind, effects.height) for kind in QUEUES}
    while waiting:
        for kind in tuple(waiting):
            found, cost = _find_next(effects, kind, waiting[kind]), QUEUE_COSTS[kind]
            if found is None or cost > budget:
                del waiting[kind]
                continue
            budget -= cost
            effects.charge(cost)
            effects.state.dequeue(kind, *found)
            _process(effects, kind, found[1])


def _find_next(effects: Effects, kind: Kind, waiting: Iterator[tuple[Height, JobId]]) -> tuple[Height, JobId] | None:
    """Return the queue's next job; a job that left the queue in an earlier round is passed over."""
    return next((found for found in waiting if effects.state.get(queue_key(kind, *found)) is not None), None)


def _process(effects: Effects, kind: Kind, job_id: JobId) -> None:
    job = effects.state.get_job(job_id)
    if job is None:
        raise LookupError(f"job {job_id.hex()} stands in the queue {kind.name} and is not in the state")
    match kind:
        case Kind.LAPSE:
            _process_lapse(effects, job_id, job)
        case Kind.DEADLINE:
            if job.state == JobState.OPEN:  # a job in another state is cancelled when it would open again
                cancel(effects, job_id, job)
        case Kind.DUE:
            _process_due(effects, job_id, job)
        case Kind.REMOVAL:
            effects.state.set_job(job_id, None)
        case _:
            raise LookupError(f"{kind.name} is no queue")


def _process_lapse(effects: Effects, job_id: JobId, job: Job) -> None:
    """Close a claim whose last height has passed.

    Half of the bond, rounded down, goes to the poster, and the rest is burned. The worker keeps three quarters of its
    reputation.
    """
    claim = effects.state.get_claim(job_id)
    if claim is None:
        raise LookupError(f"a claim on job {job_id.hex()} should lapse, but there is none")
    worker, poster, to_poster = Address(claim.worker), Address(job.poster), claim.bond // 2
    effects.close_claim(worker, Reason.CLAIM_LAPSED, Nano(claim.bond), job_id, poster)
    account = cut_reputation(effects.params, effects.state.get_account(worker), effects.height)
    effects.state.set_account(worker, account)
    effects.move(poster, Reason.LAPSE_COMPENSATION, to_poster, counterparty=worker, job=job_id)
    effects.burn(claim.bond - to_poster)
    effects.state.set_claim(job_id, None)
    effects.note_job(JobEventKind.LAPSED, job_id, job, worker, claim.bond)
    reopen_job(effects, job_id, job)


def _process_due(effects: Effects, job_id: JobId, job: Job) -> None:
    """Pay a delivered result that was not proven wrong in time."""
    claim = effects.state.get_claim(job_id)
    if claim is None or not job.work.is_delivered:
        raise LookupError(f"job {job_id.hex()} should be settled, but has no claim or no result")
    settle(effects, job_id, job, claim)
