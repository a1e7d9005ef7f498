"""Tests which unproven connection gives way to a newcomer."""

from functools import partial

from inos.network.transport.newcomers import Newcomers

MOST, MOST_OF_HOST, MOST_OF_GROUP = 64, 16, 32


class Table:
    def __init__(self):
        self.slots = Newcomers()
        self.ended = []

    def admit(self, host, name=None):
        return self.slots.admit(host, partial(self.ended.append, host if name is None else name))


def test_the_oldest_of_a_host_gives_way_when_the_host_has_many():
    table = Table()
    table.admit("20.1.0.1", "other")
    for number in range(MOST_OF_HOST + 2):
        table.admit("20.1.0.2", number)
    assert table.ended == [0, 1]
    assert len(table.slots) == MOST_OF_HOST + 1


def test_the_oldest_of_a_group_gives_way_when_the_group_has_many():
    table = Table()
    table.admit("30.1.0.1", "other")
    for number in range(MOST_OF_GROUP + 1):
        table.admit(f"20.1.0.{number}")
    assert table.ended == ["20.1.0.0"]


def test_a_full_table_takes_the_oldest_of_the_busiest_group():
    table = Table()
    for number in range(MOST):
        group = 1 if number < 20 else 2 + number
        table.admit(f"20.{group}.0.{number}")
    table.admit("40.1.0.1", "honest")
    assert table.ended == ["20.1.0.0"]
    assert len(table.slots) == MOST


def test_a_local_address_is_one_host_whatever_its_ports():
    table = Table()
    for _ in range(MOST_OF_HOST + 5):
        table.admit("127.0.0.1")
    assert len(table.slots) == MOST_OF_HOST


def test_a_place_is_free_once_its_connection_ended():
    table = Table()
    for _ in range(10 * MOST):
        table.slots.release(table.admit("20.1.0.1"))
    newcomer = table.admit("20.1.0.1")
    table.slots.release(newcomer)
    table.slots.release(newcomer)
    assert (len(table.slots), table.ended) == (0, [])
