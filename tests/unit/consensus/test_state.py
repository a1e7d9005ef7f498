"""Tests drafts: changes on top of a state, merged or dropped, and which records count as empty."""

import pytest

from inos.consensus.records import Account, Kind, Market, StateKey, account_key, queue_key
from inos.consensus.state import Draft
from inos.primitives.codec import encode
from inos.primitives.errors import CodecError
from inos.primitives.units import Height, JobId
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
    lower = Draft(Records({keys[0]: b"0", keys[2]: b"2", keys[4]: b"4"} | BELOW))
    lower._changes |= {keys[1]: b"1", keys[2]: None, StateKey(bytes([Kind.LAPSE, 9])): b"other"}
    upper = Draft(lower)
    upper._changes |= {keys[5]: b"5", keys[4]: b"new", keys[1]: None, keys[3]: b"3"}
    whole = [(keys[0], b"0"), (keys[3], b"3"), (keys[4], b"new"), (keys[5], b"5")]
    assert list(upper.iterate(bytes([Kind.DUE]))) == whole
    assert list(upper.iterate(bytes([Kind.DUE]), keys[1])) == whole[1:]
    assert list(upper.iterate(bytes([Kind.DUE]), keys[4])) == whole[2:]
    assert list(lower.iterate(bytes([Kind.DUE]))) == [(keys[0], b"0"), (keys[1], b"1"), (keys[4], b"4")]
    assert list(upper.iterate(bytes([Kind.REMOVAL]))) == []


def test_a_queue_is_read_up_to_a_height() -> None:
    draft = Draft(Records({}))
    for height, job in ((300, 1), (2, 9), (2, 3), (256, 0), (255, 5)):
        draft.enqueue(Kind.DUE, Height(height), JobId(bytes([job]) * 32))
    draft.enqueue(Kind.LAPSE, Height(1), JOB)
    found = [(height, job[0]) for height, job in draft.iterate_queue(Kind.DUE, Height(256))]
    assert found == [(2, 3), (2, 9), (255, 5), (256, 0)]
    draft.dequeue(Kind.DUE, Height(2), JobId(bytes([3]) * 32))
    assert [job[0] for _, job in draft.iterate_queue(Kind.DUE, Height(255))] == [9, 5]
