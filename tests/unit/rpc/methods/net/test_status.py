"""net_status."""

from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_net_status(ask: Ask, node: FakeNode) -> None:
    answer = await ask("net_status")
    assert answer["node_id"] == node.node_id.hex()
    assert answer["routing"] == {"contacts": 4, "buckets": 3, "records": 2, "provided": 0}
