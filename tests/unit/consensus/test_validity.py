"""Tests headers and blocks in stages 1 and 2: every rule by its code."""

from typing import Any

import msgspec
import pytest

from inos.consensus.validity import (
    BodyMismatch,
    check_block_sanity,
    check_header_context,
    check_header_sanity,
    is_about_block,
)
from inos.primitives.blocks import Block, compute_tx_root, encode_target
from inos.primitives.bls import get_bls
from inos.primitives.errors import ClockAhead, InvalidCertificate, RuleViolation
from inos.primitives.matrices import Seal
from inos.primitives.transactions import Transaction, Transfer, compute_tx_id
from inos.primitives.units import TimeMs, TxId
from support.consensus_lab import ALICE, BOB, PARAMS, Lab, edit, get_code, make_operand, make_result

TARGET = 2**256 // 600 - 1


def make_seal(**changes: Any) -> Seal:
    seal = Seal(make_operand(33, 2000, 1), make_operand(16, 2000, 2), 2, 0, 1, encode_target(TARGET))
    return msgspec.structs.replace(seal, **changes)


def check(**changes: Any) -> str:
    header = msgspec.structs.replace(Lab().make_block().header, seal=make_seal())
    return get_code(lambda: check_header_sanity(PARAMS, msgspec.structs.replace(header, **changes)))


def test_a_good_header_passes() -> None:
    assert check() == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 1}, "bad-version"),
        ({"version": 0}, "bad-version"),
        ({"chain_id": 78}, "wrong-chain-id"),
        ({"target": bytes(32)}, "target-out-of-range"),
        ({"target": encode_target(2**192 - 1)}, "target-out-of-range"),
        ({"target": encode_target(2**252)}, "target-out-of-range"),
        ({"target": encode_target(2**252 - 1)}, ""),
        ({"seal": None}, "missing-seal"),
        ({"height": 0}, "unexpected-seal"),
        ({"height": 0, "seal": None}, ""),
        ({"seal": make_seal(digest=encode_target(TARGET + 1))}, "digest-above-target"),
        ({"seal": make_seal(i=3)}, "ticket-out-of-range"),
        ({"seal": make_seal(j=1)}, "ticket-out-of-range"),
        ({"seal": make_seal(p=2)}, "ticket-out-of-range"),
        ({"seal": make_seal(x=make_operand(33, 2001))}, "depth-mismatch"),
        ({"seal": make_seal(x=make_result(33, 2000))}, "bad-matrix-id"),
        ({"seal": make_seal(w=make_operand(0, 2000))}, "bad-dimensions"),
    ],
)
def test_headers(changes: dict[str, Any], code: str) -> None:
    assert check(**changes) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"parent": bytes(32)}, "bad-parent"),
        ({"height": 1}, "bad-height"),
        ({"height": 3}, "bad-height"),
        ({"time_ms": 1_700_000_002_000}, "time-too-old"),
        ({"time_ms": 1_700_000_002_001}, ""),
        ({"target": encode_target(TARGET - 1)}, "bad-target"),
        ({"target": encode_target(TARGET + 1)}, "bad-target"),
    ],
)
def test_against_the_parent(changes: dict[str, Any], code: str) -> None:
    lab = Lab()
    lab.mine()
    header = edit(lab.make_block(), **changes).header
    assert get_code(lambda: check_header_context(PARAMS, header, lab.context)) == code


def make_full_block(*transactions: Transaction) -> Block:
    return Lab().make_block(transactions)


def test_a_block_with_transactions_passes() -> None:
    lab = Lab()
    check_block_sanity(PARAMS, lab.make_block([lab.sign(ALICE, Transfer(BOB.address, 1))]), get_bls())


def test_a_foreign_body_is_told_from_a_bad_block() -> None:
    lab = Lab()
    block = lab.make_block([lab.sign(ALICE, Transfer(BOB.address, 1))])
    for body in ((), (*block.transactions, *block.transactions), (lab.sign(BOB, Transfer(ALICE.address, 1)),)):
        with pytest.raises(BodyMismatch) as caught:
            check_block_sanity(PARAMS, Block(block.header, body), get_bls())
        assert caught.value.code == "bad-tx-root"
        assert not is_about_block(caught.value)


def test_what_condemns_a_block_id() -> None:
    assert is_about_block(RuleViolation("bad-state-root", "x"))
    assert not is_about_block(InvalidCertificate("bad-path", "x"))
    assert not is_about_block(ClockAhead(TimeMs(1), "x"))


def test_no_transaction_twice() -> None:
    lab = Lab()
    tx = lab.sign(ALICE, Transfer(BOB.address, 1))
    assert get_code(lambda: check_block_sanity(PARAMS, lab.make_block([tx, tx]), get_bls())) == "duplicate-transaction"


def test_a_bad_transaction_is_named() -> None:
    lab = Lab()
    good, other = lab.sign(ALICE, Transfer(BOB.address, 1)), lab.sign(BOB, Transfer(ALICE.address, 1))
    bad = msgspec.structs.replace(other, signature=good.signature)
    with pytest.raises(RuleViolation, match="transaction 1 ") as caught:
        check_block_sanity(PARAMS, lab.make_block([good, bad]), get_bls())
    assert caught.value.code == "bad-signature"
    assert is_about_block(caught.value)


def test_size_limit() -> None:
    lab = Lab()
    many = [lab.sign(ALICE, Transfer(BOB.address, 1), ahead=n) for n in range(200)]
    block = lab.make_block(many)
    size = len(msgspec.msgpack.encode(block))
    assert size > 20_000
    assert get_code(lambda: check_block_sanity(PARAMS, block, get_bls())) == "block-too-large"
    exact = msgspec.structs.replace(PARAMS, max_block_bytes=size)
    check_block_sanity(exact, block, get_bls())


def test_verified_transactions_are_not_checked_again() -> None:
    lab = Lab()
    tx = lab.sign(ALICE, Transfer(BOB.address, 1))
    forged = msgspec.structs.replace(tx, signature=bytes(64))
    block = lab.make_block([forged])
    asked: list[TxId] = []

    def is_verified(tx_id: TxId) -> bool:
        asked.append(tx_id)
        return True

    check_block_sanity(PARAMS, block, get_bls(), is_verified=is_verified)
    assert asked == [compute_tx_id(forged)]
    assert (
        get_code(lambda: check_block_sanity(PARAMS, block, get_bls(), is_verified=lambda _: False)) == "bad-signature"
    )


def test_the_tx_root_of_no_transactions_is_zero() -> None:
    assert compute_tx_root([]) == bytes(32)
    assert make_full_block().header.tx_root == bytes(32)
