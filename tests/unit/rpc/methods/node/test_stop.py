"""node_stop."""

from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_stop(ask: Ask, node: FakeNode) -> None:
    assert await ask("node_stop") == {"stopping": True}
    assert node.is_stopping
