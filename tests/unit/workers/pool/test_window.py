"""Tests the window of the last tickets against a list of all of them."""

from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.units import Address, TimeMs
from inos.workers.pool.split import Part
from inos.workers.pool.window import BUCKET_MS, Window

A, B, C = (Address(bytes([n]) * 20) for n in range(3))
shares = st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(1, 50), st.integers(0, 2000)), max_size=200)


@given(shares, st.integers(1, 3000))
def test_the_last_tickets_are_taken(found: list[tuple[Address, int, int]], span: int) -> None:
    window, now, told = Window(), 0, list[tuple[Address, int]]()
    for address, tickets, later in found:
        now += later * 1000
        window.add(address, tickets, TimeMs(now), span)
        told.append((address, tickets))
    taken = {part.address: part.amount for part in window.take(span)}
    whole = sum(tickets for _, tickets in told)
    assert min(span, whole) - 3 <= sum(taken.values()) <= min(span, whole)
    assert window.total == whole
    # An address has at most a bucket more or less than in the exact window.
    exact, left = dict.fromkeys((A, B, C), 0), span
    for address, tickets in reversed(told):
        exact[address] += min(left, tickets)
        left -= min(left, tickets)
    largest = max((bucket.total for bucket in window.list_buckets()), default=0)
    assert all(abs(taken.get(address, 0) - exact[address]) <= largest + 1 for address in exact)


def test_a_bucket_ends_after_an_hour_or_a_64th_of_the_window() -> None:
    window = Window()
    for at_ms in (0, 1000, BUCKET_MS - 1, BUCKET_MS):
        window.add(A, 1, TimeMs(at_ms), 10**6)
    assert [bucket.total for bucket in window.list_buckets()] == [3, 1]
    for _ in range(100):
        window.add(B, 10, TimeMs(BUCKET_MS), 640)
    assert {bucket.total for bucket in window.list_buckets()[1:]} <= {10, 11}


def test_old_buckets_go_when_four_windows_are_left() -> None:
    window, dropped = Window(), 0
    for number in range(1000):
        window.add(A, 10, TimeMs(number), 640)
        dropped += sum(bucket.total for bucket in window.drop_old(640))
    assert 4 * 640 <= window.total <= 4 * 640 + 20
    assert dropped + window.total == 10_000
    assert window.take(640) == [Part(A, 640)]
