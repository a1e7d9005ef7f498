"""Disputes: how a jury is appointed for a delivered result, votes, and decides (protocol, section 5).

DELIVERED --dispute--> DISPUTED --right--> SETTLED, or DELIVERED until it falls due
                           |
                           +--not right--> OPEN        +--no majority--> UNDECIDED

A dispute at height h draws its jury at the start of block h + 2 (height d). Verdicts are committed in the first two
thirds of the blocks d ... d + window - 1, opened in the last third, and counted at the start of block d + window.
"""

import msgspec

from inos.consensus.codes import Code
from inos.consensus.costs import DRAW_US, compute_count_cost
from inos.consensus.effects import Effects
from inos.consensus.finality.checkpoints import get_voting_committee
from inos.consensus.jobevents import JobEventKind
from inos.consensus.jury import (
    compute_jury_fee,
    compute_next_height,
    compute_reveal_start,
    draw_jurors,
    is_jury_possible,
    list_eligible,
)
from inos.consensus.movements import Reason
from inos.consensus.params import Params
from inos.consensus.records import Committee, DisputeRecord, Job, JobState, Juror, Kind
from inos.consensus.settlement import get_job
from inos.consensus.state import StateView
from inos.consensus.verdicts import process_count
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.jury import compute_commitment, compute_payload_hash
from inos.primitives.transactions import Dispute, JobMode, JuryReveal, JuryVote
from inos.primitives.units import Address, BlockId, Height, JobId


def check_jury_signature(params: Params, payload: JuryVote | JuryReveal, bls: Bls) -> None:
    """Check that the BLS key signed the commitment or the verdict (stage 1).

    Raises:
        RuleViolation: "bad-jury-signature".
    """
    if not bls.is_signed(payload.key, compute_payload_hash(params.chain_id, payload), payload.signature):
        raise RuleViolation(
            Code.BAD_JURY_SIGNATURE, f"the signature is not that of the BLS key {payload.key.hex()} over this verdict"
        )


def check_jury_exists(state: StateView, job_id: JobId, job: Job, worker: Address) -> None:
    """Check that the voting committee has a member that is neither the job's poster nor its worker.

    Raises:
        RuleViolation: "no-jury".
    """
    if not is_jury_possible(get_voting_committee(state), job, worker):
        raise RuleViolation(
            Code.NO_JURY,
            f"nobody could judge a result of job {job_id.hex()}",
            expected="a voting committee with a member that is neither its poster nor its worker",
        )


def process_dispute(effects: Effects, sender: Address, payload: Dispute) -> None:
    """Lock the job's bond and its jury fee as a stake; the job is not paid before a jury has decided.

    Raises:
        RuleViolation: "unknown-job", "wrong-mode", "job-not-delivered", "already-judged", "no-jury",
            "insufficient-balance".
    """
    job_id = JobId(payload.job)
    job, claim = get_job(effects, job_id), effects.state.get_claim(job_id)
    if job.mode != JobMode.OPTIMISTIC:
        raise RuleViolation(Code.WRONG_MODE, f"job {job_id.hex()}", expected="optimistic", got=job.mode.name.lower())
    if job.state != JobState.DELIVERED or claim is None:
        raise RuleViolation(
            Code.JOB_NOT_DELIVERED, f"job {job_id.hex()}", expected="delivered", got=job.state.name.lower()
        )
    if claim.is_judged:
        raise RuleViolation(Code.ALREADY_JUDGED, f"a jury has upheld this result of job {job_id.hex()}")
    worker = Address(claim.worker)
    check_jury_exists(effects.state, job_id, job, worker)
    fee = compute_jury_fee(effects.params, job)
    dispute = DisputeRecord(sender, job.bond + fee, fee, effects.height)
    effects.move(sender, Reason.DISPUTE_STAKED, dispute.stake, counterparty=worker, job=job_id)
    effects.state.dequeue(Kind.DUE, Height(claim.expires_at), job_id)
    effects.state.set_dispute(job_id, dispute)
    effects.state.enqueue(Kind.JURY, compute_next_height(effects.params, dispute), job_id)
    effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.DISPUTED))
    effects.note_job(JobEventKind.DISPUTED, job_id, job, worker, dispute.stake)
    effects.touch(worker)
    effects.touch(Address(job.poster))


