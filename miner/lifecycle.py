"""What to do next about one job: a pure function of what the chain and the pool say of it.

Nothing is remembered of what was hoped for. Each look compares the job on chain with what this
miner has done, so a reorganisation that takes a claim or a result away needs no path of its own.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from inos.consensus.records import Claim, Job, JobState
from inos.primitives.units import Address, Height

MAX_CLAIMS_SENT: Final = 3
"""Times one job is claimed before it is left to others: a lapse costs the bond."""
SETTLED_DEPTH: Final = 16
"""Blocks over a settlement before the miner forgets the job: until then a reorganisation may undo it."""
GONE_BLOCKS: Final = 16
"""Blocks a job may be missing from the chain (its posting reorganised away) before it is given up."""


class Step(StrEnum):
    WAIT = "wait"
    CLAIM = "claim"
    MINE = "mine"
    SUBMIT = "submit"
    SETTLED = "settled"
    """Paid; kept under watch."""
    FINISHED = "finished"
    """Paid and deep enough to forget."""
    DROP = "drop"


class Decision(Struct, frozen=True):
    step: Step
    reason: str = ""


class Progress(Struct, frozen=True, kw_only=True):
    """What this miner has done about the job."""

    claims_sent: int
    is_complete: bool
    """The product is made."""
    last_seen: Height
    """Last height at which the chain knew the job."""


class Observation(Struct, frozen=True, kw_only=True):
    """What the chain and the pool say of the job now."""

    height: Height
    job: Job | None
    claim: Claim | None
    is_claim_pending: bool
    is_result_pending: bool
    is_finishable: bool
    """Whether what is left can be made and delivered under a claim made now."""


def decide(me: Address, progress: Progress, observed: Observation) -> Decision:
    """The next step for a job this miner has taken on."""
    if observed.job is None:
        gone = observed.height - progress.last_seen
        return Decision(Step.DROP, "job-gone") if gone > GONE_BLOCKS else Decision(Step.WAIT, "job-missing")
    if observed.job.state is JobState.SETTLED:
        return _decide_settled(me, observed.job, observed.height)
    if observed.job.state is JobState.CANCELLED:
        return Decision(Step.DROP, "cancelled")
    if observed.job.state is JobState.CLAIMED:
        return _decide_claimed(me, progress, observed, observed.job)
    if observed.job.state is JobState.DELIVERED:
        is_mine = observed.job.worker == me
        return Decision(Step.WAIT, "challenge-window") if is_mine else Decision(Step.DROP, "delivered-by-another")
    return _decide_open(progress, observed)


def _decide_settled(me: Address, job: Job, height: Height) -> Decision:
    if job.worker != me:
        return Decision(Step.DROP, "settled-by-another")
    return Decision(Step.FINISHED if height >= job.closed_at + SETTLED_DEPTH else Step.SETTLED)


def _decide_claimed(me: Address, progress: Progress, observed: Observation, job: Job) -> Decision:
    if job.worker != me:
        return Decision(Step.DROP, "claimed-by-another")
    if not progress.is_complete:
        return Decision(Step.MINE)
    return Decision(Step.WAIT, "result-pending") if observed.is_result_pending else Decision(Step.SUBMIT)


def _decide_open(progress: Progress, observed: Observation) -> Decision:
    """Not claimed yet, or no longer: the claim waits, lapsed, or was reorganised away."""
    if observed.is_claim_pending:
        return Decision(Step.WAIT, "claim-pending")
    if progress.claims_sent >= MAX_CLAIMS_SENT:
        return Decision(Step.DROP, "claimed-too-often")
    if not observed.is_finishable:
        return Decision(Step.DROP, "cannot-finish")
    return Decision(Step.CLAIM)
