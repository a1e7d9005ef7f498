"""Compare the routing table and the provider records with slow models that keep everything in one list."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inos.network.discovery.routing.metric import compute_distance, count_common_bits
from inos.network.discovery.routing.records import ProviderRecords
from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.discovery.routing.table import RoutingTable
from inos.network.identity import PeerAddress

K, SPARES, GROUP_IN_BUCKET, GROUP_IN_TABLE = 20, 20, 2, 10
ids = st.binary(min_size=32, max_size=32)


@given(ids, ids, ids)
def test_the_metric_is_one(a, b, c):
    assert compute_distance(a, a) == 0
    assert (compute_distance(a, b) == 0) == (a == b)
    assert compute_distance(a, b) == compute_distance(b, a)
    assert compute_distance(a, c) <= compute_distance(a, b) + compute_distance(b, c)
    # This is stronger than the triangle inequality: bits that two ids share with a third they share with each other.
    assert count_common_bits(a, c) >= min(count_common_bits(a, b), count_common_bits(b, c))


class Entry:
    def __init__(self, address, seen):
        self.address, self.seen = address, seen


class ModelTable:
    """The model keeps all contacts in one list, least recently seen first, and all spares in another, oldest first.

    It computes a contact's bucket from `depth`, the number of times the near half was split.
    """

    def __init__(self, own):
        self.own, self.depth = own, 0
        self.contacts, self.spares = [], []

    def place(self, id):
        common = next((n for n in range(256) if self.bit(id, n) != self.bit(self.own, n)), 256)
        return min(common, self.depth)

    @staticmethod
    def bit(id, n):
        return id[n // 8] >> (7 - n % 8) & 1

    def bucket(self, where, place):
        return [entry for entry in where if self.place(entry.address.id) == place]

    def has_room(self, address):
        same = [each for each in self.contacts if each.address.port == address.port]
        place = self.place(address.id)
        return len(same) < GROUP_IN_TABLE and len(self.bucket(same, place)) < GROUP_IN_BUCKET

    def find(self, id):
        return next((entry for entry in self.contacts if entry.address.id == id), None)

    def see(self, address, now):
        if address.id == self.own:
            return None
        old = self.find(address.id)
        if old is not None:
            self.contacts.remove(old)
            if old.address == address:
                self.contacts.append(Entry(address, now))
                return None
        self.split_for(address)
        place = self.place(address.id)
        if len(self.bucket(self.contacts, place)) < K:
            if self.has_room(address):
                self.drop_spare(address.id)
                self.contacts.append(Entry(address, now))
            elif old is not None:
                self.drop_spare(address.id)
            return None
        self.drop_spare(address.id)
        beside = self.bucket(self.spares, place)
        if sum(each.address.port == address.port for each in beside) >= GROUP_IN_BUCKET:
            return None
        self.spares.append(Entry(address, now))
        if len(beside) >= SPARES:
            self.spares.remove(beside[0])
        return self.bucket(self.contacts, place)[0].address

    def split_for(self, address):
        while (
            self.place(address.id) == self.depth
            and len(self.bucket(self.contacts, self.depth)) >= K
            and self.depth < 255
        ):
            self.depth += 1
            for place in (self.depth - 1, self.depth):
                while self.fill(place) is not None:
                    pass

    def drop_spare(self, id):
        self.spares = [entry for entry in self.spares if entry.address.id != id]

    def fail(self, id):
        entry = self.find(id)
        self.drop_spare(id)
        if entry is None:
            return None
        self.contacts.remove(entry)
        return self.fill(self.place(id))

    def fill(self, place):
        if len(self.bucket(self.contacts, place)) >= K:
            return None
        for spare in reversed(self.bucket(self.spares, place)):
            if self.has_room(spare.address):
                self.spares.remove(spare)
                self.contacts.insert(0, Entry(spare.address, float("-inf")))
                return spare.address
        return None


class TableMachine(RuleBasedStateMachine):
    """Ids near and far from the own id, so that buckets fill, split and overflow; the port stands for the group."""

    @initialize(own=ids)
    def begin(self, own):
        self.own, self.now, self.known = own, 0.0, []
        self.table = RoutingTable(own, lambda address: address.port, 0.0)
        self.model = ModelTable(own)

    def make(self, common, tail, port):
        distance = (int.from_bytes(tail, "big") % 2 ** (255 - common)) | 2 ** (255 - common)
        id = (int.from_bytes(self.own, "big") ^ distance).to_bytes(32, "big")
        return PeerAddress(id, "host", port)

    def see(self, address):
        self.now += 1.0
        self.known.append(address)
        assert self.table.see(address, self.now) == self.model.see(address, self.now)

    @rule(common=st.integers(0, 8), count=st.integers(1, 50), seed=st.integers(0, 10**6))
    def meet_many(self, common, count, seed):
        rng = random.Random(seed)
        for _ in range(count):
            self.see(self.make(common, rng.randbytes(32), rng.randrange(1, 2000)))

    @rule(seed=st.integers(0, 10**6))
    def meet_one_operator(self, seed):
        rng = random.Random(seed)
        for common in range(10):
            for _ in range(3):
                self.see(self.make(common, rng.randbytes(32), 7))

    @rule(common=st.integers(0, 254), tail=ids, port=st.integers(1, 12))
    def meet_one_of_few_groups(self, common, tail, port):
        self.see(self.make(common, tail, port))

    @rule(number=st.integers(0))
    def meet_again(self, number):
        if self.known:
            self.see(self.known[number % len(self.known)])

    @rule(number=st.integers(0), port=st.integers(1, 12))
    def meet_elsewhere(self, number, port):
        if self.known:
            self.see(PeerAddress(self.known[number % len(self.known)].id, "moved", port))

    @rule()
    def meet_oneself(self):
        self.see(PeerAddress(self.own, "host", 1))

    @rule(number=st.integers(0), is_contact=st.booleans())
    def die(self, number, is_contact):
        of = list(self.table) if is_contact else self.known
        if of:
            id = of[number % len(of)].id
            assert self.table.fail(id) == self.model.fail(id)

    @invariant()
    def agrees(self):
        assert len(self.table.buckets) == self.model.depth + 1
        for place, bucket in enumerate(self.table.buckets):
            contacts = self.model.bucket(self.model.contacts, place)
            assert list(bucket.contacts.values()) == [entry.address for entry in contacts]
            assert bucket.seen_at == {entry.address.id: entry.seen for entry in contacts}
            assert list(bucket.spares.values()) == [e.address for e in self.model.bucket(self.model.spares, place)]

    @invariant()
    def is_bounded(self):
        ports = [address.port for address in self.table]
        assert all(ports.count(port) <= GROUP_IN_TABLE for port in set(ports))
        for bucket in self.table.buckets:
            assert len(bucket.contacts) <= K
            assert len(bucket.spares) <= SPARES
            assert not set(bucket.contacts) & set(bucket.spares)

    @rule(key=ids)
    def find(self, key):
        ordered = sorted(self.model.contacts, key=lambda e: int.from_bytes(e.address.id) ^ int.from_bytes(key))
        assert self.table.find_closest(key, 7) == [entry.address for entry in ordered[:7]]


TestTable = TableMachine.TestCase
TestTable.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

LIMITS = RoutingSettings(
    record_ttl_s=50.0,
    records_per_key=4,
    records_per_key_group=2,
    records_per_provider=5,
    records_per_group=7,
    max_records=12,
)


class RecordMachine(RuleBasedStateMachine):
    """Few keys, providers and groups, so that every limit is reached."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.records = ProviderRecords(LIMITS, lambda address: address.port)
        self.model = []  # (key, provider, expiry), in the order in which they were stored

    def alive(self):
        self.model = [record for record in self.model if record[2] > self.now]
        return self.model

    @rule(key=st.integers(0, 7), provider=st.integers(0, 4), group=st.integers(0, 4))
    def add(self, key, provider, group):
        self.add_one(key, provider, group)

    def add_one(self, key, provider, group):
        key, provider = bytes([key]), PeerAddress(bytes([provider]), "host", group)
        others = [r for r in self.alive() if (r[0], r[1].id) != (key, provider.id)]
        of_key = [r for r in others if r[0] == key]
        has_room = (
            len(others) < 12
            and sum(r[1].id == provider.id for r in others) < 5
            and sum(r[1].port == group for r in others) < 7
            and len(of_key) < 4
            and sum(r[1].port == group for r in of_key) < 2
        )
        self.model = [*others, (key, provider, self.now + 50.0)] if has_room else others
        assert self.records.add(key, provider, self.now) is has_room

    @rule(provider=st.integers(0, 9), group=st.integers(0, 4))
    def add_all(self, provider, group):
        for key in range(8):
            self.add_one(key, provider, group)

    @rule(key=st.integers(0, 7), provider=st.integers(0, 4))
    def drop(self, key, provider):
        self.records.drop(bytes([key]), bytes([provider]))
        self.model = [r for r in self.model if (r[0], r[1].id) != (bytes([key]), bytes([provider]))]

    @rule(seconds=st.sampled_from([0.0, 1.0, 20.0, 50.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(key=st.integers(0, 7))
    def get(self, key):
        expected = [r[1] for r in reversed(self.alive()) if r[0] == bytes([key])]
        assert self.records.get(bytes([key]), self.now) == expected

    @invariant()
    def counts(self):
        self.records.expire(self.now)
        assert len(self.records) == len(self.alive()) <= 12


TestRecords = RecordMachine.TestCase
TestRecords.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
