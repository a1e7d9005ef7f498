"""Tests the address book against an attacker that wants to fill it, and its rules for forgetting."""

import random

import pytest

from inos.network.discovery.addresses.book import AddressBook, bound_seen
from inos.network.discovery.addresses.bookfile import BOOK_FILE, load_book, save_book
from inos.network.endpoints import compute_group, describe_group, is_acceptable, is_public, split_endpoint
from inos.network.files import MemoryFiles
from inos.network.identity import PeerAddress

NOW = 1_700_000_000_000
MINUTE = 60_000
DAY = 86_400_000


def make_book(seed=1, **changes):
    return AddressBook(bytes([seed]) * 32, b"\xff" * 32, random.Random(seed), **{"allow_local": False, **changes})


def make_id(number):
    return number.to_bytes(32, "big")


def at(host, number=1, port=8646):
    return PeerAddress(make_id(number), host, port)


def group(host):
    return compute_group(host, 1)


def honest(number):
    """Return honest addresses, each in a group of its own."""
    return at(f"{50 + number % 100}.{number // 100}.7.7", 10_000 + number)


def fill_honestly(book, count=400, sources=8):
    """Fill the book as a node learns addresses: from several peers, and some of them it has reached."""
    for number in range(count):
        for peer in range(sources):
            if (number + peer) % 3 == 0:
                book.add(honest(number), group(f"{150 + peer}.9.0.1"), NOW, NOW)
        if number % 4 == 0:
            book.good(honest(number), NOW)


def attack(book, sources, hosts, count):
    """Add `count` addresses from each of `sources`."""
    for number in range(count):
        for source in sources:
            book.add(at(hosts(number), number + 1, 1024 + number % 60_000), source, NOW, NOW)


def count_places(book, is_evil):
    return sum(len(e.positions) for e in book if is_evil(e.address))


def is_evil(address):
    return address.host.startswith("66.6.")


def test_one_group_fills_at_most_a_sixteenth_of_the_new_table_and_pushes_nobody_out():
    book = make_book()
    fill_honestly(book)
    before = {e.address for e in book}
    attack(book, [group("66.6.0.1")], lambda n: f"66.6.{n // 250 % 250}.{n % 250 + 1}", 20_000)
    assert {e.address for e in book if not is_evil(e.address)} == before
    # Told by one group, of one group: one bucket.
    assert count_places(book, is_evil) <= 64
    book = make_book()
    fill_honestly(book)
    attack(book, [group("66.6.0.1")], lambda n: f"{1 + n % 100 + (n % 100 >= 9)}.{n // 100 % 250}.6.6", 20_000)
    assert before <= {e.address for e in book}
    # Of any group, told by one: 16 buckets of 256.
    assert len({place[0] for e in book for place in e.positions if e.address not in before}) <= 16
    assert sum(len(e.positions) for e in book if e.address not in before) <= 16 * 64


def test_many_sources_fill_with_one_group_at_most_two_buckets_of_the_tried_table():
    book = make_book()
    fill_honestly(book)
    honest_tried = {e.address for e in book if e.is_tried}
    sources = [group(f"{70 + n % 30}.{n}.0.1") for n in range(30)]
    attack(book, sources, lambda n: f"66.6.{n // 250 % 250}.{n % 250 + 1}", 1_500)
    for entry in [e for e in book if is_evil(e.address)]:
        book.good(entry.address, NOW)
    tried = [e for e in book if e.is_tried and is_evil(e.address)]
    assert 0 < len(tried) <= 2 * 64
    assert honest_tried <= {e.address for e in book if e.is_tried}


def test_what_an_attacker_of_one_group_is_worth_when_a_peer_is_picked():
    """Picks are by buckets and not by addresses: 64 addresses in one bucket weigh as much as one."""
    book = make_book()
    fill_honestly(book)
    attack(book, [group("66.6.0.1")], lambda n: f"66.6.{n // 250 % 250}.{n % 250 + 1}", 20_000)
    picks = [book.pick(NOW) for _ in range(4_000)]
    share = sum(is_evil(e.address) for e in picks) / len(picks)
    assert share < 0.03, share


def test_many_groups_as_sources_are_bounded_by_their_number():
    book = make_book()
    sources = [group(f"66.{n}.0.1") for n in range(4)]
    attack(book, sources, lambda n: f"{1 + n % 9}.{n // 9 % 250}.{n // 2250}.1", 4_000)
    assert sum(len(e.positions) for e in book) <= 4 * 16 * 64


