"""Tests drafts: changes on top of a state, merged or dropped, and which records count as empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.consensus.records import Account, Kind, Market, Pot, StateKey, account_key, queue_key
from inos.consensus.state import Draft
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.units import Address, Height, JobId
from support.consensus_lab import ALICE, BOB, Records

JOB = JobId(bytes(32))
BELOW = {account_key(ALICE.address): encode(Account(balance=5))}


def test_writes_stay_above_until_merged() -> None:
    lower = Draft(Records(BELOW))
    upper = Draft(lower)
    upper.set_account(BOB.address, Account(balance=7))
    assert upper.get_account(BOB.address) == Account(balance=7)
    assert lower.get_account(BOB.address) == Account()
    assert lower.compute_changes() == {}
    lower.merge(upper)
    assert lower.compute_changes() == {account_key(BOB.address): encode(Account(balance=7))}


def test_empty_records_are_removals() -> None:
    draft = Draft(Records(BELOW))
    draft.set_account(ALICE.address, Account())
    draft.set_account(BOB.address, Account())
    draft.dequeue(Kind.LAPSE, Height(3), JOB)
    assert draft.get(account_key(ALICE.address)) is None
    assert draft.compute_changes() == {account_key(ALICE.address): None}
    assert draft.get(queue_key(Kind.LAPSE, Height(3), JOB)) is None


def test_written_back_is_unchanged() -> None:
    draft = Draft(Records(BELOW))
    draft.set_account(ALICE.address, Account())
    draft.set_account(ALICE.address, Account(balance=5))
    draft.set_market(Market(2, 3, 4))
    assert list(draft.compute_changes().values()) == [encode(Market(2, 3, 4))]


def test_damaged_records_are_not_read() -> None:
    with pytest.raises(CodecError):
        Draft(Records({account_key(ALICE.address): b"\x00"})).get_account(ALICE.address)


def test_drafts_are_read_in_the_order_of_keys() -> None:
    """Each layer adds, replaces and hides records of the one below, and records under other prefixes do not appear."""
    keys = [StateKey(bytes([Kind.DUE, n])) for n in range(6)]
    zero, one, two, three, four, five = (Pot(n) for n in range(6))
    lower = Draft(Records({keys[0]: encode(zero), keys[2]: encode(two), keys[4]: encode(four)} | BELOW))
    lower._changes |= {keys[1]: one, keys[2]: None, StateKey(bytes([Kind.LAPSE, 9])): five}
    upper = Draft(lower)
    upper._changes |= {keys[5]: five, keys[4]: one, keys[1]: None, keys[3]: three}
    whole = [(keys[0], encode(zero)), (keys[3], encode(three)), (keys[4], encode(one)), (keys[5], encode(five))]
    assert list(upper.iterate(bytes([Kind.DUE]))) == whole
    assert list(upper.iterate(bytes([Kind.DUE]), keys[1])) == whole[1:]
    assert list(upper.iterate(bytes([Kind.DUE]), keys[4])) == whole[2:]
    below = [(keys[0], encode(zero)), (keys[1], encode(one)), (keys[4], encode(four))]
    assert list(lower.iterate(bytes([Kind.DUE]))) == below
    assert list(upper.iterate(bytes([Kind.REMOVAL]))) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "get", "merge", "drop"]), st.integers(0, 3), st.integers(0, 2)), max_size=30
)


@given(STEPS)
def test_records_in_layers_of_drafts_are_those_of_a_plain_dictionary(steps: list[tuple[str, int, int]]) -> None:
    """However often records are read, changed, merged or dropped, their bytes are those of the last write."""
    addresses = [Address(bytes([n]) * 20) for n in range(4)]
    stored = {
        account_key(addresses[0]): encode(Account(balance=1)),
        account_key(addresses[1]): encode(Account(nonce=2)),
    }
    lower = Draft(Records(stored))
    upper, below, above = Draft(lower), dict(stored), dict(stored)
    for step, number, amount in steps:
        key = account_key(addresses[number])
        if step == "set":
            upper.set_account(addresses[number], Account(balance=amount))
            above.pop(key, None)
            above |= {key: encode(Account(balance=amount))} if amount else {}
        elif step == "merge":
            lower.merge(upper)
            upper, below = Draft(lower), dict(above)
        elif step == "drop":
            upper, above = Draft(lower), dict(below)
        assert upper.get(key) == above.get(key)
        assert upper.has_account(addresses[number]) == (key in above)
        found = decode(Account, above[key], limit=1000) if key in above else Account()
        assert upper.get_account(addresses[number]) == found
        assert dict(upper.iterate(bytes([Kind.ACCOUNT]))) == above
    lower.merge(upper)
    changes = {key: above.get(key) for key in sorted({*stored, *above}) if above.get(key) != stored.get(key)}
    assert list(lower.compute_changes().items()) == list(changes.items())


def test_a_queue_is_read_up_to_a_height() -> None:
    draft = Draft(Records({}))
    for height, job in ((300, 1), (2, 9), (2, 3), (256, 0), (255, 5)):
        draft.enqueue(Kind.DUE, Height(height), JobId(bytes([job]) * 32))
    draft.enqueue(Kind.LAPSE, Height(1), JOB)
    found = [(height, job[0]) for height, job in draft.iterate_queue(Kind.DUE, Height(256))]
    assert found == [(2, 3), (2, 9), (255, 5), (256, 0)]
    draft.dequeue(Kind.DUE, Height(2), JobId(bytes([3]) * 32))
    assert [job[0] for _, job in draft.iterate_queue(Kind.DUE, Height(255))] == [9, 5]
