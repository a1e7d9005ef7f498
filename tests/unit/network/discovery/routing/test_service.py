"""Tests routing inside complete network services, over real sockets on loopback."""

import asyncio

import pytest

from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.errors import HandshakeFailed, LinkError
from inos.network.identity import PeerAddress
from inos.network.transport.websocket import WebSocketTransport
from inos.network.wire.control import Ping
from inos.network.wire.kademlia import FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from inos.primitives.errors import MatrixMissing
from support.network_fakes import FAST, FakeNode, get_address, make_identity, make_service, raw_link, running, until
from support.raw_links import hear, hear_end, say

STRIPS = [bytes([n]) * 16_384 for n in range(40)]
QUICK = RoutingSettings(provide_pace_s=0.05)


async def test_a_matrix_two_hops_away_is_found_and_fetched():
    """A - B - C, where B never wants what A has: C finds A by B's record and fetches it from A."""
    first, middle, last = FakeNode(), FakeNode(), FakeNode()
    id = first.matrices.put(STRIPS)
    b = make_service(middle, 2, routing=QUICK)
    await b.start()
    a = make_service(first, 1, get_address(b), routing=QUICK)
    c = make_service(last, 3, get_address(b), routing=QUICK)
    async with running(a, b):
        await until(lambda: b.routing.get_status().records == 1)
        async with running(c):
            await until(lambda: c.peers())
            assert [peer.id for peer in c.peers()] == [b.node_id]
            await c.sync.matrices.fetch(id, 20.0)
            await until(lambda: last.matrices.has(id))
            assert last.matrices.parts[id] == dict(enumerate(STRIPS))
            assert not middle.matrices.has(id)
            # It has it now, and tells so; its own search finds the first node and not itself.
            await until(lambda: c.routing.get_status().provided == 1)
            assert await c.routing.find_providers(id, 3) == [get_address(a)]
            await until(lambda: b.routing.get_status().records == 2)
            found = await b.routing.find_providers(id, 3)
            assert set(found) == {get_address(a), get_address(c)}


async def test_what_nobody_has_is_still_missing_in_time():
    a, b = make_service(FakeNode(), 1), make_service(FakeNode(), 2)
    await a.start()
    b = make_service(FakeNode(), 2, get_address(a))
    async with running(a, b):
        await until(lambda: b.peers())
        started = asyncio.get_running_loop().time()
        with pytest.raises(MatrixMissing):
            await b.sync.matrices.fetch(b"\x07" * 32, 1.0)
        assert asyncio.get_running_loop().time() - started < 30.0


async def test_every_query_is_answered():
    node = FakeNode()
    a = make_service(node, 1, routing=QUICK)
    async with running(a), raw_link(9, get_address(a), listen_port=4000) as link:
        await say(link, FindNodes(1, bytes(32)))
        assert await hear(link, Nodes) == Nodes(1, ())
        await say(link, Provide(2, (b"\x01" * 32, b"\x02" * 32)))
        assert await hear(link, Provided) == Provided(2, (6 * 3600, 6 * 3600))
        await say(link, FindProviders(3, b"\x01" * 32))
        assert await hear(link, Providers) == Providers(3, (), ())  # Nobody is told of himself.
        async with raw_link(10, get_address(a)) as other:
            await say(other, FindProviders(4, b"\x01" * 32))
            (provider,) = (await hear(other, Providers)).providers
            assert (provider.id, provider.host, provider.port) == (make_identity(9).node_id, "127.0.0.1", 4000)
            # This one listens nowhere: nobody could fetch from it.
            await say(other, Provide(5, (b"\x03" * 32,)))
            assert await hear(other, Provided) == Provided(5, (0,))


async def test_a_flood_of_queries_is_a_ban():
    a = make_service(FakeNode(), 1)
    async with running(a), raw_link(9, get_address(a)) as link:
        for number in range(150):
            await say(link, FindNodes(number, bytes(32)))
        await until(lambda: a.bans.is_banned(make_identity(9).node_id))


async def test_an_answer_nobody_asked_for_is_a_fault():
    a = make_service(FakeNode(), 1)
    async with running(a), raw_link(9, get_address(a)) as link:
        for number in range(6):
            await say(link, Nodes(number, ()))
        await hear_end(link)
        await until(lambda: a.bans.is_banned(make_identity(9).node_id))


async def test_who_is_there_is_seen_without_a_link():
    a = make_service(FakeNode(), 1)
    async with running(a), raw_link(9, get_address(a)) as link:
        await hear(link, Ping)
        transport = WebSocketTransport(make_identity(9), a._node.genesis_id, host="127.0.0.1", port=0, limits=FAST)
        await transport.verify_address(get_address(a))
        assert len(a.peers()) == 1
        # The link of the same node is untouched.
        await say(link, FindNodes(1, bytes(32)))
        await hear(link, Nodes)
        with pytest.raises(HandshakeFailed) as refused:
            await transport.verify_address(PeerAddress(make_identity(8).node_id, "127.0.0.1", a.listen_port))
        assert refused.value.code == "wrong-peer"
        with pytest.raises(LinkError):
            await transport.verify_address(PeerAddress(make_identity(8).node_id, "127.0.0.1", 1))
        await transport.stop()
