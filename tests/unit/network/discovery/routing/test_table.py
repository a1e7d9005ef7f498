"""Tests the metric, the buckets, and which contacts may be in them."""

import random

import pytest

from inos.network.discovery.routing.endpoints import compute_address_group, make_peer_address, may_share
from inos.network.discovery.routing.metric import compute_distance, count_common_bits, make_id_near
from inos.network.discovery.routing.table import RoutingTable
from inos.network.identity import PeerAddress

OWN = bytes(32)
K = 20


def make_address(id: bytes, host: str = "", port: int = 9000) -> PeerAddress:
    """Return an address whose id is in a network group of its own, unless the caller names one."""
    return PeerAddress(id, host or f"{20 + id[1] % 80}.{id[2]}.{id[3]}.{id[4]}", port)


def make_ids(rng: random.Random, count: int, prefix: int | None = None) -> list[bytes]:
    if prefix is None:
        return [rng.randbytes(32) for _ in range(count)]
    return [make_id_near(OWN, prefix, is_exact=True, rng=rng) for _ in range(count)]


def make_alone(address: PeerAddress) -> bytes:
    return address.id


def make_table(group=make_alone) -> RoutingTable:
    return RoutingTable(OWN, group, 0.0)


# Worked out by hand: XOR of the bytes, as one big-endian number.
@pytest.mark.parametrize(
    ("left", "right", "distance", "common"),
    [
        ("00" * 32, "00" * 32, 0, 256),
        ("00" * 32, "00" * 31 + "01", 1, 255),
        ("ff" * 32, "00" * 32, 2**256 - 1, 0),
        ("80" + "00" * 31, "00" * 32, 2**255, 0),
        ("0f" + "00" * 31, "f0" + "00" * 31, 0xFF << 248, 0),
        ("0f" + "00" * 31, "0e" + "00" * 31, 1 << 248, 7),
        ("a5" * 32, "a5" * 15 + "a4" + "5a" * 16, int("01" + "ff" * 16, 16), 127),
    ],
)
def test_known_distances(left, right, distance, common):
    left, right = bytes.fromhex(left), bytes.fromhex(right)
    assert compute_distance(left, right) == compute_distance(right, left) == distance
    assert count_common_bits(left, right) == common


def test_ids_near_one_share_what_they_should():
    rng = random.Random(1)
    own = rng.randbytes(32)
    for bits in (0, 1, 7, 100, 255):
        assert {count_common_bits(own, make_id_near(own, bits, is_exact=True, rng=rng)) for _ in range(50)} == {bits}
        loose = {count_common_bits(own, make_id_near(own, bits, is_exact=False, rng=rng)) for _ in range(50)}
        assert min(loose) >= bits
    assert make_id_near(own, 256, is_exact=True, rng=rng) == own


def test_far_buckets_hold_k_and_the_near_one_splits():
    table, rng = make_table(), random.Random(2)
    for id in make_ids(rng, 500):
        table.see(make_address(id), 0.0)
    sizes = [len(bucket.contacts) for bucket in table.buckets]
    assert sizes[:3] == [K, K, K]
    assert max(sizes) == K
    # 500 random ids: the near half, quarter, ... until 20 are left.
    assert 4 <= len(sizes) <= 7
    for number, bucket in enumerate(table.buckets):
        common = {count_common_bits(OWN, id) for id in bucket.contacts}
        assert min(common) >= number if number == len(sizes) - 1 else common == {number}
    assert len(table) == sum(sizes)


def test_own_id_is_no_contact():
    table = make_table()
    assert table.see(make_address(OWN), 0.0) is None
    assert len(table) == 0


def test_a_full_bucket_names_the_least_recently_seen_and_keeps_it_while_it_lives():
    table, rng = make_table(), random.Random(3)
    # One near contact makes sure that the bucket of the far ones cannot be split.
    far = [make_address(id) for id in make_ids(rng, K + 2, 0)]
    near = [make_address(id) for id in make_ids(rng, K, 5)]
    for address in (*near, *far[:K]):
        assert table.see(address, 0.0) is None
    assert table.see(far[0], 1.0) is None
    new = far[K]
    assert table.see(new, 2.0) == far[1]
    assert table.get(new.id) is None
    # It lives: it is the most recently seen now, and the next one is asked about.
    table.see(far[1], 3.0)
    assert table.get(new.id) is None
    assert table.see(far[K + 1], 4.0) == far[2]
    # It is dead: the spare that came last takes its place, and is the first to be pinged.
    assert table.fail(far[2].id) == far[K + 1]
    assert table.get(far[2].id) is None
    assert table.get(far[K + 1].id) == far[K + 1]
    assert table.get_seen_at(far[K + 1].id) == float("-inf")
    assert table.see(far[2], 5.0) == far[K + 1]
    assert table.fail(OWN) is None


