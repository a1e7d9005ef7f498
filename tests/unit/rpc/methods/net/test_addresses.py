"""net_addresses, and the address book's numbers in net_status."""

from inos.network.status import AddressInfo
from inos.primitives.units import NodeId
from support.fake_node import FakeNode
from support.rpc_served import Ask


async def test_the_network_status_and_the_address_book(ask: Ask, node: FakeNode) -> None:
    status = await ask("net_status")
    assert (status["reachability"], status["connections"]["outbound"], status["known_new"]) == ("private", 3, 7)
    node.p2p.addresses = [
        AddressInfo(
            id=NodeId(bytes([n]) * 32),
            host=f"20.1.0.{n}",
            port=8646,
            group="20.1.0.0/16",
            is_tried=n == 1,
            seen_ms=5,
            attempt_ms=0,
            reached_ms=9,
            attempts=2,
        )
        for n in (1, 2, 3)
    ]
    answer = await ask("net_addresses", limit=2)
    assert answer["count"] == 3
    assert [one["host"] for one in answer["addresses"]] == ["20.1.0.1", "20.1.0.2"]
    assert answer["addresses"][0]["last_attempt_ms"] is None
    assert answer["addresses"][0]["is_connected"] is False
