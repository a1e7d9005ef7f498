"""Holds what a queue knows of itself to what its transactions say."""

from hypothesis import given
from hypothesis import strategies as st

from inos.chain.accountqueue import AccountQueue, Waiting
from inos.primitives.transactions import Transaction, Transfer
from inos.primitives.units import Address, Height, TxId

SENDER = Address(bytes(20))


def make_waiting(nonce: int) -> Waiting:
    tx = Transaction(1, bytes(32), nonce, 2, Transfer(SENDER, 10 * nonce + 1), bytes(64))
    return Waiting(TxId(nonce.to_bytes(32, "big")), tx, SENDER, 100, 100, nonce, Height(0))


@given(st.integers(0, 4), st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=20))
def test_costs_and_ends_are_those_of_the_transactions(first: int, steps: list[tuple[bool, int]]) -> None:
    queue, here = AccountQueue(first), dict[int, Waiting]()
    for is_added, nonce in steps:
        if is_added and nonce not in here:
            here[nonce] = make_waiting(nonce)
            queue.insert(here[nonce])
            queue.extend()
        elif not is_added and nonce in here:
            queue.remove(here.pop(nonce))
            queue.find_end()
        end = next(each for each in range(first, 20) if each not in here)
        assert (queue.end, len(queue), queue.by_nonce) == (end, len(here), here)
        for each in range(10):
            assert queue.compute_cost_below(each) == sum(10 * other + 3 for other in here if other < each)
            assert queue.is_ready(each) == (first <= each < end)


def test_what_follows_a_filled_gap_is_passed_at_once() -> None:
    queue = AccountQueue(5)
    waiting = {nonce: make_waiting(nonce) for nonce in (4, 6, 7, 9)}
    for each in waiting.values():
        queue.insert(each)
    assert queue.extend() == []
    queue.insert(first := make_waiting(5))
    assert queue.extend() == [first, waiting[6], waiting[7]]
    assert queue.end == 8
