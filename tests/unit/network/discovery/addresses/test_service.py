"""Services in memory find each other: seeds, exchange, slots, feelers, anchors, reachability.

They run on a virtual clock, so that no machine is too slow for them.
"""

import asyncio
import random
from datetime import UTC, date, datetime, time

import pytest

from inos.network.discovery.addresses.bookfile import ANCHORS_FILE, BOOK_FILE
from inos.network.files import MemoryFiles
from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.network.transport.memory import MemoryNetwork
from inos.network.wire.addresses import Addresses, AnnounceAddresses, DialMe, GetAddresses, KnownAddress
from support.network_fakes import (
    FAST,
    FakeNode,
    make_chain,
    make_hello,
    make_identity,
    running,
    until,
)
from support.raw_links import hear, hear_end, say
from support.sim_loop import virtually

QUICK = {
    "redial_first_s": 0.05,
    "redial_most_s": 0.1,
    "slot_interval_s": 0.1,
    "seed_interval_s": 0.2,
    "retry_s": 0.5,
    "address_interval_s": 0.05,
    "rotation_interval_s": 0.05,
    "feeler_interval_s": 100.0,
    "limits": FAST,
}


class ClockOn:
    """A clock of the loop's time that starts at noon of a given day."""

    def __init__(self, day="2026-03-01"):
        noon = datetime.combine(date.fromisoformat(day), time(12), UTC)
        self._start_ms = int(noon.timestamp()) * 1000

    def now_ms(self):
        return self._start_ms + int(self.monotonic() * 1000)

    def monotonic(self):
        return asyncio.get_running_loop().time()


class Town:
    """Nodes by number; node n lives at 20.n.0.1, so that each is a network group of its own."""

    def __init__(self, clock=None):
        self.clock = clock or ClockOn()
        self.network = MemoryNetwork()
        self.nodes = {}

    def make(self, number, *, host=None, files=None, **changes):
        identity = make_identity(number)
        transport = self.network.make_transport(identity.node_id, host or place(number).host, 8646)
        node = self.nodes[number] = FakeNode()
        return NetworkService(
            node,
            NetworkSettings(**{**QUICK, **changes}),
            identity,
            clock=self.clock,
            rng=random.Random(number),
            transport=transport,
            files=files,
        )

    async def listen(self, number, host=None):
        """Return a node that does nothing by itself, and the links that others dialled to it."""
        identity, links = make_identity(number), asyncio.Queue()
        transport = self.network.make_transport(identity.node_id, host or place(number).host, 8646)

        async def keep(link):
            await links.put(link)
            await asyncio.Event().wait()

        await transport.listen(lambda: make_hello(listen_port=8646), keep)
        return transport, links


def place(number):
    return PeerAddress(make_identity(number).node_id, f"20.{number}.0.1", 8646)


def list_outbound(service):
    return {peer.id for peer in service.peers() if peer.kind is LinkKind.OUTBOUND}


def count_outbound(service):
    return len(list_outbound(service))


def known(address, seen_s):
    return KnownAddress(address.id, address.host, address.port, seen_s)


# On the first day each choice of two peers a day left a node out, which is why a small book is relayed to all.
@pytest.mark.parametrize("day", ["2026-11-29", "2028-02-29"])
@virtually
async def test_nodes_that_know_one_seed_find_each_other(day):
    town = Town(ClockOn(day))
    seed = town.make(1)
    others = [town.make(number, seeds=(place(1),)) for number in range(2, 8)]
    async with running(seed, *others):
        await until(lambda: all(len(service.peers()) >= 4 for service in others))
        await until(lambda: all(len(service.list_addresses()) == 6 for service in others))
        await until(lambda: all(service.get_status().reachability == "public" for service in others))
        for number, service in enumerate(others, 2):
            status = service.get_status()
            assert status.observed_host == f"20.{number}.0.1"
            assert status.announced == str(place(number))
        await seed.stop()
        # The seed is gone; what one hears all hear.
        (block,) = make_chain(1)
        await town.nodes[2].add_chain([block])
        await until(lambda: all(town.nodes[number].ledger.tip.header.height == 1 for number in range(2, 8)))


