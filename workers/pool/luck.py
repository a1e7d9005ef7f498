"""What the luck of a block that the pool found is computed from."""

from typing import NamedTuple

from inos.workers.pool.records import Income, IncomeState


class BlockLuck(NamedTuple):
    """A block on the best chain: the tickets that it takes on average, and those that were drawn for it."""

    difficulty: int
    round_tickets: int


def get_luck(income: Income | None) -> BlockLuck | None:
    """Return the luck of an income, or None if it is a job's or its block is undone."""
    if income is None or income.job is not None or income.state is IncomeState.UNDONE:
        return None
    return BlockLuck(income.difficulty, income.round_tickets)
