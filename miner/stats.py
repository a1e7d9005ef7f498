"""The stats count what was mined, and are shown as a frozen status."""

from collections import deque
from enum import StrEnum
from typing import Final

from msgspec import Struct

from inos.primitives.units import Address, JobId, Tickets

RATE_WINDOW_S: Final = 30.0
MAX_SLICES: Final = 4096


class MinerState(StrEnum):
    STOPPED = "stopped"
    IDLE = "idle"
    """The miner runs, and has nothing to multiply."""
    JOB = "job"
    FILLER = "filler"


class MinerStatus(Struct, frozen=True, kw_only=True):
    """This is the state of a miner at one moment. Tickets are counted when their slice is complete."""

    state: MinerState
    purpose: str
    beneficiary: Address
    """Blocks pay this address."""
    worker: Address | None
    """This account claims jobs; it is None if the miner claims no jobs."""
    can_claim: bool
    """This is False if the miner has no key, or is told to claim no jobs: it only draws lottery tickets."""
    job: JobId | None
    """This job is being multiplied."""
    jobs_in_progress: int
    job_tickets: Tickets
    filler_tickets: Tickets
    tickets_per_second: float
    """The rate is taken over the last half minute, pauses included."""
    blocks_won: int
    blocks_stale: int
    """These blocks were won, but another block was connected first."""
    jobs_settled: int
    jobs_lost: int
    jobs_taken: int
    jobs_taken_held: int
    """This many of the jobs taken on began without a fetch, because everything they work on was stored here."""
    last_error: str
    worker_tickets: Tickets = Tickets(0)
    """So many of the job tickets were drawn by workers."""


class MinerStats:
    """Keeps the counts behind MinerStatus."""

    def __init__(self) -> None:
        self.state = MinerState.STOPPED
        self.job: JobId | None = None
        self.job_tickets = 0
        self.filler_tickets = 0
        self.blocks_won = 0
        self.blocks_stale = 0
        self.jobs_settled = 0
        self.jobs_lost = 0
        self.jobs_taken = 0
        self.jobs_taken_held = 0
        self.last_error = ""
        self.worker_tickets = 0
        self.workers_speed = 0.0
        """Tickets per second of workers, beside the miner's own."""
        self._slices: deque[tuple[float, int]] = deque(maxlen=MAX_SLICES)
        self._speed = 0.0

    @property
    def speed(self) -> float:
        """Return the smoothed tickets per second while multiplying; 0 before the first slice."""
        return self._speed

    @property
    def total_speed(self) -> float:
        """Return the tickets per second of the miner and its workers; 0 while neither is known."""
        return self._speed + self.workers_speed

    def count_slice(self, tickets: int, seconds: float, now: float, *, is_job: bool) -> None:
        """Count a complete slice that took `seconds` and ended at monotonic `now`."""
        self.count_tickets(tickets, now, is_job=is_job)
        self.note_speed(tickets, seconds)

    def count_tickets(self, tickets: int, now: float, *, is_job: bool) -> None:
        """Count tickets that were drawn until monotonic `now`."""
        if is_job:
            self.job_tickets += tickets
        else:
            self.filler_tickets += tickets
        self._slices.append((now, tickets))

    def count_worker_tickets(self, tickets: int, *, is_job: bool) -> None:
        """Count tickets that a worker drew of a product of this miner; they do not count for its own rate."""
        if is_job:
            self.job_tickets += tickets
            self.worker_tickets += tickets

    def note_speed(self, units: int, seconds: float) -> None:
        """Note how long so many tickets, or units of a program, took.

        A program is measured as a whole: between its products it may compute much that draws no ticket.
        """
        if seconds > 0:
            speed = units / seconds
            self._speed = speed if self._speed == 0 else 0.7 * self._speed + 0.3 * speed

    def count_block(self, *, is_connected: bool) -> None:
        if is_connected:
            self.blocks_won += 1
        else:
            self.blocks_stale += 1

    def get_rate(self, now: float) -> float:
        """Return the tickets per second over the last RATE_WINDOW_S seconds."""
        while self._slices and self._slices[0][0] < now - RATE_WINDOW_S:
            self._slices.popleft()
        if not self._slices:
            return 0.0
        return sum(tickets for _, tickets in self._slices) / max(now - self._slices[0][0], 1.0)
