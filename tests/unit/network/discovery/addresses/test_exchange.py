"""Tests the relay of addresses alone: an address that a seed hears reaches all nodes of a small network on any day."""

import random

import pytest

from inos.network.discovery.addresses.book import AddressBook
from inos.network.discovery.addresses.exchange import DAY_MS, AddressExchange
from inos.network.discovery.addresses.reachability import Reachability
from inos.network.identity import PeerAddress
from inos.network.peers.kinds import LinkKind
from inos.network.settings import NetworkSettings
from inos.network.wire.addresses import AnnounceAddresses, KnownAddress
from support.network_fakes import make_identity

FIRST_DAY = 20_454
"""2026-01-01 in days since 1970. The 366 days after it include 2026-11-29, on which relay to two peers missed a
node.
"""


class StillClock:
    def __init__(self, day):
        self.day = day

    def now_ms(self):
        return self.day * DAY_MS + DAY_MS // 2

    def monotonic(self):
        return 0.0


class Node:
    """The address exchange of node n, which lives at 20.n.0.1."""

    def __init__(self, number, clock):
        identity = make_identity(number)
        rng = random.Random(number)
        self.address = PeerAddress(identity.node_id, f"20.{number}.0.1", 8646)
        self.book = AddressBook(identity.secret, identity.node_id, rng, allow_local=False)
        self.exchange = AddressExchange(
            identity.secret,
            self.book,
            Reachability(identity.node_id, (self.address.host, self.address.port), allow_local=False),
            NetworkSettings(),
            clock,
            rng,
            get_port=lambda: 8646,
            on_news=lambda: None,
        )


class FakePeer:
    """One end of a link: the node at the other end receives at once what is sent here."""

    def __init__(self, remote, kind):
        self.id, self.name = remote.address.id, remote.address.host
        self.group = b"4" + bytes([20, int(remote.address.host.split(".")[1])])
        self.kind = kind
        self.remote = remote
        self.back = None
        self.heard = []

    def send(self, message):
        self.heard.append(message)
        self.remote.exchange.handle_notice(self.back, message)
        return True


def connect(dialler, listener):
    there, here = FakePeer(listener, LinkKind.OUTBOUND), FakePeer(dialler, LinkKind.INBOUND)
    there.back, here.back = here, there
    dialler.exchange.enter(there)
    listener.exchange.enter(here)
    return there, here


def build_star(clock, count):
    """Return a seed and `count` nodes that are linked to it alone."""
    seed = Node(1, clock)
    nodes = [Node(number, clock) for number in range(2, 2 + count)]
    return seed, nodes, [connect(node, seed) for node in nodes]


@pytest.mark.parametrize("is_early", [True, False])
def test_relay_reaches_every_node_of_a_small_network_on_every_day(is_early):
    for day in range(FIRST_DAY, FIRST_DAY + 366):
        seed, nodes, links = build_star(StillClock(day), 6)
        for node, (there, _) in zip(nodes, links, strict=True):
            node.exchange.announce_own(there)
            if is_early:
                seed.exchange.flush()
        seed.exchange.flush()
        everyone = {node.address for node in nodes}
        for node in nodes:
            assert {entry.address for entry in node.book} >= everyone - {node.address}, f"day {day}"


def test_relay_in_a_large_network_goes_to_the_same_few_peers_for_a_day():
    choices = set()
    for day in range(FIRST_DAY, FIRST_DAY + 30):
        clock = StillClock(day)
        seed, _, links = build_star(clock, 8)
        for number in range(2, 200):
            told = PeerAddress(make_identity(200).node_id, f"30.{number}.0.1", 8646)
            seed.book.add(told, bytes([number]), clock.now_ms(), clock.now_ms())
        assert len(seed.book) > 64
        stranger = KnownAddress(make_identity(201).node_id, "40.1.0.1", 8646, clock.now_ms() // 1000)

        seed.exchange.handle_notice(links[0][1], AnnounceAddresses((stranger,)))
        seed.exchange.flush()
        reached = {number for number, (_, here) in enumerate(links) if here.heard}
        assert len(reached) == 2
        assert 0 not in reached

        for _, here in links[1:]:
            seed.exchange.handle_notice(here, AnnounceAddresses((stranger,)))
            seed.exchange.flush()
        reached |= {number for number, (_, here) in enumerate(links) if here.heard}
        assert len(reached) <= 3, "the two peers of the day, and one more where one of the two announces it"
        choices.add(frozenset(reached))
    assert len(choices) > 5, "the choice changes from day to day"


def test_addresses_for_a_busy_link_are_told_later():
    clock = StillClock(FIRST_DAY)
    seed, nodes, links = build_star(clock, 3)
    busy = links[1][1]
    free, busy.send = busy.send, lambda message: False
    nodes[0].exchange.announce_own(links[0][0])
    seed.exchange.flush()
    assert nodes[0].address not in {entry.address for entry in nodes[1].book}
    busy.send = free
    seed.exchange.flush()
    assert nodes[0].address in {entry.address for entry in nodes[1].book}


def test_this_nodes_address_is_told_again_if_the_link_was_busy():
    clock = StillClock(FIRST_DAY)
    seed, nodes, links = build_star(clock, 1)
    there = links[0][0]
    free, there.send = there.send, lambda message: False
    nodes[0].exchange.announce_own(there)
    there.send = free
    assert nodes[0].exchange.enter(there).own_at is None
    nodes[0].exchange.announce_own(there)
    assert nodes[0].address in {entry.address for entry in seed.book}
