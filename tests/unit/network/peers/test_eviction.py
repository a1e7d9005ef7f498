"""Tests inbound slots under an attacker that connects as often as it likes."""

import math
import random

import pytest

from inos.network.endpoints import compute_group
from inos.network.identity import PeerAddress
from inos.network.peers.eviction import Candidate, select_to_evict
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.network.transport.memory import MemoryNetwork
from inos.network.wire.control import Ping
from inos.primitives.clock import SystemClock
from support.network_fakes import FAST, FakeNode, make_chain, make_hello, make_identity, make_tx, running, until
from support.raw_links import hear, hear_end

SLOTS = 64
PATIENT = FAST.__class__(**{**{name: getattr(FAST, name) for name in FAST.__struct_fields__}, "ping": 60.0})
"""Raw links answer no pings."""
KEY = b"k" * 32
ATTEMPTS = 10_000


def make(number, host, at, **fields):
    defaults = {"latency_s": 0.08, "block_at": 0.0, "transaction_at": 0.0, "matrix_at": 0.0}
    return Candidate(
        id=number.to_bytes(32, "big"), group=compute_group(host, 1), connected_at=at, **{**defaults, **fields}
    )


def make_honest():
    """Return 64 peers: 20 with long connections, 8 with low ping, 4 each that sent blocks, transactions, matrices, 24
    others.
    """
    rng = random.Random(3)
    hosts = iter(f"{20 + n}.{rng.randrange(250)}.0.1" for n in range(64))
    long = [make(n, next(hosts), float(n)) for n in range(20)]
    near = [make(n, next(hosts), 500.0 + n, latency_s=0.002) for n in range(20, 28)]
    blocks = [make(n, next(hosts), 500.0 + n, block_at=900.0) for n in range(28, 32)]
    transactions = [make(n, next(hosts), 500.0 + n, transaction_at=900.0) for n in range(32, 36)]
    matrices = [make(n, next(hosts), 500.0 + n, matrix_at=900.0) for n in range(36, 40)]
    others = [make(n, next(hosts), 800.0 + n) for n in range(40, 64)]
    return long, near, blocks, transactions, matrices, others


def attack(slots, host_of):
    """Return the peers that remain after 10,000 attempts, each of which the node accepts if it may."""
    for number in range(ATTEMPTS):
        victim = select_to_evict(slots, SLOTS, KEY)
        if victim is None:
            continue
        slots = [peer for peer in slots if peer.id != victim]
        slots.append(
            make(100_000 + number, host_of(number), 1_000.0 + number, latency_s=math.inf if number % 2 else 0.05)
        )
    return slots


@pytest.mark.parametrize(
    "host_of",
    [
        lambda n: f"66.6.{n // 250 % 250}.{n % 250}",
        lambda n: f"66.{n % 4}.{n // 250 % 250}.{n % 250}",
        lambda n: f"{70 + n % 100}.{n // 100 % 250}.0.1",
    ],
    ids=["one group", "four groups", "ten thousand groups"],
)
def test_ten_thousand_attempts_do_not_push_out_the_long_serving_the_near_and_the_useful(host_of):
    long, near, blocks, transactions, matrices, others = make_honest()
    slots = attack([*long, *near, *blocks, *transactions, *matrices, *others], host_of)
    left = {peer.id for peer in slots}
    assert len(slots) == SLOTS
    for name, peers in (("near", near), ("blocks", blocks), ("transactions", transactions), ("matrices", matrices)):
        assert all(peer.id in left for peer in peers), name
    assert all(peer.id in left for peer in long), "the longest connected"
    assert sum(peer.connected_at < 1_000 for peer in slots) >= SLOTS - 21


def test_of_the_largest_group_goes_the_youngest():
    _, _, _, _, _, others = make_honest()
    crowd = [make(200 + n, f"66.6.0.{n}", 2_000.0 + n) for n in range(40)]
    assert select_to_evict([*others, *crowd], SLOTS, KEY) == crowd[-1].id


def test_long_serving_peers_of_one_group_are_not_driven_out_by_newcomers_of_many():
    """Without the half that is protected by age, the largest group would always be evicted."""
    long = [make(n, f"20.1.0.{n}", float(n)) for n in range(30)]
    others = [make(30 + n, f"{40 + n}.1.0.1", 900.0 + n) for n in range(34)]
    slots = attack([*long, *others], lambda n: f"{90 + n % 90}.{n // 90}.0.1")
    assert {peer.id for peer in long} <= {peer.id for peer in slots}