def test_spares_are_bounded_and_the_oldest_go():
    table, rng = make_table(), random.Random(4)
    far = [make_address(id) for id in make_ids(rng, 200, 0)]
    for address in (*[make_address(id) for id in make_ids(rng, K, 5)], *far):
        table.see(address, 0.0)
    (bucket, *_) = table.buckets
    assert list(bucket.contacts.values()) == far[:K]
    assert list(bucket.spares.values()) == far[-20:]


def test_one_network_group_fills_neither_a_bucket_nor_the_table():
    table, rng = make_table(compute_address_group), random.Random(5)
    one_operator = [
        make_address(id, f"93.184.{id[2]}.{id[3]}") for prefix in range(12) for id in make_ids(rng, 30, prefix)
    ]
    for address in one_operator:
        table.see(address, 0.0)
    assert len(table) <= 10
    others = [
        make_address(id, f"{100 + n % 20}.{n}.1.1")
        for prefix in range(6)
        for n, id in enumerate(make_ids(rng, 30, prefix))
    ]
    for address in others:
        table.see(address, 0.0)
    for address in one_operator:
        table.see(address, 1.0)
    for bucket in table.buckets:
        for contacts in (bucket.contacts, bucket.spares):
            assert sum(address.host.startswith("93.184.") for address in contacts.values()) <= 2
    assert sum(address.host.startswith("93.184.") for address in table) <= 10
    assert len(table) > 100


def test_a_spare_whose_group_is_full_by_now_does_not_take_the_place():
    table, rng = make_table(lambda address: address.port), random.Random(6)
    near = [make_address(id, port=50 + n) for n, id in enumerate(make_ids(rng, K, 3))]
    far = [make_address(id, port=100 + n) for n, id in enumerate(make_ids(rng, K + 3, 0))]
    for address in (*near, *far[:K]):
        table.see(address, 0.0)
    same = [make_address(address.id, port=100) for address in far[K:]]
    for address in same:
        table.see(address, 0.0)
    assert table.fail(far[1].id) == same[1]  # The third of its group was no spare, the group has two of them.
    assert table.fail(far[2].id) is None  # Two contacts of the group are enough.
    assert table.fail(far[0].id) == same[0]


def test_a_contact_that_moved_is_dialled_where_it_is_now():
    table = make_table(compute_address_group)
    (id,) = make_ids(random.Random(7), 1)
    old, new = make_address(id, "20.1.1.1"), make_address(id, "20.2.1.1")
    table.see(old, 0.0)
    table.see(new, 1.0)
    assert list(table) == [new]
    # The old place counts for nothing any more.
    for n in range(2):
        table.see(make_address(make_ids(random.Random(8 + n), 1)[0], f"20.1.1.{n}"), 1.0)
    assert len(table) == 3


def test_the_closest_are_the_closest():
    table, rng = make_table(), random.Random(9)
    for id in make_ids(rng, 300):
        table.see(make_address(id), 0.0)
    target = rng.randbytes(32)
    expected = sorted((address.id for address in table), key=lambda id: int.from_bytes(id) ^ int.from_bytes(target))
    assert [address.id for address in table.find_closest(target)] == expected[:20]
    assert table.count_closer(OWN) == 0
    closer = [id for id in expected if int.from_bytes(id) ^ int.from_bytes(target) < int.from_bytes(target)]
    assert table.count_closer(target) == len(closer)


def test_buckets_nobody_looked_into_are_listed():
    table, rng = make_table(), random.Random(10)
    for id in make_ids(rng, 200):
        table.see(make_address(id), 0.0)
    count = len(table.buckets)
    assert table.list_stale(-1.0) == []
    assert table.list_stale(0.0) == [(n, n < count - 1) for n in range(count)]
    table.set_refreshed(b"\xff" + bytes(31), 5.0)
    table.set_refreshed(OWN, 5.0)
    assert table.list_stale(4.0) == [(n, True) for n in range(1, count - 1)]


def test_places():
    assert make_peer_address(OWN, "127.0.0.1:4000", 9) == PeerAddress(OWN, "127.0.0.1", 9)
    assert make_peer_address(OWN, "[2606:4700::1]:4000", 9) == PeerAddress(OWN, "2606:4700::1", 9)
    assert make_peer_address(OWN, "[::ffff:1.2.3.4]:4000", 9) == PeerAddress(OWN, "1.2.3.4", 9)
    for bad in ("seed.example:4000", "0.0.0.0:1", "224.0.0.1:1", "fe80::1%eth0:1", "", "unknown"):
        assert make_peer_address(OWN, bad, 9) is None
    assert make_peer_address(OWN, "127.0.0.1:4000", 0) is None


@pytest.mark.parametrize(
    ("host", "other", "is_ok"),
    [
        ("93.184.216.34", "127.0.0.1", True),
        ("93.184.216.34", "1.2.3.4", True),
        ("127.0.0.1", "1.2.3.4", False),
        ("192.168.1.1", "1.2.3.4", False),
        ("127.0.0.1", "192.168.1.9", False),
        ("192.168.1.1", "192.168.1.9", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("seed.example", "127.0.0.1", False),
    ],
)
def test_what_may_be_told(host, other, is_ok):
    assert may_share(host, other) is is_ok
