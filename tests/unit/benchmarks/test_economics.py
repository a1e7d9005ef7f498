"""The simulation behind docs/economics.md: no strategy is above honest mining, and the model could find one that is."""

import math

import pytest

from economics import STRATEGIES, Market, compute_third, run_races, simulate
from inos.genesis import load_network
from races import run_undercutting, run_withholding

PARAMS = load_network("devnet").params
RACES = run_races(1, 200_000)
DEMANDS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)


@pytest.fixture(scope="module")
def markets() -> dict[float, Market]:
    return {demand: simulate(PARAMS, demand, 1500, 1, RACES) for demand in DEMANDS}


@pytest.mark.parametrize("demand", DEMANDS)
def test_no_strategy_earns_more_than_honest_mining(markets: dict[float, Market], demand: float) -> None:
    market = markets[demand]
    for name in STRATEGIES[1:]:
        assert not math.isnan(market.profits[name]), f"nobody played {name}"
        assert market.profits[name] < 0, name
    assert market.honest > 0.75


def test_the_model_finds_that_a_bonus_for_settled_work_is_taken_by_those_who_post_to_themselves() -> None:
    """Protocol 1 made a settled ticket worth up to three quarters of an expected subsidy."""
    market = simulate(PARAMS, 0.5, 1500, 1, RACES, bonus=0.75)
    assert market.profits["self-dealing"] > 0
    assert market.profits["caching"] > 1
    assert market.honest < 0.1
    assert market.shown_share > 0.99


def test_a_customer_pays_a_third_while_demand_is_below_capacity(markets: dict[float, Market]) -> None:
    for demand in (0.0, 0.25, 0.5, 1.0):
        assert 0.3 < markets[demand].price < 0.36
    assert markets[4.0].price > 1


def test_a_faked_share_costs_an_eighth_of_the_subsidy(markets: dict[float, Market]) -> None:
    for market in markets.values():
        assert market.burned <= market.shown_share / 8 * 1.1


def test_withholding_pays_below_a_third_only_where_others_follow() -> None:
    """Held blocks lose the race against equal ones; if the first block seen won, withholding would pay at any size."""
    for power in (0.05, 0.15, 0.3):
        assert run_withholding(power, 300_000, follow=0.0, seed=3).share < power
        assert run_withholding(power, 300_000, follow=1.0, seed=3).share > power
    assert run_withholding(0.4, 300_000, follow=0.0, seed=3).share > 0.4


@pytest.mark.parametrize("power", [0.01, 0.1, 0.3])
def test_undercutting_a_rich_block_loses(power: float) -> None:
    undercut, honest = run_undercutting(power, 300_000, rich=2.0, seed=5)
    assert undercut < honest


def test_undercutting_pays_a_percent_to_nearly_half_of_the_hash_rate() -> None:
    undercut, honest = run_undercutting(0.45, 300_000, rich=2.0, seed=5)
    assert honest < undercut < 1.02 * honest


def test_a_third_of_the_committee_costs_a_quarter_of_a_half_life_on_a_chain_of_one() -> None:
    half_life = PARAMS.reputation_half_life
    assert compute_third(PARAMS, half_life) == pytest.approx(half_life / 4)
    assert compute_third(PARAMS, 20 * half_life) == pytest.approx(half_life / 2, rel=0.01)
