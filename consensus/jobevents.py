"""The events of jobs in a block, in order. They are no part of the state: indices, records and subscribers use them."""

from enum import IntEnum

from msgspec import Struct

from inos.consensus.records import Job
from inos.primitives.matrices import Hash32
from inos.primitives.transactions import U64, AddressBytes
from inos.primitives.units import Address, JobId


class JobEventKind(IntEnum):
    POSTED = 0
    CLAIMED = 1
    DELIVERED = 2
    """A result was delivered in mode optimistic, and its window begins."""
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
    """The jury came to no decision; the job is closed and its reward burned."""


class JobEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One step of one job."""

    kind: JobEventKind
    job: Hash32
    poster: AddressBytes
    worker: AddressBytes | None
    """The account that claimed, delivered, was paid, lapsed or was proven wrong; None if no worker was involved."""
    tickets: U64
    amount: U64
    """In nano: what a post burned; the bond of a claim, delivery, lapse or challenge; the reward paid or returned."""


def make_job_event(kind: JobEventKind, job_id: JobId, job: Job, worker: Address | None, amount: int) -> JobEvent:
    """Return the event of `job`, in its state just before or just after; poster and work never change."""
    return JobEvent(kind, job_id, job.poster, worker, job.work.tickets, amount)
