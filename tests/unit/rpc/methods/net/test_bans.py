"""net_bans and net_unban."""

from inos.network.status import BanInfo
from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_bans_are_listed_and_lifted(ask: Ask, node: FakeNode) -> None:
    node.p2p.banned = [
        BanInfo(False, "ab" * 32, 9, 5, "bad-frame"),
        BanInfo(True, "20.1.0.0/16", 9, 5, "4 nodes of it"),
    ]
    answer = await ask("net_bans")
    assert [(ban["kind"], ban["subject"]) for ban in answer["bans"]] == [("node", "ab" * 32), ("group", "20.1.0.0/16")]
    assert await ask("net_unban", subject="20.1.0.0/16") == {"lifted": 1}
    assert (await ask("net_bans"))["count"] == 1
    assert await ask("net_unban", subject="all") == {"lifted": 1}
