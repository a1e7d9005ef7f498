"""The settings say for which account a miner works, on what, and within which limits."""

from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.primitives.errors import InosError
from inos.primitives.transactions import JobMode
from inos.primitives.units import Address, DurationMs

DEFAULT_MAX_JOB_BYTES: Final = 4 * 2**30
"""Operands are read from disk and the product is written there; only the packed smaller operand is in memory."""
DEFAULT_FETCH_AHEAD_BYTES: Final = 2**30


class Purpose(StrEnum):
    """The miner multiplies this."""

    ANY = "any"
    """Paid jobs come first; a filler product is multiplied while there is none."""
    JOBS = "jobs"
    """Only paid jobs are multiplied; the miner is idle while there is none."""
    FILLER = "filler"
    """Only filler is multiplied for the lottery; no job is claimed."""


class JobKind(StrEnum):
    """The kind of a job."""

    PRODUCT = "product"
    PROGRAM = "program"
    FUNCTION = "function"


class MinerSettings(Struct, frozen=True, kw_only=True):
    """These are the settings of one miner.

    `key` is the secret (32 bytes) of the account that claims jobs, which may be the beneficiary's or another one.
    Without it the miner only draws lottery tickets, because a claim is a signed transaction.
    """

    beneficiary: Address
    key: bytes | None = None
    purpose: Purpose = Purpose.ANY
    min_reward_per_ticket: float = 0.0
    """Jobs that pay less nano per ticket, or per unit of a task, are not taken."""
    job_modes: frozenset[JobMode] = frozenset(JobMode)
    """Only these kinds of jobs are taken; optimistic ones lock the bond until their challenge window is over."""
    job_kinds: frozenset[JobKind] = frozenset(JobKind)
    """Only jobs of these kinds are taken."""
    module_cache: Path | None = None
    """Compiled modules of functions are kept in this folder; without one each call compiles its module again."""
    first_posters: frozenset[Address] = frozenset()
    """The jobs of these posters are taken before all others, even if they pay less."""
    max_claims: int = 4
    """At most this many jobs are held at once, within the chain's own limit."""
    max_job_bytes: int = DEFAULT_MAX_JOB_BYTES
    """Operands and result of a job together have at most this many bytes."""
    fetch_ahead_bytes: int = DEFAULT_FETCH_AHEAD_BYTES
    """At most so many bytes are fetched in 64 blocks for jobs that are not taken on yet; 0 fetches nothing ahead."""
    filler_rate: float = 0.0
    """At most this many filler tickets are made per second; 0 is no limit."""
    filler_rows: int = 1024
    """Both filler operands have this many rows."""
    max_filler_rows: int = 4096
    """Engines for which that is too little work at a time get more rows, up to so many. With these, both operands take
    8 MiB, and slices last long enough that what they cost beside tickets hardly counts."""
    filler_depth: int = 1024
    slice_ms: DurationMs = DurationMs(250)
    """One slice should take this long, because a win waits for the end of its slice."""
    template_ms: DurationMs = DurationMs(250)
    """A template is made again at this age, so that a transaction need not wait for the block after the next."""
    fetch_timeout_s: float = 20.0
    backend: str = "auto"
    threads: int | None = None
    """0 if only workers multiply."""
    engine: str | None = None
    """The address of a cluster that multiplies in place of this machine, such as ray://HEAD:10001."""

    @property
    def has_engine(self) -> bool:
        """The miner multiplies in its own process if this is True."""
        return self.threads != 0

    @property
    def is_claiming(self) -> bool:
        """This miner takes paid jobs if this is True."""
        return self.key is not None and self.purpose is not Purpose.FILLER


def check_settings(settings: MinerSettings) -> None:
    """Refuse settings that contradict each other.

    Raises:
        InosError: "mine-key-missing" if only jobs are wanted but no key can sign.
    """
    if settings.key is None and settings.purpose is Purpose.JOBS:
        raise InosError(
            "mine-key-missing",
            "a miner that claims paid jobs needs a key to sign with",
            hint="give --mine auto or --mine-key-file",
        )