@virtually
async def test_a_node_that_knows_nobody_asks_a_peer_that_dialled_it():
    town = Town()
    third = town.make(3)
    second = town.make(2, seeds=(place(3),), peers=(place(1),))
    first = town.make(1, max_outbound=1)
    async with running(third, second, first):
        await until(lambda: count_outbound(first) == 1)
        assert [peer.id for peer in first.peers() if peer.kind is LinkKind.OUTBOUND] == [place(3).id]


@virtually
async def test_slots_are_bounded_and_each_is_in_another_group():
    town = Town()
    crowd = [town.make(number, host=f"20.1.0.{number}") for number in range(1, 6)]
    lone = [town.make(number) for number in (11, 12)]
    node = town.make(20, max_outbound=4)
    for number in range(1, 6):
        node.addresses.book.add(
            PeerAddress(make_identity(number).node_id, f"20.1.0.{number}", 8646), b"4zz", now(), now()
        )
    for number in (11, 12):
        node.addresses.book.add(place(number), b"4zz", now(), now())
    async with running(*crowd, *lone, node):
        await until(lambda: count_outbound(node) == 3)
        for _ in range(5):
            await asyncio.sleep(0.1)
            assert count_outbound(node) == 3
        assert node.get_status().outbound_groups == 3
        outbound = [peer for peer in node.peers() if peer.kind is LinkKind.OUTBOUND]
        assert sum(peer.group == "20.1.0.0/16" for peer in outbound) == 1


def now():
    return ClockOn().now_ms()


@virtually
async def test_without_discovery_nobody_is_dialled_and_others_are_answered():
    town = Town()
    quiet = town.make(1, discovery=False, seeds=(place(2),))
    other = town.make(2)
    quiet.addresses.book.add(place(9), b"4zz", now(), now())
    raw, _ = await town.listen(3)
    async with running(quiet, other):
        await until(lambda: len(quiet.list_addresses()) == 2)
        link = await raw.dial(place(1), lambda: make_hello(listen_port=8646))
        await say(link, GetAddresses(5))
        reply = await hear(link, Addresses)
        assert (reply.request, reply.observed) == (5, "20.3.0.1")
        assert {told.host for told in reply.addresses} == {"20.2.0.1", "20.9.0.1"}
        await asyncio.sleep(0.5)
        assert [peer.is_outbound for peer in quiet.peers()] == [False]
        await link.close()
    await raw.stop()


@virtually
async def test_announced_addresses_are_bounded_and_a_small_book_is_relayed_to_all():
    town = Town()
    node = town.make(1)
    raws = [await town.listen(number) for number in range(2, 7)]
    async with running(node):
        links = [await raw.dial(place(1), lambda: make_hello()) for raw, _ in raws]
        await until(lambda: len(node.peers()) == 5)
        seconds = now() // 1000
        fresh = known(place(50), seconds)
        stale = known(place(51), seconds - 3600)
        future = known(place(52), seconds + 86_400)
        wrong = [KnownAddress(bytes(32), host, 1, seconds) for host in ("127.0.0.1", "10.0.0.1", "a.example")]
        await say(links[0], AnnounceAddresses((fresh, stale, future, *wrong)))
        await until(lambda: len(node.list_addresses()) == 3)
        entries = {entry.host: entry for entry in node.list_addresses()}
        assert set(entries) == {"20.50.0.1", "20.51.0.1", "20.52.0.1"}
        assert entries["20.52.0.1"].seen_ms < now() - 4 * 86_400_000, "a time in the future is not believed"
        assert all(entry.seen_ms <= now() - 7_000_000 for entry in entries.values())

        heard = []

        async def listen(link):
            while True:
                heard.append((link, await hear(link, AnnounceAddresses)))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(listen(link)) for link in links]
            await until(lambda: len(heard) == 4)
            await say(links[0], AnnounceAddresses(tuple(known(place(100 + n), seconds) for n in range(10))))
            await until(lambda: len(node.list_addresses()) > 3)
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
        told = [address for _, message in heard for address in message.addresses]
        assert sum(address == fresh for address in told) == 4, "relayed to every other peer"
        assert not any(address in (stale, future) for address in told)
        assert all(link is not links[0] for link, _ in heard)
        # A burst of ten a peer, then one in ten seconds: 6 and 4 more.
        assert len(node.list_addresses()) == 3 + 4
        for link in links:
            await link.close()
    for raw, _ in raws:
        await raw.stop()


