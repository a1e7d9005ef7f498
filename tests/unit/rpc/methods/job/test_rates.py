"""Tests rates of settled jobs: every ticket counts the same, however its job was divided."""

from fractions import Fraction

import msgspec

from inos.consensus.records import Job
from inos.rpc.methods.job.rates import DEFAULT_RATE, Rates, compute_rates
from support.fake_node import FakeNode
from support.rpc_requests import make_post, sign
from support.rpc_served import Ask


async def make_jobs(ask: Ask, node: FakeNode, *paid: tuple[int, int]) -> list[Job]:
    """Return jobs of this many tickets for this much nano, made of one that was posted."""
    await ask("tx_send", sign(node, make_post(node)))
    node.mine()
    [(_, job)] = node.ledger.list_jobs(limit=1)
    side = {"cols": 1024}
    made = []
    for tickets, reward in paid:
        x = msgspec.structs.replace(job.work.x, rows=16 * tickets, **side)
        product = msgspec.structs.replace(job.work, x=x, w=msgspec.structs.replace(job.work.w, rows=16, **side))
        made.append(msgspec.structs.replace(job, work=product, reward=reward))
    return made


async def test_the_median_is_weighted_by_tickets(ask: Ask, node: FakeNode) -> None:
    jobs = await make_jobs(ask, node, (480, 480), (15, 500), (15, 500), (15, 500))
    assert compute_rates(jobs) == Rates(Fraction(1), Fraction(1), Fraction(1), 4)
    assert compute_rates(jobs).compute_reward(Fraction(1, 3), 4) == 2  # rounded up


async def test_low_and_high_rates_are_quartiles(ask: Ask, node: FakeNode) -> None:
    jobs = await make_jobs(ask, node, (1, 4), (1, 1), (1, 3), (1, 2))
    assert compute_rates(jobs) == Rates(Fraction(1), Fraction(2), Fraction(3), 4)


def test_without_settled_jobs_there_is_a_default() -> None:
    assert compute_rates([]) == Rates(DEFAULT_RATE, DEFAULT_RATE, DEFAULT_RATE, 0)
    assert compute_rates([]).compute_reward(DEFAULT_RATE, 3) == 3_000_000
