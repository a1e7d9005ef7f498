"""The address book as a state machine: limits hold, no address is lost without a reason, and a saved book is
the same.
"""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inos.network.discovery.addresses.book import AddressBook, Shape
from inos.network.discovery.addresses.bookfile import StoredBook, restore_book, store_book
from inos.network.files import seal, unseal
from inos.network.identity import PeerAddress

SMALL = Shape(new_buckets=4, new_buckets_per_source=2, tried_buckets=2, tried_buckets_per_group=1, bucket_size=3)
DAY = 86_400_000
ADDRESSES = [
    PeerAddress(bytes([number]) * 32, f"{20 + group}.1.0.{host}", 8646)
    for group in range(5)
    for host in range(4)
    for number in (group * 10 + host + 1, group * 10 + host + 101)
]
"""Five groups of four hosts, with two ids claimed at each."""
SOURCES = [b"4" + bytes([n, n]) for n in range(6)]


def make_book():
    return AddressBook(b"k" * 32, bytes(32), random.Random(5), allow_local=False, shape=SMALL)


class BookMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.book = make_book()
        self.now = 1_700_000_000_000
        self.before = {}

    def snapshot(self):
        """Map each address to whether it may be replaced, before a step."""
        return {e.address: e.is_terrible(self.now) for e in self.book}

    def check_lost(self, before, allowed=()):
        kept = {e.address for e in self.book}
        for address, was_terrible in before.items():
            assert address in kept or was_terrible or address in allowed, f"{address} was lost"

    @rule(address=st.sampled_from(ADDRESSES), source=st.sampled_from(SOURCES), age=st.integers(0, 40 * DAY))
    def add(self, address, source, age):
        before = self.snapshot()
        is_new = self.book.add(address, source, self.now - age, self.now)
        assert is_new == (address in {e.address for e in self.book} and address not in before)
        self.check_lost(before)

    @rule(address=st.sampled_from(ADDRESSES))
    def attempt(self, address):
        self.book.attempt(address, self.now)

    @rule(address=st.sampled_from(ADDRESSES))
    def good(self, address):
        before, was_known = self.snapshot(), self.book.get(address) is not None
        was_tried = {e.address for e in self.book if e.is_tried}
        self.book.good(address, self.now)
        rivals = {a for a in before if (a.host, a.port) == (address.host, address.port) and a != address}
        self.check_lost(before, rivals)
        assert (self.book.get(address) is not None) == was_known
        # An address in tried stays there until it was tested.
        assert was_tried - rivals <= {e.address for e in self.book if e.is_tried}

    @rule(address=st.sampled_from(ADDRESSES))
    def remove(self, address):
        before = self.snapshot()
        self.book.remove(address)
        assert self.book.get(address) is None
        self.check_lost(before, {address})

    @rule()
    def resolve(self):
        recent = {e.address for e in self.book if e.is_tried and self.now - e.reached_ms < 4 * 3_600_000}
        self.book.resolve_collisions(self.now)
        assert recent <= {e.address for e in self.book if e.is_tried}

    @rule()
    def pick(self):
        entry = self.book.pick(self.now)
        assert (entry is None) == (len(self.book) == 0)
        new = self.book.pick(self.now, new_only=True)
        assert (new is None) == (self.book.new_count == 0)
        assert new is None or not new.is_tried

    @rule(ms=st.sampled_from([1_000, 61_000, 3_600_000, 5 * 3_600_000, DAY, 31 * DAY]))
    def wait(self, ms):
        self.now += ms

    @rule()
    def save_and_load(self):
        data = seal(store_book(self.book))
        again = make_book()
        restore_book(again, unseal(data, StoredBook, 1 << 20), self.now)
        assert seal(store_book(again)) == data or sorted(map(repr, store_book(again).entries)) == sorted(
            map(repr, store_book(self.book).entries)
        )
        assert {e.address: set(e.positions) for e in again} == {e.address: set(e.positions) for e in self.book}

    @invariant()
    def tables_and_entries_agree(self):
        book = self.book
        new = [(e, place) for e in book for place in e.positions]
        assert len(book._new) == len(new) <= 4 * 3
        assert len(book._tried) == sum(e.is_tried for e in book) <= 2 * 3
        for entry, place in new:
            assert book._new.get(place) is entry
            assert not entry.is_tried
        for entry in book:
            assert entry.is_tried or 1 <= len(entry.positions) <= 4
            assert book.get(entry.address) is entry
            if entry.is_tried:
                assert book._tried.get(book._find_tried(entry.address)) is entry
        assert len(book._collisions) <= 16
        assert all(address in book._entries for address in book._collisions)


TestBook = BookMachine.TestCase
TestBook.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
