"""Tests what a transaction may contain, before any state is read: every rule by its code."""

from typing import Any

import msgspec
import pytest

from inos.consensus.prices import compute_product_bytes
from inos.consensus.transactionrules import check_transaction_sanity
from inos.primitives.bls import get_bls
from inos.primitives.matrices import MatrixRef
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    JobMode,
    Payload,
    SubmitResult,
    Transfer,
    TransferMany,
    sign_transaction,
)
from inos.primitives.units import Address
from support.consensus_lab import ALICE, BOB, CHAIN_ID, PARAMS, get_code, make_operand, make_post, make_result

MAX = 2**64 - 1


def check(payload: Payload, *, chain_id: int = CHAIN_ID, nonce: int = 0, fee: int = 1) -> str:
    tx = sign_transaction(ALICE.secret, chain_id, nonce, fee, payload)
    return get_code(lambda: check_transaction_sanity(PARAMS, tx, get_bls()))


@pytest.mark.parametrize(
    "payload",
    [
        Transfer(BOB.address, 1),
        Transfer(BOB.address, MAX - 1),
        TransferMany(pack_payments([Payment(BOB.address, 7), Payment(ALICE.address, MAX - 8)])),
        make_post(5),
        make_post(5, claim_window=2),
        make_post(5, claim_window=6),
        make_post(5, max_burn=MAX, deadline=MAX, bond=MAX),
        ClaimJob(bytes(32)),
        SubmitResult(bytes(32), make_result(3, 4)),
        CancelJob(bytes(32)),
    ],
)
def test_good_ones_pass(payload: Payload) -> None:
    assert check(payload) == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mode": JobMode.OPTIMISTIC}, "challenge-too-large"),  # 20,000 bytes a block hold no challenge
        ({"reward": 0}, "zero-reward"),
        ({"reward": MAX}, "overflow"),  # with the fee of 1
        ({"bond": 100}, "bond-too-small"),
        ({"claim_window": 1}, "bad-claim-window"),
        ({"claim_window": 7}, "bad-claim-window"),
        ({"x": make_operand(32, 1501)}, "depth-mismatch"),
        ({"x": make_operand(0, 1500)}, "bad-dimensions"),
        ({"x": make_operand(2**20 + 1, 1500)}, "bad-dimensions"),
        ({"x": make_operand(16, 2**16 + 1), "w": make_operand(16, 2**16 + 1)}, "bad-dimensions"),
        ({"w": make_operand(16, 0)}, "bad-dimensions"),
        ({"x": make_result(32, 1500)}, "bad-matrix-id"),
        ({"w": msgspec.structs.replace(make_operand(48, 1500), rows=49)}, "bad-matrix-id"),
        ({"w": msgspec.structs.replace(make_operand(48, 1500), root=bytes(32))}, "bad-matrix-id"),
        ({"x": make_operand(512, 512), "w": make_operand(512, 512)}, "product-too-large"),
    ],
)
def test_bad_jobs(changes: dict[str, Any], code: str) -> None:
    assert check(make_post(5, **changes)) == code


def test_bytes_of_a_product() -> None:
    # 64 strips of 16 KiB are the limit, and allowed
    assert PARAMS.max_checked_bytes == 1 << 20
    assert compute_product_bytes(16, 59 * 16, 16) == 1 << 20
    assert check(make_post(5, x=make_operand(16, 16), w=make_operand(59 * 16, 16))) == ""
    assert check(make_post(5, x=make_operand(16, 16), w=make_operand(59 * 16 + 1, 16))) == "product-too-large"


@pytest.mark.parametrize(
    ("y", "code"),
    [
        (make_operand(3, 4), "bad-matrix-id"),
        (make_result(0, 4), "bad-dimensions"),
        (make_result(3, 2**20 + 1), "bad-dimensions"),
        (make_result(3, 2**20), ""),
    ],
)
def test_results(y: MatrixRef, code: str) -> None:
    assert check(SubmitResult(bytes(32), y)) == code


def test_nothing_cannot_be_sent() -> None:
    assert check(Transfer(BOB.address, 0)) == "zero-amount"


def test_amount_and_fee_together_fit_64_bits() -> None:
    assert check(Transfer(BOB.address, MAX), fee=0) == ""
    assert check(Transfer(BOB.address, MAX), fee=1) == "overflow"
    assert check(Transfer(BOB.address, 1), fee=MAX) == "overflow"


def pack(*amounts: int) -> bytes:
    """Return payments to addresses that begin with 0, 1, 2, ..."""
    return pack_payments(Payment(Address(bytes([n]) + bytes(19)), amount) for n, amount in enumerate(amounts))


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        (pack(7), ""),
        (pack(*range(7, 263)), ""),
        (pack(MAX - 1), ""),
        (b"", "bad-payments"),
        (pack(7)[:-1], "bad-payments"),
        (pack(7) + b"\x00", "bad-payments"),
        (pack(*[7] * 256) + b"\xff" * 28, "bad-payments"),
        (pack(7, 7)[28:] + pack(7), "payments-not-sorted"),
        (2 * pack(7), "payments-not-sorted"),
        (pack(7, 8, 7, 0), "zero-amount"),
        (pack(7, 6), "payment-too-small"),
        (pack(MAX), "overflow"),  # with the fee of 1
        (pack(2**63, 2**63), "overflow"),
        (pack(2**63, 2**63 - 1), "overflow"),
        (pack(2**63, 2**63 - 2), ""),
    ],
)
def test_payments(packed: bytes, code: str) -> None:
    assert PARAMS.job_fee == 7
    assert check(TransferMany(packed)) == code


def test_the_least_payment_is_above_nothing_where_jobs_cost_nothing() -> None:
    tx = sign_transaction(ALICE.secret, CHAIN_ID, 0, 1, TransferMany(pack(0)))
    free = msgspec.structs.replace(PARAMS, job_fee=0)
    assert get_code(lambda: check_transaction_sanity(free, tx, get_bls())) == "zero-amount"


def test_the_last_nonce_cannot_be_used() -> None:
    assert check(Transfer(BOB.address, 1), nonce=MAX - 1) == ""
    assert check(Transfer(BOB.address, 1), nonce=MAX) == "overflow"


def test_amounts_beyond_64_bits_are_refused_before_encoding() -> None:
    tx = sign_transaction(ALICE.secret, CHAIN_ID, 0, 0, Transfer(BOB.address, 1))
    huge = msgspec.structs.replace(tx, payload=Transfer(BOB.address, MAX + 1))
    assert get_code(lambda: check_transaction_sanity(PARAMS, huge, get_bls())) == "overflow"
    assert (
        get_code(lambda: check_transaction_sanity(PARAMS, msgspec.structs.replace(tx, fee=-1), get_bls())) == "overflow"
    )


def test_another_chains_transaction() -> None:
    assert check(Transfer(BOB.address, 1), chain_id=CHAIN_ID + 1) == "wrong-chain-id"


def test_signatures_are_checked() -> None:
    tx = sign_transaction(ALICE.secret, CHAIN_ID, 0, 1, Transfer(BOB.address, 5))
    for changed in (
        msgspec.structs.replace(tx, payload=Transfer(BOB.address, 6)),
        msgspec.structs.replace(tx, fee=2),
        msgspec.structs.replace(tx, nonce=1),
        msgspec.structs.replace(tx, sender=BOB.public),
        msgspec.structs.replace(tx, sender=b"\xff" * 32),  # not on the curve
        msgspec.structs.replace(tx, signature=bytes(64)),
    ):
        assert get_code(lambda changed=changed: check_transaction_sanity(PARAMS, changed, get_bls())) == "bad-signature"
