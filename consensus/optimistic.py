"""Jobs in mode optimistic (protocol, section 5): a result is delivered unchecked, and paid if it is not proven wrong in
time. Tasks are such jobs, but their outcomes cannot be challenged, only disputed.

CLAIMED --result--> DELIVERED --due--> SETTLED
                        |
                        +--challenge--> OPEN

A result delivered at height h is paid at the start of block h + challenge_window, or of a later one if that block has
too much to do. It can be challenged until it is paid. The claim stays until then, with the bond; its last height is the
one at which the result falls due (docs/decisions/0050).
"""

import msgspec

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.records import Claim, Job, JobState, Kind
from inos.consensus.settlement import get_job, get_lapse_height, get_product
from inos.consensus.verdicts import process_conviction
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import Challenge, JobMode
from inos.primitives.units import Address, Height, JobId
from inos.work.fraud import Tile, is_tile_wrong
from inos.work.strips import InvalidMatrix


def process_delivery(effects: Effects, job_id: JobId, job: Job, claim: Claim) -> None:
    """Accept the claimer's result, which `job` holds already; it is paid when it falls due."""
    due_at = Height(effects.height + effects.params.challenge_window)
    effects.state.dequeue(Kind.LAPSE, get_lapse_height(claim), job_id)
    effects.state.enqueue(Kind.DUE, due_at, job_id)
    effects.state.set_claim(job_id, msgspec.structs.replace(claim, expires_at=due_at))
    effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.DELIVERED))
    effects.note_job(JobEventKind.DELIVERED, job_id, job, Address(claim.worker), claim.bond)
    effects.touch(Address(job.poster))


def check_challenge(job_id: JobId, job: Job, payload: Challenge) -> None:
    """Check that the challenge proves the delivered result of `job` wrong.

    Raises:
        RuleViolation: "wrong-kind", "wrong-mode", "job-not-delivered", "tile-is-right", or as
            inos.work.fraud.is_tile_wrong.
    """
    product = get_product(job_id, job)
    if job.mode != JobMode.OPTIMISTIC:
        raise RuleViolation(Code.WRONG_MODE, f"job {job_id.hex()}", expected="optimistic", got=job.mode.name.lower())
    if job.state not in (JobState.DELIVERED, JobState.DISPUTED) or product.y is None:
        raise RuleViolation(
            Code.JOB_NOT_DELIVERED, f"job {job_id.hex()}", expected="delivered or disputed", got=job.state.name.lower()
        )
    tile = Tile(payload.i, payload.j, payload.x, payload.w, payload.y)
    try:
        is_wrong = is_tile_wrong(product.x, product.w, product.y, tile)
    except InvalidMatrix as error:
        raise RuleViolation(error.code, f"challenge of job {job_id.hex()}: {error.message}") from error
    if not is_wrong:
        raise RuleViolation(Code.TILE_IS_RIGHT, f"tile ({tile.i}, {tile.j}) of the result of job {job_id.hex()}")


def process_challenge(effects: Effects, sender: Address, payload: Challenge) -> None:
    """Convict the worker of a wrong tile: see `verdicts.process_conviction`.

    Raises:
        RuleViolation: "unknown-job", or as `check_challenge`.
    """
    job_id = JobId(payload.job)
    job, claim = get_job(effects, job_id), effects.state.get_claim(job_id)
    check_challenge(job_id, job, payload)
    if claim is None:
        raise LookupError(f"job {job_id.hex()} is delivered, but has no claim")
    process_conviction(effects, sender, job_id, job, claim)
