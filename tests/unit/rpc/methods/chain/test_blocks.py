"""chain_head, chain_getHeader and chain_getBlock."""

from typing import Any

import pytest

from inos.primitives.transactions import Transfer
from support.fake_node import WORKER, FakeNode
from support.rpc_requests import BOB, sign, text
from support.rpc_served import Ask


async def test_head_and_blocks(ask: Ask, node: FakeNode) -> None:
    await ask("tx_send", hex=sign(node, Transfer(BOB.address, 100_005)))
    node.mine()
    node.mine()
    head = await ask("chain_head")
    assert head["height"] == 2
    assert head["id"] == node.ledger.tip.id.hex()
    assert head["difficulty"] == "20000"
    assert head["weight"] == "40000"
    one = await ask("chain_getBlock", 1)
    assert one["height"] == 1
    assert one["header"]["confirmations"] == 2
    assert one["header"]["beneficiary"] == text(WORKER.address)
    assert one["transactions"][0]["kind"] == "transfer"
    assert one["transactions"][0]["payload"] == {"to": text(BOB.address), "amount": "100005"}
    assert one["stats"]["fees"] == "1000"
    assert one["stats"]["subsidy"] == "50000000000"
    assert await ask("chain_getBlock", one["id"]) == one
    assert await ask("chain_getBlock", height=1) == one
    assert await ask("chain_getBlock", id=one["id"]) == one
    short = await ask("chain_getBlock", block=1, full=False)
    assert short["transactions"] == [one["transactions"][0]["id"]]
    assert (await ask("chain_getBlock"))["id"] == head["id"]
    assert (await ask("chain_getHeader", "latest"))["confirmations"] == 1
    assert await ask("chain_getHeader", 1) == one["header"]
    genesis = await ask("chain_getBlock", 0)
    assert genesis["stats"] is None
    assert genesis["header"]["seal"] is None


@pytest.mark.parametrize(
    ("block", "number", "code"),
    [
        (3, -32002, "block-unknown"),
        ("00" * 32, -32002, "block-unknown"),
        (-1, -32602, "invalid-params"),
        ("newest", -32602, "invalid-params"),
        ("00" * 31, -32602, "invalid-params"),
        (1.0, -32602, "invalid-params"),
        (True, -32602, "invalid-params"),
        (None, -32602, "invalid-params"),
        (2**80, -32602, "invalid-params"),
    ],
)
async def test_blocks_that_do_not_exist(ask: Ask, block: Any, number: int, code: str) -> None:
    for name in ("chain_getBlock", "chain_getHeader"):
        error = await ask(name, block=block)
        assert (error["code"], error["data"]["code"]) == (number, code)
        assert error["data"].get("param", "block") == "block"


async def test_a_block_is_named_once(ask: Ask) -> None:
    assert (await ask("chain_getHeader", height=0))["height"] == 0
    for names in ({"block": 0, "height": 0}, {"id": 0, "height": 0}):
        error = await ask("chain_getHeader", **names)
        assert (error["code"], error["data"]["param"]) == (-32602, "height")
    error = await ask("chain_getBlock", block=-1, full=1)
    assert error["message"].count("block:") == 1
    assert "full:" in error["message"]
