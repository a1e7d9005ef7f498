"""The share of a block that a transaction takes, by the scarcest of the things that a block limits: bytes, cost,
matrices.
"""

from inos.consensus.costs import compute_transaction_cost
from inos.consensus.params import Params
from inos.consensus.prices import compute_product_bytes
from inos.consensus.records import ProductWork
from inos.consensus.state import StateView
from inos.primitives.transactions import JobMode, SubmitResult, Transaction
from inos.primitives.units import JobId


def compute_room(params: Params, state: StateView, tx: Transaction) -> int:
    """Return how many bytes of a block the cost and the matrices of a transaction are worth, rounded up. Its own bytes
    are not counted.

    A transaction that takes a hundredth of a block's cost limit is worth a hundredth of its bytes.
    """
    cost = compute_transaction_cost(params, state, tx)
    return max(
        compute_cost_room(params, cost),
        _scale(_count_matrix_bytes(state, tx), params.max_checked_block_bytes, params.max_block_bytes),
    )


def compute_cost_room(params: Params, cost_us: int) -> int:
    """Return how many bytes of a block some microseconds of the reference core are worth."""
    return _scale(cost_us, params.max_block_cost_us, params.max_block_bytes)


def _scale(part: int, whole: int, block_bytes: int) -> int:
    return -(-part * block_bytes // whole)


def _count_matrix_bytes(state: StateView, tx: Transaction) -> int:
    """Return the bytes of the matrices that a checked result names, or 0 if its job is not known yet."""
    job = state.get_job(JobId(tx.payload.job)) if isinstance(tx.payload, SubmitResult) else None
    if job is None or not isinstance(job.work, ProductWork) or job.mode is not JobMode.CHECKED:
        return 0
    return compute_product_bytes(job.work.x.rows, job.work.w.rows, job.work.x.cols)
