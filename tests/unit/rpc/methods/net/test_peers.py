"""net_peers."""

from inos.network.peers.kinds import LinkKind
from inos.network.status import PeerInfo
from inos.primitives.units import TimeMs
from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_peers(ask: Ask, node: FakeNode) -> None:
    assert await ask("net_peers") == {"count": 0, "peers": []}
    node.p2p.connected = [
        PeerInfo(
            id=node.node_id,
            address="127.0.0.1:9",
            is_outbound=False,
            height=3,  # type: ignore[arg-type]
            since_ms=TimeMs(5),
            latency_ms=None,
            kind=LinkKind.INBOUND,
            group="local 127.0.0.1:9",
            score=0,
            bytes_in=1,
            bytes_out=2,
            bytes_waiting=0,
            is_brief=False,
            user_agent="",
        )
    ]
    answer = await ask("net_peers")
    assert answer["count"] == 1
    assert answer["peers"][0]["direction"] == "inbound"
    assert answer["peers"][0]["latency_ms"] is None
    assert answer["peers"][0]["kind"] == "inbound"
