"""job_quoteTask: a task's price is what the rules burn for its units, and its bond what they require."""

import pytest

from inos.consensus.jury import compute_min_bond, compute_task_mib
from inos.consensus.prices import compute_task_price
from inos.consensus.transactionrules import MAX_UNITS
from inos.primitives.units import Height, Tickets
from support.fake_node import FakeNode
from support.rpc_served import Ask


@pytest.mark.parametrize("units", [1, 4096, 4097, 5000, MAX_UNITS])
async def test_the_price_and_the_bond_are_those_of_the_rules(ask: Ask, node: FakeNode, units: int) -> None:
    node.mine()
    found = await ask("job_quoteTask", units)
    height = Height(node.ledger.tip.header.height + 1)
    difficulty = Tickets(int((await ask("chain_head"))["difficulty"]))
    assert difficulty > 0
    price = compute_task_price(node.params, height, difficulty, units)
    assert found["burn"] == str(price.total)
    assert sum(map(int, found["burn_parts"].values())) == price.total
    reward = int(found["suggested_reward"])
    assert reward >= units
    assert found["bond"] == str(compute_min_bond(node.params, reward, compute_task_mib(units)))
    assert int(found["rewards"]["low"]) <= reward <= int(found["rewards"]["fast"])


async def test_the_bond_follows_the_reward_that_is_asked_for(ask: Ask, node: FakeNode) -> None:
    node.mine()
    few, many = [await ask("job_quoteTask", 5000, reward) for reward in ("1", str(10**15))]
    assert many["bond"] == str(10**15)
    assert int(few["bond"]) < int(many["bond"])
    assert few["burn"] == many["burn"]


@pytest.mark.parametrize("units", [0, -1, MAX_UNITS + 1, 1.5, True, None])
async def test_units_that_no_task_has_are_refused(ask: Ask, units: object) -> None:
    error = await ask("job_quoteTask", units)
    assert error["code"] == -32602


async def test_a_quote_says_when_nobody_mines(ask: Ask, node: FakeNode) -> None:
    new = await ask("job_quoteTask", 5000)
    assert (new["is_mined"], new["expected_s"], new["jurors"]) == (False, None, 0)
    node.mine()
    mined = await ask("job_quoteTask", 5000)
    assert (mined["is_mined"], mined["expected_s"]) == (True, 2.0 * mined["expected_blocks"])
    assert mined["expected_blocks"] > node.params.challenge_window
