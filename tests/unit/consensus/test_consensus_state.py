"""Drafts: changes on top of a state, merged or dropped, and what counts as empty."""

import pytest

from inos.consensus.records import Account, Lapse, Market, account_key, lapse_key
from inos.consensus.state import Draft
from inos.primitives.codec import encode
from inos.primitives.errors import CodecError
from inos.primitives.units import Height
from support.consensus_lab import ALICE, BOB, Records

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
    draft.set_lapse(Height(3), Lapse())
    assert draft.get(account_key(ALICE.address)) is None
    assert draft.compute_changes() == {account_key(ALICE.address): None}
    assert draft.get(lapse_key(Height(3))) is None


def test_written_back_is_unchanged() -> None:
    draft = Draft(Records(BELOW))
    draft.set_account(ALICE.address, Account())
    draft.set_account(ALICE.address, Account(balance=5))
    draft.set_market(Market(1, 2, 3, 4))
    assert list(draft.compute_changes().values()) == [encode(Market(1, 2, 3, 4))]


def test_damaged_records_are_not_read() -> None:
    with pytest.raises(CodecError):
        Draft(Records({account_key(ALICE.address): b"\x00"})).get_account(ALICE.address)
