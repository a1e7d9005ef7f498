"""node_version and node_health."""

from inos.rpc import Check
from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_version_and_health(ask: Ask, node: FakeNode) -> None:
    version = await ask("node_version")
    assert version["name"] == "inos"
    assert version["network"] == "devnet"
    assert version["chain_id"] == 1338
    assert version["genesis"] == node.genesis_id.hex()
    assert version["protocol_version"] == 2
    assert version["node_id"] == "05" * 32
    assert version["hrp"] == "dinos"
    assert (await ask("node_health"))["status"] == "ok"
    node.checks = (Check("tip", True, "fresh"), Check("sync", False, "9 blocks behind", "wait", "sync-behind"))
    health = await ask("node_health")
    assert health["status"] == "degraded"
    assert health["checks"] == [
        {"name": "tip", "ok": True, "code": "", "detail": "fresh", "hint": ""},
        {"name": "sync", "ok": False, "code": "sync-behind", "detail": "9 blocks behind", "hint": "wait"},
    ]
    assert health["sync"]["phase"] == "following"
    assert health["sync"]["summary"] == "following at block 0"
