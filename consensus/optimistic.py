"""Jobs in mode optimistic (protocol, section 5): delivered unchecked, paid once nobody has shown them wrong in time.

CLAIMED --result--> DELIVERED --due--> SETTLED
                        |
                        +--challenge--> OPEN

A result delivered at height h is paid at the start of block h + challenge_window; challenges may stand in the
challenge_window blocks before it, that of the delivery included. The claim stays until then, with the bond; its last
height is the one at which it is paid. Bounded as lapses are (docs/decisions/0006 and 0050).
"""

from typing import Final

import msgspec

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.movements import Reason
from inos.consensus.records import Claim, Due, Job, JobState
from inos.consensus.reputation import clear_reputation
from inos.consensus.settlement import get_job, remove_lapse, settle
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import Challenge, JobMode
from inos.primitives.units import Address, Height, JobId, Nano
from inos.work.fraud import Tile, is_tile_wrong
from inos.work.strips import InvalidMatrix

MAX_DUE_PER_HEIGHT: Final = 4096
"""Results that may fall due at one height, so that no block has unbounded work to do before its transactions."""


def process_delivery(effects: Effects, job_id: JobId, job: Job, claim: Claim, y: MatrixRef) -> None:
    """Take a result of the right shape by the claimer, to be paid when it falls due.

    Raises:
        RuleViolation: "due-height-full".
    """
    due_at = Height(effects.height + effects.params.challenge_window)
    due = effects.state.get_due(due_at)
    if len(due.jobs) >= MAX_DUE_PER_HEIGHT:
        raise RuleViolation(
            Code.DUE_HEIGHT_FULL,
            f"too many results fall due at height {due_at}",
            expected=f"fewer than {MAX_DUE_PER_HEIGHT}",
            got=len(due.jobs),
        )
    remove_lapse(effects, job_id, claim)
    effects.state.set_due(due_at, Due((*due.jobs, job_id)))
    effects.state.set_claim(job_id, msgspec.structs.replace(claim, expires_at=due_at))
    effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.DELIVERED, y=y))
    effects.note_job(JobEventKind.DELIVERED, job_id, job, Address(claim.worker), claim.bond)
    effects.touch(Address(job.poster))


def process_due(effects: Effects) -> None:
    """Settle what falls due at this block's height, in the order it was delivered."""
    for job_id in map(JobId, effects.state.get_due(effects.height).jobs):
        job, claim = get_job(effects, job_id), effects.state.get_claim(job_id)
        if claim is None or job.y is None:
            raise LookupError(f"job {job_id.hex()} should be settled, but has no claim or no result")
        settle(effects, job_id, job, claim, job.y)
    effects.state.set_due(effects.height, Due())


def check_challenge(job_id: JobId, job: Job, payload: Challenge) -> None:
    """Whether the challenge shows the delivered result of `job` wrong.

    Raises:
        RuleViolation: "wrong-mode", "job-not-delivered", "tile-is-right", or as inos.work.fraud.is_tile_wrong.
    """
    if job.mode != JobMode.OPTIMISTIC:
        raise RuleViolation(Code.WRONG_MODE, f"job {job_id.hex()}", expected="optimistic", got=job.mode.name.lower())
    if job.state != JobState.DELIVERED or job.y is None:
        raise RuleViolation(
            Code.JOB_NOT_DELIVERED, f"job {job_id.hex()}", expected="delivered", got=job.state.name.lower()
        )
    tile = Tile(payload.i, payload.j, payload.x, payload.w, payload.y)
    try:
        is_wrong = is_tile_wrong(job.x, job.w, job.y, tile)
    except InvalidMatrix as error:
        raise RuleViolation(error.code, f"challenge of job {job_id.hex()}: {error.message}") from error
    if not is_wrong:
        raise RuleViolation(Code.TILE_IS_RIGHT, f"tile ({tile.i}, {tile.j}) of the result of job {job_id.hex()}")


def process_challenge(effects: Effects, sender: Address, payload: Challenge) -> None:
    """Half the bond, rounded down, to the challenger, the rest burned; the worker's reputation is gone, the job open.

    Raises:
        RuleViolation: "unknown-job", or as `check_challenge`.
    """
    job_id = JobId(payload.job)
    job, claim = get_job(effects, job_id), effects.state.get_claim(job_id)
    check_challenge(job_id, job, payload)
    if claim is None:
        raise LookupError(f"job {job_id.hex()} is delivered, but has no claim")
    worker, to_challenger = Address(claim.worker), claim.bond // 2
    effects.close_claim(worker, Reason.RESULT_CHALLENGED, Nano(claim.bond), job_id, sender)
    effects.state.set_account(worker, clear_reputation(effects.state.get_account(worker)))
    effects.move(sender, Reason.CHALLENGE_PAID, to_challenger, counterparty=worker, job=job_id)
    effects.burn(claim.bond - to_challenger)
    due_at = Height(claim.expires_at)
    due = effects.state.get_due(due_at)
    effects.state.set_due(due_at, Due(tuple(j for j in due.jobs if j != job_id)))
    effects.state.set_claim(job_id, None)
    effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.OPEN, worker=None, y=None))
    effects.note_job(JobEventKind.CHALLENGED, job_id, job, worker, claim.bond)
    effects.touch(Address(job.poster))
