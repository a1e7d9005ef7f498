"""The chain needs some matrices now, and needed others recently."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from inos.chain.mempool import Mempool
from inos.chain.view import LedgerView
from inos.consensus.records import Job, JobState
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import PostJob, SubmitResult, Transaction
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
    refs, late = list[MatrixRef](), list[MatrixRef]()
    for state in NEEDED:
        for _, job in ledger.reader.list_jobs(state=state, limit=MAX_JOBS):
            refs += _list_refs(job)
    since = ledger.tip.header.height - ledger.params.result_depth
    for _, job in ledger.reader.list_jobs(state=JobState.SETTLED, limit=MAX_SETTLED, newest_first=True):
        if job.closed_at > since:
            late += _list_refs(job)
    for tx in mempool.list_with_matrices():
        refs += _list_waiting(ledger, tx)
    now = frozenset(ref.matrix_id for ref in refs)
    return Needs(now, frozenset(ref.matrix_id for ref in late) - now)


def _list_refs(job: Job) -> Iterator[MatrixRef]:
    yield job.x
    yield job.w
    if job.y is not None:
        yield job.y


def _list_waiting(ledger: LedgerView, tx: Transaction) -> Iterator[MatrixRef]:
    """Yield what a transaction in the pool needs: a posted job's operands, and the result of a known job."""
    if isinstance(tx.payload, PostJob):
        yield tx.payload.x
        yield tx.payload.w
    elif isinstance(tx.payload, SubmitResult) and ledger.state.get_job(JobId(tx.payload.job)) is not None:
        yield tx.payload.y
