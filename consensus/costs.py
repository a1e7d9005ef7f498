"""What each part of a block makes a node compute, in microseconds of the reference core (protocol, section 4).

The sum over a block is at most `max_block_cost_us`. A figure counts everything from the bytes that came to the batch
that was written: decoding, signatures, the effect, the state tree, the database. What a transaction leaves for the
starts of later blocks is counted four times with the transaction: the queues may use a quarter of a block, so what all
blocks together put into them never grows beyond what all blocks together can work off.

Measured by benchmarks/costs.py, which prints this table anew.
"""

from typing import Final, assert_never

from inos.consensus.params import Params
from inos.consensus.prices import compute_product_bytes
from inos.consensus.records import Kind
from inos.consensus.state import StateView
from inos.primitives.matrices import STRIP_BYTES
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    PostJob,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    Transaction,
    Transfer,
    UnbondVoter,
    WithdrawBond,
)
from inos.primitives.units import JobId
from inos.primitives.votes import Aggregate, list_members

AHEAD: Final = 4
"""How many times work for the start of a later block counts: the queues may use one part in so many of a block."""

QUEUE_COSTS: Final = {Kind.LAPSE: 100, Kind.DEADLINE: 100, Kind.DUE: 100, Kind.REMOVAL: 50}
"""One job of each queue."""
TRANSFER_US: Final = 250
POST_US: Final = 250
CLAIM_US: Final = 250
RESULT_US: Final = 250
CANCEL_US: Final = 250
CHALLENGE_US: Final = 250
UNBOND_US: Final = 250
WITHDRAW_US: Final = 250
PAIRING_US: Final = 2000
"""A BLS signature checked, or a proof of possession."""
MEMBER_US: Final = 10
"""One key added up for an aggregate."""
STRIP_US: Final = 30
"""One strip of a challenge hashed and multiplied."""
PRODUCT_US: Final = 500
PRODUCT_BYTES_PER_US: Final = 300
"""Bytes of operands and result that are hashed and checked in a microsecond."""
JURY_US: Final = 1000
"""Drawing a jury and counting it, but for its seats."""
SEAT_US: Final = 100


def compute_transaction_cost(params: Params, state: StateView, tx: Transaction) -> int:
    """Microseconds of the reference core that a transaction takes in a block on `state`.

    The job that a result names decides how it is checked; a result of an unknown job costs what a small one does.
    """
    match tx.payload:
        case Transfer():
            return TRANSFER_US
        case PostJob():
            return POST_US + AHEAD * (QUEUE_COSTS[Kind.DEADLINE] + QUEUE_COSTS[Kind.REMOVAL])
        case ClaimJob():
            return CLAIM_US + AHEAD * QUEUE_COSTS[Kind.LAPSE]
        case SubmitResult():
            return RESULT_US + _compute_result_cost(state, tx.payload)
        case CancelJob():
            return CANCEL_US
        case Challenge():
            strips = sum(len(row.strips) for row in (tx.payload.x, tx.payload.w, tx.payload.y)) // STRIP_BYTES
            return CHALLENGE_US + STRIP_US * strips
        case RegisterVoter():
            return TRANSFER_US + PAIRING_US
        case UnbondVoter():
            return UNBOND_US
        case WithdrawBond():
            return WITHDRAW_US
        case ReportVoter():
            return TRANSFER_US + 2 * PAIRING_US
        case Dispute():
            return CHALLENGE_US + AHEAD * (JURY_US + SEAT_US * params.jury_size)
        case JuryVote() | JuryReveal():
            return TRANSFER_US + PAIRING_US
        case _:
            assert_never(tx.payload)


def compute_aggregate_cost(aggregate: Aggregate) -> int:
    """Microseconds of the reference core that an aggregate of votes takes."""
    return PAIRING_US + MEMBER_US * len(list_members(aggregate.bits))


def compute_product_cost(product_bytes: int) -> int:
    """Microseconds of the reference core that checking a product takes, wherever it is done."""
    return PRODUCT_US + -(-product_bytes // PRODUCT_BYTES_PER_US)


def _compute_result_cost(state: StateView, payload: SubmitResult) -> int:
    job = state.get_job(JobId(payload.job))
    if job is not None and job.mode == JobMode.OPTIMISTIC:
        return AHEAD * QUEUE_COSTS[Kind.DUE]
    if job is None:
        return compute_product_cost(4 * payload.y.rows * payload.y.cols)
    return compute_product_cost(compute_product_bytes(job.x.rows, job.w.rows, job.x.cols))
