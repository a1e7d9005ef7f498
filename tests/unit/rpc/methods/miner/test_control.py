"""miner_status, miner_start and miner_stop."""

from support.fake_node import WORKER, FakeNode
from support.rpc_requests import text
from support.rpc_served import Ask


async def test_the_miner(ask: Ask, node: FakeNode) -> None:
    assert (await ask("miner_status"))["state"] == "stopped"
    started = await ask("miner_start")
    assert (started["state"], started["beneficiary"]) == ("filler", text(WORKER.address))
    assert started["tickets_per_second"] == 12.346
    assert (await ask("miner_stop"))["state"] == "stopped"
    node.miner = None
    error = await ask("miner_start")
    assert (error["code"], error["data"]["code"]) == (-32008, "no-miner")
