"""The next step for a job is a pure function of what the chain and the pool say about it.

No intention is remembered. Each look compares the job on chain with what this miner has done, so a reorganisation that
removes a claim or a result needs no code of its own.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from inos.consensus.records import Claim, Job, JobState
from inos.primitives.units import Address, Height

MAX_CLAIMS_SENT: Final = 3
"""One job is claimed at most this often, because a lapsed claim costs the bond."""
SETTLED_DEPTH: Final = 16
"""The miner forgets a job this many blocks after its settlement; until then a reorganisation may undo it."""
GONE_BLOCKS: Final = 16
"""A job may be missing from the chain for this many blocks, if its posting was undone, before the miner gives it up."""


class Step(StrEnum):
    WAIT = "wait"
    CLAIM = "claim"
    MINE = "mine"
    SUBMIT = "submit"
    SETTLED = "settled"
    """The job is paid, and still watched."""
    FINISHED = "finished"
    """The job is paid, and the block that paid it is deep enough to forget the job."""
    DROP = "drop"


class Decision(Struct, frozen=True):
    step: Step
    reason: str = ""


class Progress(Struct, frozen=True, kw_only=True):
    """This is what the miner has done about the job."""

    claims_sent: int
    is_complete: bool
    """The product, or the task's outputs, are complete."""
    is_computed_first: bool = False
    """A function is claimed with its outcome in hand: one that ends without an outcome costs no bond."""
    last_seen: Height | None
    """The chain had the job at this height last; None: it was never on the chain, and only its posting is known."""


class Observation(Struct, frozen=True, kw_only=True):
    """This is what the chain and the pool say about the job now."""

    height: Height
    job: Job | None
    claim: Claim | None
    is_posting_pending: bool
    """The transaction that posts the job waits in the pool."""
    is_claim_pending: bool
    is_result_pending: bool
    is_finishable: bool
    """What is left can be made and delivered under a claim made now."""


def decide(me: Address, progress: Progress, observed: Observation) -> Decision:
    """Return the next step for a job that this miner has taken on."""
    if observed.job is None:
        return _decide_missing(progress, observed)
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


def _decide_missing(progress: Progress, observed: Observation) -> Decision:
    """Decide for a job that the chain does not have: its posting waits for a block, was replaced, or was undone."""
    if observed.is_posting_pending:
        return _decide_open(progress, observed)
    if progress.last_seen is None:
        return Decision(Step.DROP, "posting-gone")
    gone = observed.height - progress.last_seen
    return Decision(Step.DROP, "job-gone") if gone > GONE_BLOCKS else Decision(Step.WAIT, "job-missing")


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
    """Decide for a job that is open or will be: the claim still waits, lapsed, or was undone by a reorganisation."""
    if observed.is_claim_pending:
        return Decision(Step.WAIT, "claim-pending")
    if progress.is_computed_first and not progress.is_complete:
        return Decision(Step.MINE)
    if progress.claims_sent >= MAX_CLAIMS_SENT:
        return Decision(Step.DROP, "claimed-too-often")
    if not observed.is_finishable:
        return Decision(Step.DROP, "cannot-finish")
    return Decision(Step.CLAIM)
