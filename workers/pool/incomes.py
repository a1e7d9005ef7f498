"""Incomes of the pool: what a block paid, and how it is divided among the members."""

from collections.abc import Iterable

from inos.primitives.units import BlockId, Nano
from inos.workers.pool.records import Income
from inos.workers.pool.split import Division, Part, divide, iterate_parts, pack_parts


def make_block_income(
    window: Iterable[Part], block: BlockId, height: int, at_ms: int, amount: Nano, fee_ppm: int, d: int, round_: int
) -> Income:
    """Return the income of a block that the pool found: `d` is its D, `round_` the tickets since the block before."""
    parts = list(window)
    of = sum(part.amount for part in parts)
    return Income(block, height, at_ms, None, amount, fee_ppm, d, round_, of, pack_parts(parts))


def divide_income(income: Income) -> Division:
    """Return what each address gets of an income, and what the pool keeps."""
    return divide(income.amount, income.fee_ppm, iterate_parts(income.parts), income.of)
