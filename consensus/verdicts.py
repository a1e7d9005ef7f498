"""The amounts that a jury's verdicts and a proven wrong tile move: bond, stake, fee and reward (protocol, section 5).

All divisions round down, and the remainders are burned.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from inos.consensus.effects import Effects
from inos.consensus.finality.voters import cut_bond
from inos.consensus.jobevents import JobEventKind
from inos.consensus.jury import compute_next_height, count_seats, is_majority
from inos.consensus.movements import Reason
from inos.consensus.records import Claim, DisputeRecord, Job, JobState, Juror, Kind
from inos.consensus.reputation import clear_reputation
from inos.consensus.settlement import close_job, get_job, reopen_job, settle
from inos.primitives.transactions import Verdict
from inos.primitives.units import Address, Height, JobId, Nano

NOT_RIGHT: Final = (Verdict.WRONG, Verdict.UNAVAILABLE)


def process_count(effects: Effects, job_id: JobId, dispute: DisputeRecord) -> None:
    """Decide a dispute at the end of its jury's window."""
    job, claim = get_job(effects, job_id), effects.state.get_claim(job_id)
    if claim is None:
        raise LookupError(f"job {job_id.hex()} is disputed, but has no claim")
    effects.state.set_dispute(job_id, None)
    _punish_silence(effects, dispute)
    jurors = dispute.jurors
    if is_majority(effects.params, count_seats(jurors, *NOT_RIGHT)):
        _decide_not_right(effects, job_id, job, claim, dispute)
    elif is_majority(effects.params, count_seats(jurors, Verdict.RIGHT)):
        _decide_right(effects, job_id, job, claim, dispute)
    else:
        _leave_undecided(effects, job_id, job, claim, dispute)


def process_conviction(effects: Effects, challenger: Address, job_id: JobId, job: Job, claim: Claim) -> None:
    """Punish a worker for a proven wrong tile: half of its bond goes to the challenger, the rest is burned.

    While a jury sits, the seats that have committed a verdict first share the jury's fee, and the stake returns. So a
    cheating worker cannot avoid paying the jury by challenging itself.
    """
    worker, fee, seats = Address(claim.worker), 0, tuple[Juror, ...]()
    dispute = effects.state.get_dispute(job_id)
    if dispute is None:
        effects.state.dequeue(Kind.DUE, Height(claim.expires_at), job_id)
    else:
        effects.state.set_dispute(job_id, None)
        effects.state.dequeue(Kind.JURY, compute_next_height(effects.params, dispute), job_id)
        _return_stake(effects, job_id, dispute, 0)
        seats = tuple(juror for juror in dispute.jurors if juror.commitment is not None)
        fee = dispute.fee if seats else 0
    effects.close_claim(worker, Reason.RESULT_CHALLENGED, Nano(claim.bond), job_id, challenger)
    to_challenger = _share_bond(effects, job_id, claim, seats, fee)
    effects.move(challenger, Reason.CHALLENGE_PAID, to_challenger, counterparty=worker, job=job_id)
    effects.note_job(JobEventKind.CHALLENGED, job_id, job, worker, claim.bond)
    _end_claim(effects, job_id, job, worker)


def _decide_not_right(effects: Effects, job_id: JobId, job: Job, claim: Claim, dispute: DisputeRecord) -> None:
    """Return the stake, pay the jury's fee and then half of the rest of the bond to the disputer, and open the job
    again.
    """
    worker, disputer = Address(claim.worker), Address(dispute.disputer)
    _return_stake(effects, job_id, dispute, 0)
    effects.close_claim(worker, Reason.RESULT_REJECTED, Nano(claim.bond), job_id, disputer)
    to_disputer = _share_bond(effects, job_id, claim, _select(dispute, *NOT_RIGHT), dispute.fee)
    effects.move(disputer, Reason.DISPUTE_PAID, to_disputer, counterparty=worker, job=job_id)
    effects.note_job(JobEventKind.REJECTED, job_id, job, worker, claim.bond)
    _end_claim(effects, job_id, job, worker)