@virtually
async def test_everybody_gets_the_same_answer_for_a_day():
    town = Town()
    node = town.make(1, discovery=False)
    for number in range(250):
        node.addresses.book.add(PeerAddress(bytes([number]) * 32, f"30.{number}.0.1", 1), bytes([number]), now(), now())
    size = len(node.list_addresses())
    raw, _ = await town.listen(2)
    async with running(node):
        answers = set()
        for _ in range(3):
            link = await raw.dial(place(1), make_hello)
            await say(link, GetAddresses(1))
            answers.add((await hear(link, Addresses)).addresses)
            await link.close()
        assert len(answers) == 1
        assert len(answers.pop()) == int(size * 0.23)
    await raw.stop()


@virtually
async def test_a_node_that_nobody_can_dial_finds_out_and_does_not_announce_itself(monkeypatch):
    monkeypatch.setattr("inos.network.discovery.addresses.reachability.ANSWER_S", 0.2)
    town = Town()
    node = town.make(1)
    raws = [await town.listen(number) for number in (2, 3)]
    for number in (2, 3):
        node.addresses.book.add(place(number), b"4zz", now(), now())
    async with running(node):
        links = [await links.get() for _, links in raws]
        for link in links:
            request = await hear(link, GetAddresses)
            await say(link, Addresses(request.request, "20.1.0.1", ()))
            await hear(link, DialMe)
        assert node.get_status().observed_host == "20.1.0.1"
        await until(lambda: node.get_status().reachability == "private")
        (raw, _), _ = raws
        link = await raw.dial(place(1), lambda: make_hello(is_brief=True))
        await until(lambda: node.get_status().reachability == "public")
        await link.close()
    for raw, _ in raws:
        await raw.stop()


@virtually
async def test_one_liar_does_not_move_the_observed_address():
    town = Town()
    node = town.make(1)
    raws = [await town.listen(number) for number in (2, 3, 4)]
    for number in (2, 3, 4):
        node.addresses.book.add(place(number), b"4zz", now(), now())
    async with running(node):
        for number, (_, links) in zip((2, 3, 4), raws, strict=True):
            link = await links.get()
            request = await hear(link, GetAddresses)
            await say(link, Addresses(request.request, "66.6.6.6" if number == 3 else "20.1.0.1", ()))
            (own,) = (await hear(link, AnnounceAddresses)).addresses
            assert (own.id, own.port) == (node.node_id, 8646)
        assert node.get_status().observed_host == "20.1.0.1"
    for raw, _ in raws:
        await raw.stop()


@virtually
async def test_a_feeler_proves_an_address_and_forgets_a_false_one():
    town = Town()
    node = town.make(1, max_outbound=0, feeler_interval_s=0.05)
    other = town.make(2)
    book = node.addresses.book
    false = PeerAddress(make_identity(77).node_id, place(3).host, 8646)
    third = town.make(3)
    for address in (place(2), false):
        book.add(address, b"4zz", now(), now())
    async with running(node, other, third):
        await until(lambda: [e.address for e in book] == [place(2)] and book.tried_count == 1)
        assert node.peers() == []
        await until(lambda: other.peers() == [] and other.get_status().reachability == "public")


