"""The simulation behind docs/economics.md ends where its page says."""

from economics import D, simulate
from inos.genesis import load_network


def test_posting_to_oneself_ends_at_what_merit_is_worth() -> None:
    params = load_network("devnet").params
    worth = params.subsidy_initial * 3 / 4 / D
    rows = simulate(params, 2000, 0.0, 3)
    last = rows[-300:]
    assert all(row.base_fee < 1.3 * worth * 1.125 for row in rows)
    assert 0.5 * worth < sum(row.base_fee for row in last) / len(last)
    burned = sum(row.base_fee * row.selfish for row in last) / len(last) / params.subsidy_initial
    assert 0.2 < burned < 0.5
    # Nobody wanted any of it, and yet most of it is paid: the share alone says nothing.
    assert sum(row.selfish for row in last) > 0.6 * sum(row.tickets for row in last)


def test_customers_take_the_place_of_miners_that_post_to_themselves() -> None:
    params = load_network("devnet").params
    few, many = (simulate(params, 2000, demand, 3)[-300:] for demand in (0.1, 0.6))
    assert sum(row.real for row in many) > 3 * sum(row.real for row in few)
    assert sum(row.selfish for row in many) < sum(row.selfish for row in few)
