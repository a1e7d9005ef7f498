"""Claims, results, cancellations and challenges that are refused."""

from typing import Any

import msgspec

from inos.consensus.codes import Code
from inos.consensus.costs import QUEUE_COSTS
from inos.consensus.records import Kind
from inos.primitives.matrices import STRIP_BYTES, StripRow
from inos.primitives.transactions import CancelJob, ClaimJob, SubmitOutcome, SubmitResult
from inos.primitives.units import JobId
from support.consensus_lab import ALICE, BOB, PARAMS, Lab, make_operand, make_result, make_task
from support.provoked.registry import do, make_claimed, make_delivered, provokes
from support.tiles import BAD_REF, WRONG_J, make_challenge, make_optimistic, widen

Y = make_result(32, 48)
NO_JOB = JobId(bytes(32))


@provokes(Code.UNKNOWN_JOB)
def claim_a_job_that_is_not_there() -> None:
    do(Lab(), ALICE, ClaimJob(NO_JOB))


@provokes(Code.JOB_NOT_OPEN)
def claim_a_claimed_job() -> None:
    lab, job = make_claimed()
    do(lab, ALICE, ClaimJob(job))


@provokes(Code.TOO_MANY_CLAIMS)
def claim_a_third_job_without_reputation() -> None:
    lab = Lab()
    for job in [lab.post(ALICE) for _ in range(3)]:
        do(lab, BOB, ClaimJob(job))


@provokes(Code.JOB_NOT_CLAIMED)
def deliver_an_open_job() -> None:
    lab = Lab()
    do(lab, BOB, SubmitResult(lab.post(ALICE), Y))


@provokes(Code.NOT_THE_CLAIMER)
def deliver_for_another() -> None:
    lab, job = make_claimed()
    do(lab, ALICE, SubmitResult(job, Y))


@provokes(Code.BAD_RESULT_SHAPE)
def deliver_a_result_of_another_shape() -> None:
    lab, job = make_claimed()
    do(lab, BOB, SubmitResult(job, make_result(48, 32)))


@provokes(Code.WRONG_KIND)
def deliver_a_product_as_a_task() -> None:
    lab, job = make_claimed()
    do(lab, BOB, SubmitOutcome(job, (bytes(32),)))


@provokes(Code.NO_OUTPUTS)
def deliver_no_outputs() -> None:
    do(Lab(), BOB, SubmitOutcome(NO_JOB, ()))


@provokes(Code.BAD_UNITS)
def post_a_task_of_no_units() -> None:
    do(Lab(), ALICE, make_task(1, units=0, tickets=0))


@provokes(Code.WRONG_RESULT)
def deliver_a_wrong_result() -> None:
    lab, job = make_claimed()
    lab.products.wrong.add(Y.id)
    do(lab, BOB, SubmitResult(job, Y))


@provokes(Code.CLAIM_EXPIRED)
def deliver_late_while_lapses_are_put_off() -> None:
    """The start of a block has no budget, so the claim still exists after its last height; a small result fits in."""
    lab, job = make_claimed(x=make_operand(16, 64), w=make_operand(16, 64, 2))
    lab.params = msgspec.structs.replace(PARAMS, max_block_cost_us=4 * QUEUE_COSTS[Kind.LAPSE] - 1)
    lab.mine_until(5)
    do(lab, BOB, SubmitResult(job, make_result(16, 16)))


@provokes(Code.NOT_THE_POSTER)
def cancel_the_job_of_another() -> None:
    lab = Lab()
    do(lab, BOB, CancelJob(lab.post(ALICE)))


@provokes(Code.WRONG_MODE)
def challenge_a_checked_job() -> None:
    lab = Lab()
    widen(lab)
    do(lab, ALICE, make_challenge(lab.post(ALICE)))


@provokes(Code.JOB_NOT_DELIVERED)
def challenge_an_open_job() -> None:
    lab = Lab()
    widen(lab)
    do(lab, ALICE, make_challenge(lab.post(ALICE, **make_optimistic(1))))


def challenge(**changes: Any) -> None:
    """Challenge the wrong tile of a delivered result, changed after the tile was opened."""
    lab, job = make_delivered(BAD_REF)
    do(lab, ALICE, msgspec.structs.replace(make_challenge(job), **changes))


@provokes(Code.TILE_IS_RIGHT)
def challenge_a_right_tile() -> None:
    lab, job = make_delivered(BAD_REF)
    do(lab, ALICE, make_challenge(job, j=WRONG_J - 1))


@provokes(Code.INDEX_OUTSIDE_MATRIX)
def challenge_a_tile_outside_the_product() -> None:
    challenge(i=3)


@provokes(Code.BAD_STRIP_SIZE)
def challenge_with_half_a_row_of_strips() -> None:
    row = make_challenge(NO_JOB).x
    challenge(x=StripRow(row.strips[:STRIP_BYTES], row.path))


@provokes(Code.BAD_PATH_LENGTH)
def challenge_with_a_longer_path() -> None:
    row = make_challenge(NO_JOB).x
    challenge(x=StripRow(row.strips, (*row.path, bytes(32))))


@provokes(Code.BAD_PATH)
def challenge_with_another_strip() -> None:
    row = make_challenge(NO_JOB).x
    challenge(x=StripRow(bytes(len(row.strips)), row.path))
