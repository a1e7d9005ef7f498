"""job_market."""

from fractions import Fraction
from typing import Any

import pytest

from inos.consensus.prices import TERA, TICKET_MACS
from inos.rpc.methods.job import market
from support.fake_node import FakeNode
from support.rpc_requests import make_post, sign
from support.rpc_served import Ask


async def get_products(ask: Ask) -> Any:
    found = await ask("job_market")
    assert [each["kind"] for each in found["kinds"]] == ["product", "program", "function"]
    assert all(each["open"] == each["settled"] == 0 for each in found["kinds"][1:])
    return found["kinds"][0]


async def test_offers_and_what_was_paid_and_how_long_it_took(ask: Ask, node: FakeNode) -> None:
    assert await get_products(ask) == {
        "kind": "product", "open": 0, "open_units": 0, "open_rewards": "0", "offered_per_tera": None, "settled": 0,
        "low_per_tera": None, "typical_per_tera": None, "high_per_tera": None, "blocks_to_claim": None,
        "blocks_to_settle": None,
    }  # fmt: skip
    for nonce in range(2):
        await ask("tx_send", sign(node, make_post(node, 10**9), nonce=nonce))
    node.mine()
    offered = await get_products(ask)
    per_tera = str(round(Fraction(10**9, 2) * Fraction(TERA, TICKET_MACS)))
    assert (offered["open"], offered["open_units"], offered["open_rewards"]) == (2, 4, str(2 * 10**9))
    assert offered["offered_per_tera"] == per_tera
    node.mine()
    node.work_jobs()  # claims in blocks 3 and 5, results in blocks 4 and 6
    done = await get_products(ask)
    assert (done["open"], done["settled"], done["typical_per_tera"]) == (0, 2, per_tera)
    assert (done["blocks_to_claim"], done["blocks_to_settle"]) == (3.0, 4.0)
    whole = await ask("job_market")
    assert (whole["height"], whole["sample"], whole["from_height"], whole["is_whole"]) == (6, 2, 4, True)
    assert (await ask("job_market", sample=1))["sample"] == 1


async def test_only_so_many_open_jobs_are_counted(ask: Ask, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "MAX_OPEN", 1)
    for nonce in range(2):
        await ask("tx_send", sign(node, make_post(node), nonce=nonce))
    node.mine()
    assert (await get_products(ask))["open"] == 1
    assert (await ask("job_market"))["is_whole"] is False
    assert (await ask("job_market", sample=market.MAX_SAMPLE + 1))["code"] == -32602