def _decide_right(effects: Effects, job_id: JobId, job: Job, claim: Claim, dispute: DisputeRecord) -> None:
    """Pay the fee to the seats, half from each side; the result is paid now or when it falls due."""
    worker, from_bond = Address(claim.worker), dispute.fee // 2
    _return_stake(effects, job_id, dispute, dispute.fee - from_bond)
    effects.move(worker, Reason.BOND_TO_JURY, from_bond, job=job_id)
    _pay_seats(effects, job_id, _select(dispute, Verdict.RIGHT), dispute.fee)
    if not job.work.is_delivered:
        raise LookupError(f"job {job_id.hex()} is disputed, but has no result")
    effects.note_job(JobEventKind.UPHELD, job_id, job, worker, from_bond)
    upheld = msgspec.structs.replace(claim, bond=claim.bond - from_bond, is_judged=True)
    if claim.expires_at <= effects.height:
        settle(effects, job_id, job, upheld)
        return
    effects.state.set_claim(job_id, upheld)
    effects.state.set_job(job_id, msgspec.structs.replace(job, state=JobState.DELIVERED))
    effects.state.enqueue(Kind.DUE, Height(claim.expires_at), job_id)


def _leave_undecided(effects: Effects, job_id: JobId, job: Job, claim: Claim, dispute: DisputeRecord) -> None:
    """Let each side pay half the fee to all who voted, and burn the reward, so that nobody gains if a jury does not
    vote.
    """
    worker, half = Address(claim.worker), dispute.fee // 2
    _return_stake(effects, job_id, dispute, half)
    effects.move(worker, Reason.BOND_TO_JURY, half, job=job_id)
    effects.close_claim(worker, Reason.CLAIM_BOND_RETURNED, Nano(claim.bond - half), job_id, Address(job.poster))
    _pay_seats(effects, job_id, _select(dispute, *Verdict), 2 * half)
    effects.release_escrow(job.reward)
    effects.burn(job.reward)
    effects.state.set_claim(job_id, None)
    close_job(effects, job_id, msgspec.structs.replace(job, state=JobState.UNDECIDED))
    effects.note_job(JobEventKind.UNDECIDED, job_id, job, worker, job.reward)
    effects.touch(Address(job.poster))


def _share_bond(effects: Effects, job_id: JobId, claim: Claim, seats: Sequence[Juror], fee: int) -> int:
    """Pay `fee` of a lost bond to the seats, burn half of the rest, and return the other half for the caller to pay."""
    _pay_seats(effects, job_id, seats, fee)
    to_winner = (claim.bond - fee) // 2
    effects.burn(claim.bond - fee - to_winner)
    return to_winner


def _end_claim(effects: Effects, job_id: JobId, job: Job, worker: Address) -> None:
    """Clear the worker's reputation, and open the job again."""
    effects.state.set_account(worker, clear_reputation(effects.state.get_account(worker)))
    effects.state.set_claim(job_id, None)
    effects.touch(Address(job.poster))
    reopen_job(effects, job_id, job)


def _return_stake(effects: Effects, job_id: JobId, dispute: DisputeRecord, kept: int) -> None:
    """Return the stake to the disputer, without `kept` nano that the caller passes on."""
    disputer = Address(dispute.disputer)
    effects.move(disputer, Reason.STAKE_LOST, kept, job=job_id)
    effects.move(disputer, Reason.STAKE_RETURNED, dispute.stake - kept, job=job_id)


def _select(dispute: DisputeRecord, *verdicts: Verdict) -> tuple[Juror, ...]:
    return tuple(juror for juror in dispute.jurors if juror.verdict in verdicts)


def _pay_seats(effects: Effects, job_id: JobId, jurors: Sequence[Juror], fee: int) -> None:
    """Share `fee`, which was already debited, among the jurors by their seats; burn the remainder."""
    seats, paid = sum(juror.seats for juror in jurors), 0
    for juror in jurors:
        part = fee * juror.seats // seats
        effects.move(Address(juror.address), Reason.JURY_PAID, part, job=job_id)
        paid += part
    effects.burn(fee - paid)


def _punish_silence(effects: Effects, dispute: DisputeRecord) -> None:
    """Burn fee / seats of a voter's bond for each seat that committed a verdict and did not open it."""
    per_seat = dispute.fee // effects.params.jury_size
    for juror in dispute.jurors:
        if juror.commitment is not None and juror.verdict is None:
            effects.burn(cut_bond(effects, Address(juror.address), Nano(per_seat * juror.seats)))
