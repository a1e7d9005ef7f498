"""Which matrices the chain needs now: no node that holds one of them drops it."""

from collections.abc import Iterator
from typing import Final

from chain.ledger import Ledger
from chain.mempool import Mempool
from consensus.records import Job, JobState
from primitives.matrices import MatrixRef
from primitives.transactions import PostJob, SubmitResult, Transaction
from primitives.units import JobId, MatrixId

MAX_JOBS: Final = 65_536
MAX_SETTLED: Final = 4096
"""Looked at, newest first."""
SETTLED_EPOCHS: Final = 4
"""For so long after it was settled a product is kept for its poster, and for those who still have to check it: nodes a
little behind, and all of them after a reorganisation. A final block is never checked again (protocol, section 5)."""


def list_needed(ledger: Ledger, mempool: Mempool) -> frozenset[MatrixId]:
    """Operands and results of open, claimed and delivered jobs, of those settled lately, and of what waits."""
    refs: list[MatrixRef] = []
    for state in (JobState.OPEN, JobState.CLAIMED, JobState.DELIVERED):
        for _, job in ledger.list_jobs(state=state, limit=MAX_JOBS):
            refs += _list_refs(job)
    since = ledger.tip.header.height - SETTLED_EPOCHS * ledger.params.epoch_blocks
    for _, job in ledger.list_jobs(state=JobState.SETTLED, limit=MAX_SETTLED, newest_first=True):
        if job.closed_at > since:
            refs += _list_refs(job)
    for tx_id in mempool.list_ids():
        tx = mempool.get(tx_id)
        refs += () if tx is None else _list_waiting(ledger, tx)
    return frozenset(ref.matrix_id for ref in refs)


def _list_refs(job: Job) -> Iterator[MatrixRef]:
    yield job.x
    yield job.w
    if job.y is not None:
        yield job.y


def _list_waiting(ledger: Ledger, tx: Transaction) -> Iterator[MatrixRef]:
    if isinstance(tx.payload, PostJob):
        yield tx.payload.x
        yield tx.payload.w
    elif isinstance(tx.payload, SubmitResult) and ledger.state.get_job(JobId(tx.payload.job)) is not None:
        yield tx.payload.y
