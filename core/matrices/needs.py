"""The chain needs some matrices now, and needed others recently."""

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from msgspec import Struct

from inos.chain.mempool import Mempool
from inos.chain.view import LedgerView
from inos.consensus.records import Job, JobState, ProductWork, TaskWork
from inos.core.matrices.named import NamedMatrices
from inos.mesh.store import MatrixStore
from inos.primitives.transactions import PostJob, PostTask, SubmitOutcome, SubmitResult, Transaction
from inos.primitives.units import JobId, MatrixId
from inos.programs.limits import PROFILE_PEAK_BYTES

MAX_JOBS: Final = 65_536
MAX_SETTLED: Final = 4096
"""This many settled jobs are looked at, the newest first."""
MAX_READS: Final = 1024
MAX_READ_BYTES: Final = 16 << 20
"""One look reads so many specifications with so many bytes; the others are read in the looks after it."""
MAX_NAMED: Final = 1 << 18
"""At most this many matrices are kept because a specification names them."""
NAMED_PART: Final = 2
"""They take at most this part of the store's room: a task pays for its inputs by the byte, and for what its program
names it pays nothing."""
NEEDED: Final = (JobState.DISPUTED, JobState.DELIVERED, JobState.CLAIMED, JobState.OPEN)
"""Jobs in these states need their matrices; those with a bond at stake are looked at first."""


class Needs(Struct, frozen=True):
    """Holds the ids of needed matrices."""

    now: frozenset[MatrixId]
    """Open, claimed and delivered jobs and transactions in the pool need these, among them what the
    specifications of tasks name: no node that has one drops it."""
    late: frozenset[MatrixId]
    """Recently settled jobs needed these: they are evicted last."""


def list_needs(ledger: LedgerView, mempool: Mempool, store: MatrixStore, named: NamedMatrices) -> Needs:
    """Return what the chain needs at its tip; `named` is kept between calls."""
    needed, late = set[MatrixId](), set[MatrixId]()
    jobs = [job for state in NEEDED for _, job in ledger.reader.list_jobs(state=state, limit=MAX_JOBS)]
    for job in jobs:
        needed.update(list_matrices(job))
    named.begin_look()
    # Each specification is looked at once, so that many tasks of one leave room for those of others.
    tasks = {(job.work.kind, job.work.spec): job.work for job in jobs if isinstance(job.work, TaskWork)}
    needed |= _take_named(tasks.values(), store, named)
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


def _take_named(works: Iterable[TaskWork], store: MatrixStore, named: NamedMatrices) -> set[MatrixId]:
    """Return what the specifications of tasks name and is here, for without it no juror can judge the outcome.

    What is larger than any juror could take, or than the program says, is nothing that a run needs. The tasks that come
    first are served first while there is room.
    """
    room, found, total = store.retention.count_room() // NAMED_PART, set[MatrixId](), 0
    for work in works:
        parts = named.list_named(work) or ()
        if sum(each.most for each in parts) > PROFILE_PEAK_BYTES:
            continue
        for each in parts:
            info = None if each.id in found else store.find_info(each.id)
            if info is None or info.size > each.most:
                continue
            if len(found) == MAX_NAMED or total + info.size > room:
                continue
            found.add(each.id)
            total += info.size
    return found


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
