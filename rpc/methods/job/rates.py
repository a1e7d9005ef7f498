"""What recently settled jobs paid per ticket: the rates that quotes are made of."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Final

from msgspec import Struct

from inos.consensus.records import Job, TaskWork

SAMPLE: Final = 50
"""The number of recently settled jobs that a quote considers."""
DEFAULT_RATE: Final = Fraction(1_000_000)
"""Nano per ticket before any job was settled; the devnet's own workload pays as much."""
LOW, TYPICAL, FAST = Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)
"""The shares of all settled tickets that were paid less, or as much."""


class Rates(Struct, frozen=True):
    """Rewards in nano per ticket; `sample` counts the jobs behind them, and is 0 if they are defaults."""

    low: Fraction
    typical: Fraction
    fast: Fraction
    sample: int

    def compute_reward(self, rate: Fraction, tickets: int) -> int:
        """Return the reward in nano for this many tickets; at least 1."""
        return max(1, ceil(rate * tickets))


def compute_rates(settled: Sequence[Job]) -> Rates:
    """Return quantiles weighted by tickets: a large job says more about the price of a ticket than a small one.

    Unweighted, many jobs of a few tickets with a round reward each would set the price of a job of thousands.
    """
    if not settled:
        return Rates(DEFAULT_RATE, DEFAULT_RATE, DEFAULT_RATE, 0)
    paid = sorted((Fraction(job.reward, count_units(job)), count_units(job)) for job in settled)
    low, typical, fast = (_find_quantile(paid, share) for share in (LOW, TYPICAL, FAST))
    return Rates(low, typical, fast, len(settled))


def count_units(job: Job) -> int:
    """Return the units that a job is priced by: a product's tickets, or a task's units."""
    return job.work.units if isinstance(job.work, TaskWork) else job.work.tickets


def _find_quantile(paid: Sequence[tuple[Fraction, int]], share: Fraction) -> Fraction:
    """Return the lowest rate so that the jobs paid at most that have `share` of all tickets."""
    wanted = share * sum(tickets for _, tickets in paid)
    below = 0
    for rate, tickets in paid:
        below += tickets
        if below >= wanted:
            return rate
    return paid[-1][0]
