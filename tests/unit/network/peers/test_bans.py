"""Tests bans: by id and group, for a time, over restarts, and which behaviour never leads to one."""

import random

import pytest

from inos.core.bounded import Score
from inos.network.endpoints import compute_group
from inos.network.errors import LinkError
from inos.network.files import MemoryFiles
from inos.network.identity import PeerAddress
from inos.network.peers.bans import BANS_FILE, BanList
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.network.transport.memory import MemoryNetwork
from inos.network.wire.chain import Headers
from inos.network.wire.control import Ping, Pong
from inos.primitives.clock import SystemClock
from inos.primitives.codec import encode
from support.network_fakes import FAST, FakeNode, make_hello, make_identity, running, until
from support.raw_links import hear, hear_end, say


class HandClock:
    def __init__(self):
        self.ms = 1_700_000_000_000

    def now_ms(self):
        return self.ms

    def monotonic(self):
        return self.ms / 1000


def make_id(number):
    return number.to_bytes(32, "big")


def group(host):
    return compute_group(host, 1)


def make_list(files=None, static=(), clock=None):
    return BanList(3600.0, static, files or MemoryFiles(), clock or HandClock())


def test_a_ban_ends():
    clock = HandClock()
    bans = make_list(clock=clock)
    bans.ban(make_id(1), group("20.1.0.1"), "bad-frame")
    assert bans.is_banned(make_id(1))
    assert not bans.is_banned(make_id(2), group("20.1.0.1"))
    clock.ms += 3_599_000
    assert bans.is_banned(make_id(1))
    clock.ms += 1_001
    assert not bans.is_banned(make_id(1))
    assert bans.list_ids() == []


def test_a_group_is_banned_after_four_of_its_nodes_within_an_hour():
    clock = HandClock()
    bans = make_list(clock=clock)
    for number in (1, 1, 1, 1, 2, 3):
        bans.ban(make_id(number), group(f"20.1.{number}.1"), "bad-frame")
    assert not bans.is_banned(make_id(9), group("20.1.77.1")), "three nodes, one of them several times"
    bans.ban(make_id(4), group("20.1.4.1"), "bad-frame")
    assert bans.is_banned(make_id(9), group("20.1.77.1"))
    assert not bans.is_banned(make_id(9), group("20.2.77.1"))
    clock.ms += 3_600_001
    assert not bans.is_banned(make_id(9), group("20.1.77.1"))


def test_bans_far_apart_do_not_add_up_to_a_groups():
    clock = HandClock()
    bans = make_list(clock=clock)
    for number in range(8):
        bans.ban(make_id(number), group("20.1.0.1"), "bad-frame")
        clock.ms += 1_300_000
    assert bans.list_groups() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "192.168.0.1", "::1", "seed.example.org"])
def test_no_local_group_and_no_name_is_ever_banned(host):
    bans = make_list()
    for number in range(20):
        bans.ban(make_id(number), group(host), "bad-frame")
    assert bans.list_groups() == []
    assert not bans.is_banned(make_id(99), group(host))


def test_a_named_peer_is_refused_for_a_minute_and_never_for_its_group():
    clock = HandClock()
    bans = make_list(static=(make_id(1),), clock=clock)
    for number in (1, 2, 3, 4, 5):
        bans.ban(make_id(number), group("20.1.0.1"), "bad-frame")
    assert bans.is_banned(make_id(1), group("20.1.0.1"))
    clock.ms += 60_001
    assert not bans.is_banned(make_id(1), group("20.1.0.1"))
    assert bans.is_banned(make_id(9), group("20.1.0.1"))


def test_bans_are_bounded_and_lifted():
    bans = make_list()
    for number in range(5_000):
        bans.ban(make_id(number), group(f"20.{number % 200}.0.1"), "bad-frame")
    assert len(bans.list_ids()) == 4096
    assert len(bans._recent) <= 4096
    assert bans.lift(make_id(4_999).hex()) == 1
    assert not bans.is_banned(make_id(4_999))
    assert bans.lift("20.7.0.0/16") == 1
    assert not bans.is_banned(make_id(9_999), group("20.7.0.1"))
    assert bans.lift("0000") == 0, "too short to name a node"
    assert bans.lift("all") == 4095 + 199
    assert bans.list_ids() == bans.list_groups() == []


async def test_bans_come_back_after_a_restart_and_a_wrong_clock_makes_none_last():
    files, clock = MemoryFiles(), HandClock()
    bans = make_list(files, clock=clock)
    for number in range(4):
        bans.ban(make_id(number), group("20.1.0.1"), "bad-frame")
    await bans.save()
    again = make_list(files, clock=clock)
    await again.load()
    assert [ban.subject for ban in again.list_ids()] == [make_id(number) for number in range(4)]
    assert again.is_banned(make_id(9), group("20.1.0.1"))
    clock.ms += 3_600_001
    late = make_list(files, clock=clock)
    await late.load()
    assert late.list_ids() == []
    clock.ms -= 10 * 3_600_000
    early = make_list(files, clock=clock)
    await early.load()
    assert early.list_ids() == [], "a ban that would last ten hours more than any does"
    files.files[BANS_FILE] = b"rubbish"
    damaged = make_list(files)
    await damaged.load()
    assert damaged.list_ids() == []


