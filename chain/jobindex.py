"""An index of jobs by state, poster and worker, whose keys follow the job records when blocks are connected or
undone.
"""

from collections.abc import Callable, Iterator, Mapping

from inos.chain import schema
from inos.chain.database import Snapshot
from inos.consensus.records import MAX_RECORD_BYTES, Job, JobState, Kind, StateKey
from inos.consensus.state import StateView
from inos.primitives.codec import decode
from inos.primitives.units import Address, Height, JobId

PREFIX = schema.JOB_INDEX
_ALL, _STATE, _POSTER, _WORKER = b"a", b"s", b"p", b"w"


def compute_index_changes(
    read: Callable[[bytes], bytes | None], changes: Mapping[StateKey, bytes | None]
) -> dict[bytes, bytes | None]:
    """Return the index keys to write and delete for the job records among `changes`."""
    batch: dict[bytes, bytes | None] = {}
    for key, value in changes.items():
        if key[0] != Kind.JOB:
            continue
        old, job_id = read(schema.state_key(key)), JobId(key[1:])
        if old is not None:
            batch |= dict.fromkeys(_make_keys(job_id, old))
        if value is not None:
            batch |= dict.fromkeys(_make_keys(job_id, value), b"")
    return batch


def iterate_jobs(
    snapshot: Snapshot,
    state: StateView,
    *,
    job_state: JobState | None,
    poster: Address | None,
    worker: Address | None,
    after: JobId | None,
    newest_first: bool = False,
) -> Iterator[tuple[JobId, Job]]:
    """Return jobs that match all filters, oldest or newest first, starting after the job `after`."""
    prefix = PREFIX + _choose_dimension(job_state, poster, worker)
    last = state.get_job(after) if after is not None else None
    seen = None if last is None or after is None else prefix + _make_order(Height(last.posted_at), after)
    above, below = (None, seen) if newest_first else (seen, None)
    for key, _ in snapshot.iterate(prefix, above=above, below=below, newest_first=newest_first):
        job_id = JobId(key[-32:])
        job = state.get_job(job_id)
        if job is not None and _fits(job, job_state, poster, worker):
            yield job_id, job


def _choose_dimension(job_state: JobState | None, poster: Address | None, worker: Address | None) -> bytes:
    if worker is not None:
        return _WORKER + worker
    if poster is not None:
        return _POSTER + poster
    return _ALL if job_state is None else _STATE + bytes([job_state])


def _fits(job: Job, job_state: JobState | None, poster: Address | None, worker: Address | None) -> bool:
    return (
        (job_state is None or job.state == job_state)
        and (poster is None or job.poster == poster)
        and (worker is None or job.worker == worker)
    )


def _make_keys(job_id: JobId, record: bytes) -> list[bytes]:
    job = decode(Job, record, limit=MAX_RECORD_BYTES)
    order = _make_order(Height(job.posted_at), job_id)
    values = [_ALL, _STATE + bytes([job.state]), _POSTER + job.poster]
    if job.worker is not None:
        values.append(_WORKER + job.worker)
    return [PREFIX + value + order for value in values]


def _make_order(posted_at: Height, job_id: JobId) -> bytes:
    return posted_at.to_bytes(8, "big") + job_id