def process_jury_vote(effects: Effects, payload: JuryVote) -> None:
    """Record a juror's commitment, for all its seats.

    Raises:
        RuleViolation: "no-dispute", "wrong-jury", "not-a-juror", "commit-window-over", "already-committed".
    """
    job_id = JobId(payload.job)
    dispute, juror = _get_juror(effects, payload)
    last = compute_reveal_start(effects.params, dispute.drawn_at) - 1
    if effects.height > last:
        raise RuleViolation(
            Code.COMMIT_WINDOW_OVER,
            f"verdicts on job {job_id.hex()} are committed no more",
            expected=f"height <= {last}",
            got=effects.height,
        )
    if juror.commitment is not None:
        raise RuleViolation(Code.ALREADY_COMMITTED, f"juror {juror.address.hex()} has committed a verdict before")
    _set_juror(effects, job_id, dispute, msgspec.structs.replace(juror, commitment=payload.commitment))


def process_jury_reveal(effects: Effects, payload: JuryReveal) -> None:
    """Record a juror's opened verdict.

    Raises:
        RuleViolation: "no-dispute", "wrong-jury", "not-a-juror", "reveal-too-early", "not-committed",
            "already-revealed", "wrong-opening".
    """
    job_id = JobId(payload.job)
    dispute, juror = _get_juror(effects, payload)
    first = compute_reveal_start(effects.params, dispute.drawn_at)
    if effects.height < first:
        raise RuleViolation(
            Code.REVEAL_TOO_EARLY,
            f"verdicts on job {job_id.hex()} are opened later",
            expected=f"height >= {first}",
            got=effects.height,
        )
    if juror.commitment is None:
        raise RuleViolation(Code.NOT_COMMITTED, f"juror {juror.address.hex()} has committed no verdict")
    if juror.verdict is not None:
        raise RuleViolation(Code.ALREADY_REVEALED, f"juror {juror.address.hex()} has opened its verdict before")
    if compute_commitment(payload.verdict, payload.salt, payload.key) != juror.commitment:
        raise RuleViolation(Code.WRONG_OPENING, "verdict and salt are not those that the juror committed to")
    _set_juror(effects, job_id, dispute, msgspec.structs.replace(juror, verdict=payload.verdict))


def process_juries(effects: Effects, parent: BlockId) -> None:
    """Draw the juries and count the verdicts that are due at the start of this block, in the order of job ids.

    Args:
        parent: id of the block's parent, which is part of the seed that draws the seats.
    """
    committee = None
    for height, job_id in tuple(effects.state.iterate_queue(Kind.JURY, effects.height)):
        dispute = effects.state.get_dispute(job_id)
        if dispute is None:
            raise LookupError(f"a jury of job {job_id.hex()} is due, but the job has no dispute")
        effects.state.dequeue(Kind.JURY, height, job_id)
        if dispute.drawn_at:
            effects.charge(compute_count_cost(effects.params))
            process_count(effects, job_id, dispute)
        else:
            effects.charge(DRAW_US)
            committee = committee or get_voting_committee(effects.state)
            _draw(effects, job_id, dispute, committee, parent)


def _draw(effects: Effects, job_id: JobId, dispute: DisputeRecord, committee: Committee, parent: BlockId) -> None:
    job, claim = get_job(effects, job_id), effects.state.get_claim(job_id)
    if claim is None:
        raise LookupError(f"job {job_id.hex()} is disputed, but has no claim")
    eligible = list_eligible(committee, job, Address(claim.worker))
    jurors = draw_jurors(effects.params, eligible, job_id, parent)
    drawn = msgspec.structs.replace(dispute, drawn_at=effects.height, jurors=jurors)
    effects.state.set_dispute(job_id, drawn)
    effects.state.enqueue(Kind.JURY, compute_next_height(effects.params, drawn), job_id)


def _get_juror(effects: Effects, payload: JuryVote | JuryReveal) -> tuple[DisputeRecord, Juror]:
    job_id = JobId(payload.job)
    dispute = effects.state.get_dispute(job_id)
    if dispute is None or not dispute.drawn_at:
        raise RuleViolation(Code.NO_DISPUTE, f"no jury is drawn for job {job_id.hex()}")
    if payload.drawn_at != dispute.drawn_at:
        raise RuleViolation(
            Code.WRONG_JURY, f"the jury of job {job_id.hex()}", expected=dispute.drawn_at, got=payload.drawn_at
        )
    for juror in dispute.jurors:
        if juror.key == payload.key:
            return dispute, juror
    raise RuleViolation(Code.NOT_A_JUROR, f"the BLS key {payload.key.hex()} has no seat in this jury")


def _set_juror(effects: Effects, job_id: JobId, dispute: DisputeRecord, changed: Juror) -> None:
    jurors = tuple(changed if each.key == changed.key else each for each in dispute.jurors)
    effects.state.set_dispute(job_id, msgspec.structs.replace(dispute, jurors=jurors))