def test_few_peers_are_all_protected():
    assert select_to_evict([], SLOTS, KEY) is None
    assert select_to_evict([make(n, f"20.{n}.0.1", 1.0) for n in range(3)], SLOTS, KEY) is None


def test_which_groups_are_protected_is_a_secret():
    crowd = [make(n, f"{20 + n}.1.0.1", 1_000.0 - n) for n in range(64)]
    assert len({select_to_evict(crowd, SLOTS, bytes([key]) * 32) for key in range(40)}) > 1


async def test_a_full_node_takes_a_newcomer_for_the_youngest_of_a_crowd_and_keeps_who_gave_blocks():
    network, identity = MemoryNetwork(), make_identity(1)
    place = PeerAddress(identity.node_id, "20.1.0.1", 8646)
    node = NetworkService(
        FakeNode(),
        NetworkSettings(limits=PATIENT, max_inbound=16),
        identity,
        clock=SystemClock(),
        rng=random.Random(1),
        transport=network.make_transport(identity.node_id, "20.1.0.1", 8646),
    )

    async def connect(number, host):
        raw = network.make_transport(make_identity(number).node_id, host, 1)
        return await raw.dial(place, make_hello)

    async with running(node):
        links = [await connect(number, f"{30 + number}.1.0.1") for number in range(2, 10)]
        await until(lambda: len(node.peers()) == 8)
        useful = node.manager.peers[make_identity(9).node_id]
        useful.credit_block()
        for number in range(10, 90):
            links.append(await connect(number, f"66.6.0.{number}"))
            await until(lambda n=number: make_identity(n).node_id in node.manager.peers)
            assert sum(not peer.is_closing for peer in node.manager.peers.values()) <= 16
        await until(lambda: len(node.peers()) == 16)
        kept = {peer.id for peer in node.peers()}
        assert all(make_identity(number).node_id in kept for number in range(2, 10)), "of other groups, and older"
        assert sum(peer.group == "66.6.0.0/16" for peer in node.peers()) == 8
        await hear(links[0], Ping)
        for link in links:
            await link.close()


async def test_without_inbound_slots_nobody_comes_in():
    network, identity = MemoryNetwork(), make_identity(1)
    node = NetworkService(
        FakeNode(),
        NetworkSettings(limits=FAST, max_inbound=0),
        identity,
        transport=network.make_transport(identity.node_id, "20.1.0.1", 8646),
        clock=SystemClock(),
        rng=random.Random(1),
    )
    raw = network.make_transport(make_identity(2).node_id, "20.2.0.1", 1)
    async with running(node):
        assert await hear_end(await raw.dial(PeerAddress(identity.node_id, "20.1.0.1", 8646), make_hello)) == "full"


async def test_what_a_peer_gives_is_marked():
    network = MemoryNetwork()
    full, empty = FakeNode(), FakeNode()
    await full.add_chain(make_chain(3))
    matrix = full.matrices.put([bytes([n]) * 16_384 for n in range(3)])

    def serve(node, number, *peers):
        identity = make_identity(number)
        return NetworkService(
            node,
            NetworkSettings(limits=FAST, peers=peers, announce_interval_s=0.01),
            identity,
            clock=SystemClock(),
            rng=random.Random(number),
            transport=network.make_transport(identity.node_id, f"20.{number}.0.1", 8646),
        )

    a = serve(full, 1)
    b = serve(empty, 2, PeerAddress(make_identity(1).node_id, "20.1.0.1", 8646))
    async with running(a, b):
        await until(lambda: empty.ledger.tip.header.height == 3)
        (giver,), (taker,) = b.manager.peers.values(), a.manager.peers.values()
        await until(lambda: giver.contributions.block_at > 0)
        assert giver.contributions.transaction_at == giver.contributions.matrix_at == 0
        await full.add_transaction(make_tx(0))
        await until(lambda: giver.contributions.transaction_at > 0)
        empty.want_matrix(matrix)
        await until(lambda: giver.contributions.matrix_at > 0)
        assert giver.least_latency_s is not None
        assert (taker.contributions.block_at, taker.contributions.transaction_at, taker.contributions.matrix_at) == (
            0,
            0,
            0,
        )
