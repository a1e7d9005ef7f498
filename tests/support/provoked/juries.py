"""Disputes and jurors' verdicts that are refused."""

from msgspec.structs import replace

from inos.consensus.codes import Code
from inos.primitives.transactions import ClaimJob, Dispute, JobMode, Verdict
from inos.primitives.units import JobId
from support.consensus_lab import ALICE, BOB, CAROL, NOBODY, Lab, make_post
from support.juries import BOND, JURY_PARAMS, REWARD, Court
from support.provoked.registry import do, mine, provokes
from support.tiles import WIDE_PARAMS, make_optimistic

WRONG = {"miner": Verdict.WRONG}


def open_case() -> tuple[Court, JobId]:
    """Return a court with a disputed result whose jury, the miner alone, is drawn."""
    court = Court({"miner": 10})
    job = court.deliver(deadline=court.height + 20)
    court.dispute(job)
    return court, job


def commit_case() -> tuple[Court, JobId]:
    """Return the same court in the first block in which verdicts are opened; the miner has committed one."""
    court, job = open_case()
    court.commit(job, WRONG)
    court.mine_until(court.get_drawn_at(job) + 3)
    return court, job


@provokes(Code.BOND_TOO_LARGE)
def ask_for_a_bond_that_juries_are_not_safe_with() -> None:
    lab = Lab(WIDE_PARAMS)
    do(lab, ALICE, make_post(1, **make_optimistic(1, bond=4 * 50_000 + 1)))


@provokes(Code.NO_JURY)
def claim_a_job_that_nobody_could_judge() -> None:
    lab = Lab(WIDE_PARAMS)
    do(lab, BOB, ClaimJob(lab.post(ALICE, **make_optimistic(1))))


@provokes(Code.ALREADY_JUDGED)
def dispute_an_upheld_result() -> None:
    court = Court({"miner": 10}, replace(JURY_PARAMS, challenge_window=15))
    job = court.deliver(deadline=court.height + 20)
    court.dispute(job)
    court.commit(job, {"miner": Verdict.RIGHT})
    court.reveal(job, {"miner": Verdict.RIGHT})
    court.count(job)
    do(court, CAROL, Dispute(job))


@provokes(Code.NO_DISPUTE)
def vote_before_a_jury_is_drawn() -> None:
    court, job = open_case()
    votes = court.sign_votes(job, WRONG)
    other = Court({"miner": 10})
    other.post(ALICE, mode=JobMode.OPTIMISTIC, reward=REWARD, bond=BOND)
    mine(other, *votes)


@provokes(Code.WRONG_JURY)
def vote_in_another_drawing() -> None:
    court, job = open_case()
    drawn_at = court.get_drawn_at(job) + 1
    mine(court, *court.sign_votes(job, WRONG, drawn_at=drawn_at))


@provokes(Code.NOT_A_JUROR)
def vote_without_a_seat() -> None:
    court, job = open_case()
    mine(court, *court.sign_votes(job, {"carol": Verdict.WRONG}))


@provokes(Code.COMMIT_WINDOW_OVER)
def commit_when_verdicts_are_opened() -> None:
    court, job = open_case()
    court.mine_until(court.get_drawn_at(job) + 3)
    mine(court, *court.sign_votes(job, WRONG))


@provokes(Code.ALREADY_COMMITTED)
def commit_twice() -> None:
    court, job = open_case()
    court.commit(job, WRONG)
    court.commit(job, {"miner": Verdict.RIGHT})


@provokes(Code.REVEAL_TOO_EARLY)
def open_while_others_commit() -> None:
    court, job = open_case()
    court.commit(job, WRONG)
    mine(court, *court.sign_reveals(job, WRONG))


@provokes(Code.NOT_COMMITTED)
def open_what_was_not_committed() -> None:
    court, job = open_case()
    court.reveal(job, WRONG)


@provokes(Code.ALREADY_REVEALED)
def open_twice() -> None:
    court, job = commit_case()
    mine(court, *court.sign_reveals(job, WRONG), miner=NOBODY)
    mine(court, *court.sign_reveals(job, WRONG), miner=NOBODY)


@provokes(Code.WRONG_OPENING)
def open_another_verdict() -> None:
    court, job = commit_case()
    mine(court, *court.sign_reveals(job, {"miner": Verdict.RIGHT}))


@provokes(Code.BAD_JURY_SIGNATURE)
def vote_with_a_broken_signature() -> None:
    court, job = open_case()
    mine(court, *court.sign_votes(job, WRONG, changes={"signature": b"\xc0" + bytes(95)}))
