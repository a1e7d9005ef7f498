"""Holds the few steps of usual transfers to the general execution of a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from inos.consensus.execution import Executed
from inos.consensus.records import Account, account_key
from inos.consensus.state import Draft
from inos.consensus.transfers import move_transfer
from inos.primitives.codec import encode
from inos.primitives.errors import RuleViolation
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import Payload, Transaction, Transfer, TransferMany
from inos.primitives.units import U64_MAX, Address
from support.consensus_lab import ALICE, BOB, CAROL, PARAMS, Key, Lab, Records

PEOPLE = (ALICE, BOB, CAROL)
PLACES = (*(key.address for key in PEOPLE), Address(b"\x07" * 20), Address(b"\x08" * 20))
transfers = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from(PLACES),
    st.one_of(st.integers(0, 10), st.integers(0, 3000), st.integers(U64_MAX - 3000, U64_MAX)),
    st.one_of(st.integers(0, 3), st.integers(U64_MAX - 3000, U64_MAX)),
    st.sampled_from([0, 0, 0, 0, 0, 1, -1]),
    st.sampled_from([False, False, False, True]),
)
"""Sender, receiver, amount, fee, how far the nonce is ahead, and whether it is a TransferMany."""


def make_lab(rich: int) -> Lab:
    """Return a chain on which CAROL has so much that she can receive little more."""
    lab = Lab(msgspec.structs.replace(PARAMS, account_fee=5))
    for key, balance in ((ALICE, 3000), (BOB, 1000), (CAROL, rich)):
        lab.records.all[account_key(key.address)] = encode(Account(balance=balance, reputation=3, mined=2))
    return lab


def make_transfer(key: Key, nonce: int, fee: int, payload: Payload) -> Transaction:
    """Return a transaction without a signature, which execution does not look at."""
    return Transaction(PARAMS.chain_id, key.public, nonce, fee, payload, bytes(64))


@contextmanager
def general_execution() -> Iterator[None]:
    with patch("inos.consensus.execution.move_transfer", lambda *_: None):
        yield


def execute(
    orders: list[tuple[Key, Address, int, int, int, bool]], rich: int, most: int
) -> tuple[list[str], Executed | str]:
    """Return what each order led to, and the block of those that were taken."""
    lab, nonces, told = make_lab(rich), dict.fromkeys(PEOPLE, 0), list[str]()
    lab.params = msgspec.structs.replace(lab.params, max_block_cost_us=most)
    execution = lab.begin()
    for key, to, amount, fee, ahead, is_many in orders:
        many = TransferMany(pack_payments([Payment(to, amount)]))
        tx = make_transfer(key, max(0, nonces[key] + ahead), fee, many if is_many else Transfer(to, amount))
        try:
            execution.add(tx)
            nonces[key] += 1
            told.append("taken")
        except RuleViolation as error:
            told.append(str(error))
    try:
        return told, execution.finish()
    except RuleViolation as error:  # The beneficiary cannot hold the fees.
        return told, error.code


@given(st.lists(transfers, max_size=20), st.sampled_from([1000, U64_MAX - 2000]), st.sampled_from([10**6, 4000, 1000]))
def test_blocks_and_errors_are_those_of_the_general_execution(
    orders: list[tuple[Key, Address, int, int, int, bool]], rich: int, most: int
) -> None:
    found = execute(orders, rich, most)
    with general_execution():
        assert found == execute(orders, rich, most)


def test_a_usual_transfer_is_done_in_few_steps() -> None:
    draft = Draft(make_lab(1000).records)
    moved = move_transfer(draft, ALICE.address, make_transfer(ALICE, 0, 2, Transfer(BOB.address, 40)))
    assert moved is not None
    assert [each.amount for each in moved.sent + moved.received] == [2, 40, 40]
    assert draft.get_account(ALICE.address) == Account(nonce=1, balance=2958, reputation=3, mined=2)
    assert draft.get_account(BOB.address) == Account(balance=1040, reputation=3, mined=2)


def test_what_is_refused_changes_nothing() -> None:
    records = Records(make_lab(U64_MAX - 5).records.all)
    for nonce, fee, payload in (
        (1, 1, Transfer(BOB.address, 1)),
        (0, 0, Transfer(BOB.address, 1)),
        (0, 1, Transfer(BOB.address, 3000)),
        (0, 1, Transfer(ALICE.address, 1)),
        (0, 1, Transfer(PLACES[-1], 10)),
        (0, 1, Transfer(CAROL.address, 6)),
        (0, 1, TransferMany(pack_payments([Payment(BOB.address, 1)]))),
    ):
        draft = Draft(records)
        assert move_transfer(draft, ALICE.address, make_transfer(ALICE, nonce, fee, payload)) is None
        assert draft.compute_changes() == {}
