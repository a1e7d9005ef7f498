"""Floods of records of providers, which anybody may send for any matrix."""

from inos.network.discovery.routing.records import ProviderRecords
from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.identity import PeerAddress

SMALL = RoutingSettings(
    max_records=100, records_per_group=20, records_per_provider=8, records_per_key=5, records_per_key_group=2
)


def key(number):
    return number.to_bytes(32, "big")


def provider(number, group):
    return PeerAddress(number.to_bytes(32, "little"), f"20.{group}.0.1", 8646)


def make_records():
    return ProviderRecords(SMALL, lambda address: address.host)


def test_a_flood_of_records_stops_at_each_bound():
    records = make_records()
    assert sum(records.add(key(number), provider(1, 1), 0.0) for number in range(1000)) == 8
    assert sum(records.add(key(number), provider(number, 1), 0.0) for number in range(2, 1000)) == 12
    assert len(records) == 20
    assert records.add(key(1), provider(9, 2), 0.0), "another group has room of its own"
    for number in range(10_000):
        records.add(key(number), provider(number, 3 + number % 50), 0.0)
    assert len(records) == 100
    assert not records.add(key(20_000), provider(20_000, 100), 0.0)
    assert records.add(key(20_000), provider(20_000, 100), SMALL.record_ttl_s + 1)


def test_a_flood_for_one_matrix_leaves_room_for_providers_of_other_groups():
    records = make_records()
    assert sum(records.add(key(1), provider(number, 1), 0.0) for number in range(100)) == 2
    assert records.add(key(1), provider(500, 2), 0.0)
    assert sum(records.add(key(1), provider(600 + number, 3 + number), 0.0) for number in range(100)) == 2
    assert len(records.get(key(1), 0.0)) == 5


def test_renewing_a_record_takes_no_more_room():
    records = make_records()
    for _ in range(100):
        assert records.add(key(1), provider(1, 1), 0.0)
    assert len(records) == 1
    records.drop(key(1), provider(1, 1).id)
    assert len(records) == 0