@virtually
async def test_anchors_and_book_come_back_after_a_restart():
    town, files = Town(), MemoryFiles()
    others = [town.make(number) for number in range(2, 6)]
    node = town.make(1, files=files, max_outbound=2)
    for number in range(2, 6):
        node.addresses.book.add(place(number), b"4zz", now(), now())
    async with running(*others):
        async with running(node):
            await until(lambda: count_outbound(node) == 2)
            anchors = list_outbound(node)
        assert set(files.files) >= {BOOK_FILE, ANCHORS_FILE}
        del files.files[BOOK_FILE]
        again = town.make(1, files=files, max_outbound=2)
        async with running(again):
            await until(lambda: count_outbound(again) == 2)
            assert list_outbound(again) == anchors
            assert again.list_addresses() != []
        whole = town.make(1, files=files, max_outbound=2)
        async with running(whole):
            assert len(whole.list_addresses()) >= 2, "the book is read before the node is ready"
            await until(lambda: count_outbound(whole) == 2)


@virtually
async def test_a_standing_chain_changes_the_worst_outbound_peer(monkeypatch):
    monkeypatch.setattr("inos.network.discovery.addresses.rotation.MIN_STAY_S", 0.1)
    town = Town()
    others = [town.make(number, max_outbound=0) for number in range(2, 8)]  # They dial nobody back.
    node = town.make(1, max_outbound=2, stale_tip_s=0.3)
    for number in range(2, 8):
        node.addresses.book.add(place(number), b"4zz", now(), now())
    seen = set()

    def look():
        peers = [peer for peer in node.manager.peers.values() if peer.kind is LinkKind.OUTBOUND]
        seen.update(peer.id for peer in peers)
        if useful is not None:
            useful.contributions.block_at = useful.connected_at + 1
        assert sum(not peer.is_closing for peer in peers) <= 3
        return len(seen) >= 4

    useful = None
    async with running(node, *others):
        await until(lambda: count_outbound(node) == 2)
        useful = next(iter(node.manager.peers.values()))
        await until(look)
        assert useful.id in node.manager.peers, "the one that gave a block stays"


@virtually
async def test_an_outbound_peer_left_behind_is_let_go_and_not_banned():
    town = Town()
    behind, _ = await town.listen(2)
    node = town.make(1, behind_s=0.2)
    node.addresses.book.add(place(2), b"4zz", now(), now())
    await town.nodes[1].add_chain(make_chain(30))
    async with running(node):
        await until(lambda: count_outbound(node) == 1)
        (peer,) = node.manager.peers.values()
        await until(peer.ended.is_set)
        assert peer.end_reason == "behind"
        assert not node.bans.is_banned(peer.id)
    await behind.stop()


@pytest.mark.parametrize("is_local", [True, False])
@virtually
async def test_local_addresses_are_used_on_local_networks_only(is_local):
    town = Town()
    seed = town.make(1, host="127.0.0.1", local_addresses=is_local)
    raw, _ = await town.listen(2, host="127.0.0.2")
    at_seed = PeerAddress(make_identity(1).node_id, "127.0.0.1", 8646)
    async with running(seed):
        link = await raw.dial(at_seed, lambda: make_hello(listen_port=8646))
        await say(link, AnnounceAddresses((KnownAddress(make_identity(9).node_id, "127.0.0.9", 8646, now() // 1000),)))
        await say(link, GetAddresses(1))
        told = (await hear(link, Addresses)).addresses
        assert [address.host for address in told] == (["127.0.0.9"] if is_local else [])
        await link.close()
    await raw.stop()


@virtually
async def test_a_peer_that_asks_is_dialled_back_where_it_is_and_nowhere_else():
    town = Town()
    node = town.make(1)
    raw, links = await town.listen(2)
    async with running(node):
        link = await raw.dial(place(1), lambda: make_hello(listen_port=8646))
        await say(link, DialMe())
        back = await links.get()
        assert back.remote_address.startswith("20.1.0.1")
        assert await hear_end(back) == "feeler"
        await say(link, DialMe())
        await asyncio.sleep(0.2)
        assert links.empty(), "once in ten minutes"
        await link.close()
    await raw.stop()
