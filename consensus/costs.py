"""The work that each part of a block costs a node, in microseconds of the reference core (protocol, section 4).

The sum over a block is at most `max_block_cost_us`. A cost covers everything from the arrival of the bytes to the
written batch: decoding, signatures, the effect, the state tree, the database. Work that a transaction leaves for the
starts of later blocks counts four times with the transaction. The queues may use a quarter of a block, so all blocks
together never queue more work than all blocks together can do.

The costs were measured by benchmarks/costs.py with a small state, and rounded up by about a half, because a state that
does not fit into memory is slower. The reference core is one of an Intel Xeon (cloud, Python 3.11, arkworks). Where a
docstring names a busy machine, and where it names none, the figure is the least processor time of five runs on two such
cores (Xeon, family 6, model 207) that other programs kept busy, on 2026-11-29.
"""

from typing import Final, assert_never

from inos.consensus.params import Params
from inos.consensus.prices import compute_matrix_bytes, compute_product_bytes
from inos.consensus.records import Kind, ProductWork
from inos.consensus.state import StateView
from inos.primitives.matrices import STRIP_BYTES
from inos.primitives.payments import count_payments
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    WithdrawBond,
    count_signatures,
)
from inos.primitives.units import JobId
from inos.primitives.votes import Aggregate, list_members

AHEAD: Final = 4
"""Work for the start of a later block counts this many times: the queues may use one part in this many of a block."""

QUEUE_COSTS: Final = {Kind.LAPSE: 400, Kind.DEADLINE: 400, Kind.DUE: 500, Kind.REMOVAL: 200}
"""The cost of one job of each queue; measured 263, 213, 345 and 114."""
TRANSFER_US: Final = 250
"""Measured 111 to a known and 135 to a new account on an idle machine; 110 and 153 on the busy one."""
PAYMENT_US: Final = 80
"""One payment of a TransferMany, besides the cost of a transfer; measured 25 to a known and 21 to a new account, where
a transfer took 106. With 40, a node took twice as long for a block of payments as for one of transfers.
"""
COSIGNATURE_US: Final = 100
"""Each signature of a transaction after its first; measured 42 to 46, and the transaction is 98 bytes longer."""
POST_US: Final = 300
"""Measured 218."""
CLAIM_US: Final = 600
"""Measured 396, for the largest committee that could judge the result."""
RESULT_US: Final = 600
"""A result without its product; measured 411 for an optimistic one, and 285 for a checked one."""
CANCEL_US: Final = 400
"""Measured 285."""
CHALLENGE_US: Final = 500
"""A challenge without its strips; measured 575 with three of them."""
STRIP_US: Final = 75
"""One strip of a challenge; measured 52, as a part of 6,738 for 129 strips."""
VOTER_US: Final = 300
"""A transaction of a voter without its signatures."""
SIGNATURE_US: Final = 5000
"""The check of one BLS signature or proof of possession; measured 2,855, and 4,203 on the busy machine."""
AGGREGATE_US: Final = 6000
"""An aggregate without its members, including the pot that it pays; measured 4,564."""
MEMBER_US: Final = 100
"""One member of an aggregate, whose key is added and whose account is paid; measured 63 to 89 of 512 members."""
CANDIDATE_US: Final = 40
"""One voter in the choice of a committee, for which two records are read; measured 7 of 512 and 10 of 4,096 voters."""
PRODUCT_US: Final = 800
"""A product without its bytes; measured 595 for 16 x 16 x 64, with the reading of its three matrices."""
PRODUCT_BYTES_PER_US: Final = 500
"""Bytes of a product's strips that a node checks in one microsecond: it hashes them on arrival, hashes them again, and
multiplies them by Freivalds' vectors. Measured 1,445 (1024 x 1024 x 1024) for the last two, 3,200 to 3,400 for thin
matrices.
"""
DISPUTE_US: Final = 700
"""Measured 469, for the largest committee."""
DRAW_US: Final = 400
"""The drawing of a jury; measured 285 for a committee of 512 and 7 seats, and 273 for 21 seats."""
COUNT_US: Final = 500
"""The count of a jury, without its seats; measured 586 with 7 and 575 with 21 of them, all paid."""
SEAT_US: Final = 150
"""The count of one seat: an account is paid or punished, and the dispute's record is one seat longer."""


def compute_transaction_cost(params: Params, state: StateView, tx: Transaction) -> int:
    """Return the microseconds of the reference core that a transaction takes in a block on `state`.

    The job that a result names decides how it is checked; a result of an unknown job costs as much as a small one.
    """
    return _compute_payload_cost(params, state, tx.payload) + compute_cosigning_cost(count_signatures(tx))


def _compute_payload_cost(params: Params, state: StateView, payload: Payload) -> int:
    match payload:
        case Transfer():
            return TRANSFER_US
        case TransferMany():
            return compute_payments_cost(count_payments(payload.payments))
        case PostJob() | PostTask():
            return POST_US + AHEAD * (QUEUE_COSTS[Kind.DEADLINE] + QUEUE_COSTS[Kind.REMOVAL])
        case ClaimJob():
            return CLAIM_US + AHEAD * QUEUE_COSTS[Kind.LAPSE]
        case SubmitResult():
            return RESULT_US + _compute_result_cost(state, payload)
        case SubmitOutcome():
            return RESULT_US + AHEAD * QUEUE_COSTS[Kind.DUE]
        case CancelJob():
            return CANCEL_US
        case Challenge():
            strips = sum(len(row.strips) for row in (payload.x, payload.w, payload.y)) // STRIP_BYTES
            return CHALLENGE_US + STRIP_US * strips
        case RegisterVoter():
            return VOTER_US + SIGNATURE_US
        case UnbondVoter() | WithdrawBond():
            return VOTER_US
        case ReportVoter():
            return VOTER_US + 2 * SIGNATURE_US
        case Dispute():
            return DISPUTE_US + AHEAD * (DRAW_US + compute_count_cost(params))
        case JuryVote() | JuryReveal():
            return VOTER_US + SIGNATURE_US
        case _:
            assert_never(payload)


def compute_cosigning_cost(signatures: int) -> int:
    """Return the microseconds of the reference core that a transaction's signatures after the first take."""
    return COSIGNATURE_US * (signatures - 1)


def compute_payments_cost(payments: int) -> int:
    """Return the microseconds of the reference core that a TransferMany of so many payments takes."""
    return TRANSFER_US + PAYMENT_US * payments


def compute_aggregate_cost(aggregate: Aggregate) -> int:
    """Return the microseconds of the reference core that an aggregate of votes takes."""
    return AGGREGATE_US + MEMBER_US * len(list_members(aggregate.bits))


def compute_count_cost(params: Params) -> int:
    """Return the microseconds of the reference core that counting a jury takes."""
    return COUNT_US + SEAT_US * params.jury_size


def compute_product_cost(product_bytes: int) -> int:
    """Return the microseconds of the reference core that checking a product takes, in the block or elsewhere."""
    return PRODUCT_US + -(-product_bytes // PRODUCT_BYTES_PER_US)


def _compute_result_cost(state: StateView, payload: SubmitResult) -> int:
    job = state.get_job(JobId(payload.job))
    if job is not None and job.mode == JobMode.OPTIMISTIC:
        return AHEAD * QUEUE_COSTS[Kind.DUE]
    if job is None or not isinstance(job.work, ProductWork):
        return compute_product_cost(compute_matrix_bytes(payload.y.rows, 4 * payload.y.cols))
    return compute_product_cost(compute_product_bytes(job.work.x.rows, job.work.w.rows, job.work.x.cols))
