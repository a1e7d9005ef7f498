"""What happened to jobs in a block, in order: no state, but what indices, records and subscribers are made from."""

from enum import IntEnum

from msgspec import Struct

from inos.consensus.records import Job
from inos.primitives.matrices import Hash32, compute_tickets
from inos.primitives.transactions import U64, AddressBytes
from inos.primitives.units import Address, JobId


class JobEventKind(IntEnum):
    POSTED = 0
    CLAIMED = 1
    DELIVERED = 2
    """In mode optimistic: its window begins."""
    SETTLED = 3
    LAPSED = 4
    CHALLENGED = 5
    CANCELLED = 6
    DISPUTED = 7
    """A jury will decide about the delivered result."""
    UPHELD = 8
    """The jury found the result right."""
    REJECTED = 9
    """The jury found the result wrong or unavailable."""
    UNDECIDED = 10
    """The jury came to no decision; the job is closed, its reward burned."""


class JobEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One step of one job."""

    kind: JobEventKind
    job: Hash32
    poster: AddressBytes
    worker: AddressBytes | None
    """Who claimed, delivered, was paid, lapsed or was shown wrong; None where nobody worked."""
    tickets: U64
    amount: U64
    """Nano: burned by the post; the bond of a claim, delivery, lapse or challenge; the reward paid or returned."""


def make_job_event(kind: JobEventKind, job_id: JobId, job: Job, worker: Address | None, amount: int) -> JobEvent:
    """The event of `job` as it was just before or just after; neither poster nor operands ever change."""
    tickets = compute_tickets(job.x.rows, job.w.rows, job.x.cols)
    return JobEvent(kind, job_id, job.poster, worker, tickets, amount)
