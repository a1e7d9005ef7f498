"""Tests that there is one link per node, over links in memory."""

import asyncio
import random
from types import SimpleNamespace

import pytest

from inos.core.bounded import Score
from inos.network.identity import PeerAddress
from inos.network.peers.manager import MAX_SCORES
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.network.transport.memory import MemoryNetwork
from inos.network.wire.chain import GetHeaders, Headers
from inos.network.wire.control import Ping
from inos.primitives.clock import SystemClock
from support.network_fakes import (
    FAST,
    GENESIS_ID,
    FakeNode,
    make_chain,
    make_hello,
    make_identity,
    running,
    until,
)
from support.raw_links import hear, hear_end, say

SMALL, LARGE = sorted((make_identity(1), make_identity(9)), key=lambda identity: identity.node_id)


def make_memory_service(network, node, identity, host, *peers):
    settings = NetworkSettings(peers=peers, redial_first_s=0.05, redial_most_s=0.1, limits=FAST)
    transport = network.make_transport(identity.node_id, host, 1)
    return NetworkService(
        node,
        settings,
        identity,
        clock=SystemClock(),
        rng=random.Random(1),
        transport=transport,
    )


async def make_listener(network, identity, host):
    """Return a node that does nothing by itself, and the links that others dialled to it."""
    links = asyncio.Queue()
    transport = network.make_transport(identity.node_id, host, 1)

    async def keep(link):
        await links.put(link)
        await asyncio.Event().wait()

    await transport.listen(make_hello, keep)
    return transport, links


async def test_services_sync_over_links_in_memory():
    network = MemoryNetwork()
    full, empty = FakeNode(), FakeNode()
    await full.add_chain(make_chain(20))
    a = make_memory_service(network, full, SMALL, "a")
    b = make_memory_service(network, empty, LARGE, "b", PeerAddress(SMALL.node_id, "a", 1))
    async with running(a, b):
        await until(lambda: empty.ledger.tip.header.height == 20)


@pytest.mark.parametrize("is_alive", [True, False])
async def test_the_link_of_the_smaller_id_stays_unless_it_is_dead(is_alive):
    """The service has the smaller id and has dialled; then the other side dials too."""
    network = MemoryNetwork()
    raw, links = await make_listener(network, LARGE, "raw")
    a = make_memory_service(network, FakeNode(), SMALL, "a", PeerAddress(LARGE.node_id, "raw", 1))
    async with running(a):
        old = await links.get()
        await hear(old, Ping)
        await until(lambda: len(a.peers()) == 1)
        fresh = await raw.dial(PeerAddress(SMALL.node_id, "a", 1), make_hello)
        if is_alive:
            async with asyncio.TaskGroup() as group:
                answering = group.create_task(hear(old, Headers))
                assert await hear_end(fresh) == "duplicate"
                answering.cancel()
            assert a.peers()[0].is_outbound
        else:
            await say(fresh, GetHeaders(1, (GENESIS_ID,)))
            await hear(fresh, Headers)
            assert [peer.is_outbound for peer in a.peers()] == [False]
    await raw.stop()


async def test_a_link_dialled_by_the_smaller_id_replaces_ours_at_once():
    network = MemoryNetwork()
    raw, links = await make_listener(network, SMALL, "raw")
    a = make_memory_service(network, FakeNode(), LARGE, "a", PeerAddress(SMALL.node_id, "raw", 1))
    async with running(a):
        old = await links.get()
        await hear(old, Ping)
        fresh = await raw.dial(PeerAddress(LARGE.node_id, "a", 1), make_hello)
        await hear(fresh, Ping)
        await hear_end(old)
        assert [peer.is_outbound for peer in a.peers()] == [False]
        await fresh.close()
    await raw.stop()


async def test_points_of_peers_that_left_are_bounded():
    service = make_memory_service(MemoryNetwork(), FakeNode(), SMALL, "a")
    for number in range(MAX_SCORES + 10):
        score = Score(0.0, 0.0)
        score.add(50, 0.0)
        service.manager._remember(SimpleNamespace(id=number.to_bytes(32, "big"), score=score))
    assert len(service.manager._scores) == MAX_SCORES
    assert (0).to_bytes(32, "big") not in service.manager._scores