def test_points_decay():
    score = Score(0.1, 0.0)
    assert score.add(50, 0.0) == 50
    assert score.get(100.0) == 40
    assert score.add(10, 100.0) == 50
    assert score.get(10_000.0) == 0


PLACE = PeerAddress(make_identity(1).node_id, "20.1.0.1", 8646)


def make_service(network, files=None, *, peers=(), **changes):
    identity = make_identity(1)
    settings = NetworkSettings(**{"peers": peers, "limits": FAST, "redial_first_s": 0.05, **changes})
    return NetworkService(
        FakeNode(),
        settings,
        identity,
        clock=SystemClock(),
        rng=random.Random(1),
        transport=network.make_transport(identity.node_id, "20.1.0.1", 8646),
        files=files,
    )


async def offend(network, number, host):
    """Send unrequested answers until that leads to a ban: 20 points each time."""
    transport = network.make_transport(make_identity(number).node_id, host, 1)
    link = await transport.dial(PLACE, make_hello)
    try:
        for _ in range(6):
            await say(link, Headers(7, ()))
    except LinkError:
        pass
    await hear_end(link)


async def test_four_offenders_of_one_group_shut_out_the_fifth_and_a_restart_does_not_help():
    network, files = MemoryNetwork(), MemoryFiles()
    node = make_service(network, files)
    async with running(node):
        for number in range(10, 14):
            await offend(network, number, f"66.6.0.{number}")
        await until(lambda: len(node.list_bans()) == 5)
        assert [ban.subject for ban in node.list_bans() if ban.is_group] == ["66.6.0.0/16"]
        other = network.make_transport(make_identity(20).node_id, "66.6.9.9", 1)
        assert await hear_end(await other.dial(PLACE, make_hello)) == "banned"
        far = network.make_transport(make_identity(21).node_id, "67.6.9.9", 1)
        link = await far.dial(PLACE, make_hello)
        await hear(link, Ping)
        await link.close()
    again = make_service(network, files)
    async with running(again):
        assert await hear_end(await other.dial(PLACE, make_hello)) == "banned"
        assert again.bans.lift("66.6.0.0/16") == 1
        link = await other.dial(PLACE, make_hello)
        await hear(link, Ping)
        await link.close()


async def test_points_outlive_the_link_and_are_shown():
    network = MemoryNetwork()
    node = make_service(network)
    raw = network.make_transport(make_identity(10).node_id, "66.6.0.1", 1)
    async with running(node):
        for turn in range(1, 6):
            link = await raw.dial(PLACE, make_hello)
            await say(link, Headers(7, ()))
            await until(lambda turn=turn: [peer.score for peer in node.peers()] == [20 * turn])
            await link.close()
            await until(lambda: not node.peers())
        link = await raw.dial(PLACE, make_hello)
        await say(link, Headers(7, ()))
        await hear_end(link)
        await until(lambda: node.bans.is_banned(make_identity(10).node_id))


async def test_a_named_peer_that_misbehaved_is_dialled_again(monkeypatch):
    monkeypatch.setattr("inos.network.peers.bans.STATIC_BAN_S", 0.3)
    network = MemoryNetwork()
    seen = []

    async def misbehave(link):
        seen.append(link)
        await link.send(b"\xff\xff")
        await hear_end(link)

    raw = network.make_transport(make_identity(10).node_id, "66.6.0.1", 1)
    await raw.listen(make_hello, misbehave)
    node = make_service(network, peers=(PeerAddress(make_identity(10).node_id, "66.6.0.1", 1),))
    async with running(node):
        await until(lambda: len(node.list_bans()) == 1)
        await until(lambda: len(seen) >= 2)
    await raw.stop()


async def test_silence_slowness_and_ends_of_links_are_no_offence():
    limits = FAST.__class__(**{**{name: getattr(FAST, name) for name in FAST.__struct_fields__}, "ping": 0.2})
    network = MemoryNetwork()
    node = make_service(network, limits=limits)
    raw = network.make_transport(make_identity(10).node_id, "66.6.0.1", 1)
    async with running(node):
        link = await raw.dial(PLACE, make_hello)
        await hear_end(link)  # It answers no ping.
        link = await raw.dial(PLACE, lambda: make_hello(height=100, tip=b"\x07" * 32))
        ping = await hear(link, Ping)
        await say(link, Pong(ping.nonce, b"\x07" * 32, 100))
        await link.close()  # It is asked for headers and says nothing.
        await until(lambda: not node.peers())
        assert node.list_bans() == []


async def test_a_hello_that_is_none_is_a_ban():
    network = MemoryNetwork()
    node = make_service(network)
    raw = network.make_transport(make_identity(10).node_id, "66.6.0.1", 1)
    async with running(node):
        await hear_end(await raw.dial(PLACE, lambda: encode(7)))
        assert [ban.subject for ban in node.list_bans()] == [make_identity(10).node_id.hex()]