def test_places_differ_from_node_to_node():
    books = [make_book(1), make_book(2)]
    assert len({book._find_new(at("20.1.1.1"), b"4ab") for book in books}) == 2
    assert len({book._find_tried(at("20.1.1.1")) for book in books}) == 2


@pytest.mark.parametrize(
    ("host", "is_taken"),
    [
        ("20.1.1.1", True),
        ("2a01:4f8::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("192.168.1.1", False),
        ("169.254.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:20.1.1.1", False),
        ("2A01:4F8::1", False),
        ("2a01:04f8::1", False),
        ("020.1.1.1", False),
        ("example.org", False),
        ("", False),
        ("20.1.1.1 ", False),
    ],
)
def test_only_public_literals_in_their_one_spelling_are_taken(host, is_taken):
    assert make_book().add(at(host), b"4ab", NOW, NOW) is is_taken


def test_local_addresses_are_taken_where_the_network_is_local():
    book = make_book(allow_local=True)
    assert book.add(at("127.0.0.1", 1), b"x", NOW, NOW)
    assert book.add(at("10.0.0.1", 2), b"x", NOW, NOW)
    assert not book.add(at("0.0.0.0", 3), b"x", NOW, NOW)
    assert not book.add(at("224.0.0.1", 3), b"x", NOW, NOW)
    assert not book.add(PeerAddress(b"\xff" * 32, "127.0.0.1", 8646), b"x", NOW, NOW), "this node itself"
    assert not book.add(at("127.0.0.1", 1, 0), b"x", NOW, NOW)


def test_groups():
    assert group("20.1.3.4") == group("20.1.99.99") != group("20.2.3.4")
    assert group("2a01:4f8:1::1") == group("2a01:4f8:2::9") != group("2a01:4f9::1")
    assert group("::ffff:20.1.3.4") == group("20.1.0.0")
    assert compute_group("127.0.0.1", 1) != compute_group("127.0.0.1", 2)
    assert group("Seed.example.org") == group("seed.example.org") != group("other.example.org")
    assert describe_group(group("20.1.3.4")) == "20.1.0.0/16"
    assert describe_group(group("2a01:4f8::1")) == "2a01:4f8::/32"
    assert describe_group(compute_group("127.0.0.1", 77)) == "local 127.0.0.1:77"
    assert describe_group(group("seed.example.org")) == "seed.example.org"
    assert is_public("20.1.1.1")
    assert not is_acceptable("a" * 300, allow_local=True)
    assert split_endpoint("[::1]:80") == ("::1", 80)
    assert split_endpoint("20.1.1.1:80") == ("20.1.1.1", 80)
    assert split_endpoint("nothing") == ("nothing", 0)


def test_told_times_are_bounded():
    assert bound_seen(NOW + 11 * MINUTE, NOW) == NOW - 5 * DAY
    assert bound_seen(0, NOW) == NOW - 5 * DAY
    assert bound_seen(NOW + 9 * MINUTE, NOW) == NOW - 120 * MINUTE
    assert bound_seen(NOW - DAY, NOW) == NOW - DAY - 120 * MINUTE


def make_entry(**fields):
    book = make_book()
    book.add(at("20.1.1.1"), b"4ab", NOW, NOW)
    (entry,) = book
    for name, value in fields.items():
        setattr(entry, name, value)
    return entry


@pytest.mark.parametrize(
    ("fields", "is_terrible"),
    [
        ({}, False),
        ({"attempts": 2, "attempt_ms": NOW - 2 * MINUTE}, False),
        ({"attempts": 3, "attempt_ms": NOW - 2 * MINUTE}, True),
        ({"attempts": 3, "attempt_ms": NOW - 30_000}, False),
        ({"seen_ms": NOW - 31 * DAY}, True),
        ({"seen_ms": NOW + 180 * MINUTE}, False),
        ({"attempts": 3, "attempt_ms": NOW + 180 * MINUTE}, True),
        ({"attempts": 11, "reached_ms": NOW - 6 * DAY}, False),
        ({"attempts": 9, "reached_ms": NOW - 8 * DAY}, False),
        ({"attempts": 10, "reached_ms": NOW - 8 * DAY}, True),
    ],
)
def test_which_addresses_are_terrible(fields, is_terrible):
    assert make_entry(**fields).is_terrible(NOW) is is_terrible


@pytest.mark.parametrize(
    ("attempt_ms", "is_likely"),
    [(0, True), (NOW - 11 * MINUTE, True), (NOW - 9 * MINUTE, False), (NOW + 180 * MINUTE, True)],
)
def test_an_address_dialled_before_the_clock_was_set_back_is_dialled_again(attempt_ms, is_likely):
    assert (make_entry(attempt_ms=attempt_ms).compute_chance(NOW) > 0.5) is is_likely


def test_a_proven_id_drives_out_others_claimed_at_its_place():
    book = make_book()
    for number in (1, 2, 3):
        book.add(at("20.1.1.1", number), bytes([number]), NOW, NOW)
    book.good(at("20.1.1.1", 2), NOW)
    assert [e.address for e in book] == [at("20.1.1.1", 2)]
    book.good(at("20.9.9.9", 7), NOW)
    assert len(book) == 1, "what was never told is not entered by being reached"


def find_rivals(book):
    """Return two addresses with the same place in the tried table."""
    seen = {}
    for number in range(1, 10_000):
        address = at(f"30.1.{number // 250}.{number % 250 + 1}", number)
        other = seen.setdefault(book._find_tried(address), address)
        if other != address:
            return other, address
    raise AssertionError("no two addresses share a place")


def test_the_one_in_tried_is_tested_before_another_takes_its_place():
    book = make_book()
    old, new = find_rivals(book)
    for address in (old, new):
        book.add(address, address.host.encode(), NOW, NOW)
    book.good(old, NOW)
    later = NOW + 5 * 3_600_000
    book.good(new, later)
    assert book.get(old).is_tried
    assert not book.get(new).is_tried
    assert book.pick_collision(later).address == old
    # It answers: it stays, and the newcomer remains among the new ones.
    book.attempt(old, later)
    book.good(old, later)
    book.resolve_collisions(later)
    assert book.pick_collision(later) is None
    assert book.get(old).is_tried
    # It does not: the newcomer takes the place.
    last = later + 5 * 3_600_000
    book.good(new, last)
    book.attempt(old, last)
    book.resolve_collisions(last + 30_000)
    assert book.get(old).is_tried, "one attempt may still be under way"
    book.resolve_collisions(last + 2 * MINUTE)
    assert book.get(new).is_tried
    assert not book.get(old).is_tried
    # Never tested at all: after a while the newcomer takes it too.
    book.good(old, last + 5 * 3_600_000)
    book.resolve_collisions(last + 5 * 3_600_000 + 39 * MINUTE)
    assert book.get(new).is_tried
    book.resolve_collisions(last + 5 * 3_600_000 + 41 * MINUTE)
    assert book.get(old).is_tried


def test_a_sample_is_a_part_and_has_nothing_terrible():
    book = make_book()
    fill_honestly(book, 400)
    for entry in list(book)[:100]:
        entry.seen_ms = NOW - 40 * DAY
    sample = book.sample(512, 0.23, NOW)
    assert len(sample) == len({e.address for e in sample}) == int(len(book) * 0.23)
    assert not any(e.is_terrible(NOW) for e in sample)
    assert len(book.sample(10, 0.23, NOW)) == 10
    assert make_book().sample(10, 0.23, NOW) == []


async def test_a_book_comes_back_and_a_damaged_one_is_a_new_one():
    book, files = make_book(), MemoryFiles()
    fill_honestly(book)
    assert await save_book(book, files)
    again = make_book()
    await load_book(again, files, NOW)
    assert {e.address: (e.is_tried, set(e.positions), e.reached_ms) for e in again} == {
        e.address: (e.is_tried, set(e.positions), e.reached_ms) for e in book
    }
    whole = files.files[BOOK_FILE]
    for damaged in (
        b"",
        whole[:100],
        whole[:-1],
        whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
        b"\x00" * 50,
        whole + b"\x00",
    ):
        files.files[BOOK_FILE] = damaged
        empty = make_book()
        await load_book(empty, files, NOW)
        assert len(empty) == 0


async def test_a_book_read_with_another_key_keeps_what_fits():
    book, files = make_book(1), MemoryFiles()
    fill_honestly(book)
    await save_book(book, files)
    other = make_book(2)
    await load_book(other, files, NOW)
    assert len(other) > 0.95 * len(book)
    assert sum(e.is_tried for e in other) > 0.9 * sum(e.is_tried for e in book)
