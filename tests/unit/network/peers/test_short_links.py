"""Tests links for a few requests: shared, bounded, without notices, closed when idle."""

import asyncio
import random

import pytest

from inos.network.errors import LinkError
from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.network.transport.memory import MemoryNetwork
from inos.network.wire.chain import GetHeaders, Headers
from inos.primitives.clock import SystemClock
from support.network_fakes import FAST, FakeNode, make_chain, make_identity, running, until


class Lab:
    """Services on one network in memory; `dials` lists the dials."""

    def __init__(self):
        self.network = MemoryNetwork()
        self.dials = []

    def make(self, seed, *peers, node=None, **changes):
        identity = make_identity(seed)
        transport = self.network.make_transport(identity.node_id, f"h{seed}", 1)
        dial = transport.dial

        async def count(address, hello):
            self.dials.append((seed, address.host))
            return await dial(address, hello)

        transport.dial = count
        settings = NetworkSettings(
            **{"peers": peers, "redial_first_s": 0.05, "redial_most_s": 0.1, "limits": FAST, **changes}
        )
        return NetworkService(
            node or FakeNode(),
            settings,
            identity,
            clock=SystemClock(),
            rng=random.Random(1),
            transport=transport,
        )


def at(seed):
    return PeerAddress(make_identity(seed).node_id, f"h{seed}", 1)


async def ask_headers(peer):
    with peer.requests.open(Headers) as pending:
        await peer.send_request(pending, GetHeaders(pending.request, ()), 1)
        return await pending.next(1)


async def test_a_brief_link_answers_and_carries_no_news():
    lab, node = Lab(), FakeNode()
    a, b = lab.make(1), lab.make(2, node=node)
    async with running(a, b):
        await until(lambda: a.manager.is_running)
        peer = await a.manager.get_or_dial(at(2), 1)
        assert (peer.kind, peer.is_brief) == (LinkKind.SHORT, True)
        await node.add_chain(make_chain(3))
        assert len((await ask_headers(peer)).headers) == 3
        seen = [other for other in b.peers() if other.id == a.node_id]
        assert [(other.kind, other.is_brief) for other in seen] == [(LinkKind.INBOUND, True)]
        assert not peer.inbox, "a block was announced to a link for questions"
        assert peer.latency_s is None


async def test_a_connected_peer_is_used_as_it_is():
    lab = Lab()
    a, b = lab.make(1, at(2)), lab.make(2)
    async with running(a, b):
        await until(lambda: len(a.peers()) == 1)
        assert (await a.manager.get_or_dial(at(2), 1)).kind is LinkKind.STATIC
        await until(lambda: len(b.peers()) == 1)
        assert (await b.manager.get_or_dial(at(1), 1)).kind is LinkKind.INBOUND
        assert lab.dials == [(1, "h2")]


async def test_callers_at_the_same_time_share_one_link():
    lab = Lab()
    a, b = lab.make(1), lab.make(2)
    async with running(a, b):
        await until(lambda: a.manager.is_running)
        found = await asyncio.gather(*(a.manager.get_or_dial(at(2), 1) for _ in range(5)))
        assert len({id(peer) for peer in found}) == 1
        assert lab.dials == [(1, "h2")]


async def test_a_link_that_is_not_used_closes_on_both_sides():
    lab = Lab()
    a, b = lab.make(1, short_idle_s=0.1), lab.make(2)
    async with running(a, b):
        await until(lambda: a.manager.is_running)
        peer = await a.manager.get_or_dial(at(2), 1)
        await until(lambda: not a.peers() and not b.peers())
        assert peer.end_reason == "idle"


async def test_the_answering_side_closes_what_stays_idle_too():
    lab = Lab()
    a, b = lab.make(1), lab.make(2, short_idle_s=0.1)
    async with running(a, b):
        await until(lambda: a.manager.is_running)
        peer = await a.manager.get_or_dial(at(2), 1)
        await until(lambda: not a.peers() and not b.peers())
        assert peer.end_reason == "link-closed"


async def test_the_link_idle_the_longest_goes_for_a_new_one_and_busy_ones_stay():
    lab = Lab()
    a, *others = lab.make(1, max_short=2), *(lab.make(seed) for seed in (2, 3, 4, 5))
    async with running(a, *others):
        await until(lambda: a.manager.is_running)
        first, second = await a.manager.get_or_dial(at(2), 1), await a.manager.get_or_dial(at(3), 1)
        first.touch()
        await a.manager.get_or_dial(at(4), 1)
        await until(lambda: {peer.id for peer in a.peers()} == {at(2).id, at(4).id})
        assert second.end_reason == "made-room"
        third = await a.manager.get_or_dial(at(4), 1)
        with first.requests.open(Headers), third.requests.open(Headers), pytest.raises(LinkError, match="open already"):
            await a.manager.get_or_dial(at(5), 1)


async def test_others_cannot_hold_more_brief_links_than_there_is_room_for():
    lab = Lab()
    host = lab.make(1, max_short=3)
    others = [lab.make(seed) for seed in range(2, 10)]
    async with running(host, *others):
        await until(lambda: all(other.manager.is_running for other in others))
        for other in others:
            await other.manager.get_or_dial(at(1), 1)
        await until(lambda: len(host.peers()) == 3)


async def test_nobody_there_the_wrong_node_and_oneself():
    lab = Lab()
    a, b = lab.make(1), lab.make(2)
    async with running(a, b):
        await until(lambda: a.manager.is_running)
        with pytest.raises(LinkError, match="no node listens"):
            await a.manager.get_or_dial(at(3), 1)
        with pytest.raises(LinkError, match="answers as"):
            await a.manager.get_or_dial(PeerAddress(at(3).id, "h2", 1), 1)
        with pytest.raises(LinkError, match="itself"):
            await a.manager.get_or_dial(at(1), 1)
        assert not a.peers()


async def test_waiting_for_a_link_has_an_end():
    lab = Lab()
    a = lab.make(1)

    async def dial(address, hello):
        await asyncio.Event().wait()

    a._transport.dial = dial
    async with running(a):
        await until(lambda: a.manager.is_running)
        with pytest.raises(LinkError, match=r"within 0\.05 s"):
            await a.manager.get_or_dial(at(2), 0.05)


async def test_a_link_for_more_takes_the_place_of_a_brief_one_and_not_the_other_way_round():
    lab = Lab()
    a, b = lab.make(1), lab.make(2)
    async with running(a, b):
        await until(lambda: a.manager.is_running and b.manager.is_running)
        brief = await a.manager.get_or_dial(at(2), 1)
        full = await b.manager.connect(at(1), LinkKind.STATIC)
        await until(lambda: [peer.kind for peer in a.peers()] == [LinkKind.INBOUND] and brief.ended.is_set())
        await until(lambda: [peer.kind for peer in b.peers()] == [LinkKind.STATIC])
        assert await b.manager.get_or_dial(at(1), 1) is full
        link = await a._transport.dial(at(2), lambda: a._make_hello(True))
        await until(lambda: a.manager.peers[at(2).id].latency_s is not None)
        while True:
            if b"duplicate" in await link.receive():
                break
        assert [peer.kind for peer in b.peers()] == [LinkKind.STATIC]
