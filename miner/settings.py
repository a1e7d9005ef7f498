"""What a miner is told: for whom it works, on what, and how hard."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from inos.primitives.errors import InosError
from inos.primitives.transactions import JobMode
from inos.primitives.units import Address, DurationMs

DEFAULT_MAX_JOB_BYTES: Final = 4 * 2**30
"""Operands are read from disk and the product is written there; the packed smaller operand is in memory."""


class Purpose(StrEnum):
    """What the miner multiplies."""

    ANY = "any"
    """Paid jobs first, a filler product where there is none."""
    JOBS = "jobs"
    """Paid jobs only; idle where there is none."""
    FILLER = "filler"
    """The lottery only: claims nothing."""


class MinerSettings(Struct, frozen=True, kw_only=True):
    """One miner's orders.

    `key` is the secret (32 bytes) of the account that claims jobs, the beneficiary's or another one; without
    it the miner can only draw lottery tickets, since claiming takes signed transactions.
    """

    beneficiary: Address
    key: bytes | None = None
    purpose: Purpose = Purpose.ANY
    min_reward_per_ticket: float = 0.0
    """Nano per ticket; jobs that pay less are left to others."""
    job_modes: frozenset[JobMode] = frozenset(JobMode)
    """Kinds of jobs taken; optimistic ones hold the bond until their window is over."""
    first_posters: frozenset[Address] = frozenset()
    """Whose jobs are taken before all others, whatever they pay: one's own, or a customer's."""
    max_claims: int = 4
    """Jobs held at once, under the chain's own limit."""
    max_job_bytes: int = DEFAULT_MAX_JOB_BYTES
    """Operands and result together that fit this machine."""
    filler_rate: float = 0.0
    """Filler tickets per second; 0 is as many as the machine can."""
    filler_rows: int = 1024
    """Rows of both filler operands."""
    filler_depth: int = 1024
    slice_ms: DurationMs = DurationMs(250)
    """How long one slice should take: a win waits for the end of its slice."""
    template_ms: DurationMs = DurationMs(1000)
    """Age at which a template is made anew."""
    fetch_timeout_s: float = 20.0
    backend: str = "auto"
    threads: int | None = None

    @property
    def is_claiming(self) -> bool:
        """Whether this miner takes paid jobs at all."""
        return self.key is not None and self.purpose is not Purpose.FILLER


def check_settings(settings: MinerSettings) -> None:
    """Refuse orders that contradict each other.

    Raises:
        InosError: "mine-key-missing" where only jobs are wanted but nothing can sign.
    """
    if settings.key is None and settings.purpose is Purpose.JOBS:
        raise InosError(
            "mine-key-missing",
            "claiming paid jobs takes a key that can sign",
            hint="give --mine auto or --mine-key-file",
        )
