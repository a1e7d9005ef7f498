"""The chain needs some matrices now, and needed others recently."""

from collections.abc import Iterator
from typing import Final, assert_never

from msgspec import Struct

from inos.chain.mempool import Mempool
from inos.chain.view import LedgerView
from inos.consensus.records import Job, JobState, ProductWork, TaskWork
from inos.primitives.transactions import PostJob, PostTask, SubmitOutcome, SubmitResult, Transaction
from inos.primitives.units import JobId, MatrixId

MAX_JOBS: Final = 65_536
MAX_SETTLED: Final = 4096
"""This many settled jobs are looked at, the newest first."""
NEEDED: Final = (JobState.OPEN, JobState.CLAIMED, JobState.DELIVERED, JobState.DISPUTED)


class Needs(Struct, frozen=True):
    """Holds the ids of needed matrices."""

    now: frozenset[MatrixId]
    """Open, claimed and delivered jobs and transactions in the pool need these: no node that has one drops it."""
    late: frozenset[MatrixId]
    """Recently settled jobs needed these: they are evicted last."""


def list_needs(ledger: LedgerView, mempool: Mempool) -> Needs:
    """Return what the chain needs at its tip."""
    needed, late = set[MatrixId](), set[MatrixId]()
    for state in NEEDED:
        for _, job in ledger.reader.list_jobs(state=state, limit=MAX_JOBS):
            needed.update(list_matrices(job))
    since = ledger.tip.header.height - ledger.params.result_depth
    for _, job in ledger.reader.list_jobs(state=JobState.SETTLED, limit=MAX_SETTLED, newest_first=True):
        if job.closed_at > since:
            late.update(list_matrices(job))
    for tx in mempool.list_with_matrices():
        needed.update(_list_waiting(ledger, tx))
    return Needs(frozenset(needed), frozenset(late - needed))


def list_matrices(job: Job) -> Iterator[MatrixId]:
    """Yield the ids that a job names: operands and result, or a task's specification, inputs and outputs."""
    match job.work:
        case ProductWork():
            for ref in (job.work.x, job.work.w, job.work.y):
                if ref is not None:
                    yield ref.matrix_id
        case TaskWork():
            yield from map(MatrixId, (job.work.spec, *job.work.inputs, *(job.work.outputs or ())))
        case _:
            assert_never(job.work)


def _list_waiting(ledger: LedgerView, tx: Transaction) -> Iterator[MatrixId]:
    """Yield what a transaction in the pool needs: what a posted job works on, and the result of a known job."""
    payload = tx.payload
    if isinstance(payload, PostJob):
        yield payload.x.matrix_id
        yield payload.w.matrix_id
    elif isinstance(payload, PostTask):
        yield from map(MatrixId, (payload.spec, *payload.inputs))
    elif isinstance(payload, SubmitResult) and ledger.state.get_job(JobId(payload.job)) is not None:
        yield payload.y.matrix_id
    elif isinstance(payload, SubmitOutcome) and ledger.state.get_job(JobId(payload.job)) is not None:
        yield from map(MatrixId, payload.outputs)
