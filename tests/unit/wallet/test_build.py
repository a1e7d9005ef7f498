"""Every payload is built and signed; one that cannot work is refused before it is signed."""

from typing import Any

import pytest

from inos.consensus.params import Params
from inos.primitives.matrices import MatrixRef
from inos.primitives.signatures import is_signature_valid
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    JobMode,
    SubmitResult,
    Transfer,
    compute_signing_hash,
    is_transaction_signed,
)
from inos.primitives.units import Address, Height, JobId, Nano, PublicKey
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError
from inos.wallet.keys import make_key

KEY = make_key(b"\x11" * 32)
TO = encode_address("dinos", Address(b"\x22" * 20))
X = MatrixRef(b"x" * 32, 100, 2000, b"r" * 32)
W = MatrixRef(b"w" * 32, 17, 2000, b"s" * 32)
JOB = JobId(b"j" * 32)


def _params(**changes: Any) -> Params:
    values: dict[str, Any] = {name: 1 for name in Params.__struct_fields__}
    values |= {"network": "devnet", "min_bond": 100, "min_claim_window": 5, "max_claim_window": 50}
    return Params(**(values | {"max_job_lifetime": 500} | changes))


def _account(balance: int, nonce: int = 4) -> build.AccountView:
    return build.AccountView(nonce=nonce, balance=Nano(balance))


def _code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(WalletError) as caught:
        call(*args, **named)
    return caught.value.code


def test_transfer_is_signed_with_the_accounts_nonce() -> None:
    payload = build.make_transfer("dinos", TO, 10)
    tx = build.build_transaction(KEY, 1337, _account(12), payload, 2)
    assert tx.payload == Transfer(b"\x22" * 20, 10)
    assert (tx.chain_id, tx.nonce, tx.fee, tx.sender) == (1337, 4, 2, KEY.public)
    assert is_signature_valid(PublicKey(tx.sender), compute_signing_hash(tx), tx.signature)


def test_a_nano_too_little_is_refused() -> None:
    payload = build.make_transfer("dinos", TO, 10)
    with pytest.raises(WalletError, match=r"0\.000000012 credits.*0\.000000011.*0\.000000001 credits are missing") as e:
        build.build_transaction(KEY, 1337, _account(11), payload, 2)
    assert e.value.code == "insufficient-balance"


@pytest.mark.parametrize("amount", [0, -1, 2**64])
def test_amounts_out_of_range(amount: int) -> None:
    assert _code(build.make_transfer, "dinos", TO, amount) == "bad-amount"


@pytest.mark.parametrize("fee", [-1, 2**64])
def test_fees_out_of_range(fee: int) -> None:
    payload = build.make_transfer("dinos", TO, 1)
    assert _code(build.build_transaction, KEY, 1, _account(10**18), payload, fee) == "bad-amount"
    assert _code(build.sign_payload, KEY, 1, 0, fee, payload) == "bad-amount"
    assert _code(build.sign_payload, KEY, 1, -1, 0, payload) == "bad-nonce"


def test_addresses_of_other_networks_make_no_payload() -> None:
    assert _code(build.make_transfer, "dinos", encode_address("tinos", Address(bytes(20))), 1) == "other-network"
    assert _code(build.make_transfer, "dinos", TO[:-1] + "q", 1) == "bad-checksum"


def test_post_job_and_what_it_costs_at_most() -> None:
    payload = build.make_post_job(_params(), Height(40), X, W, reward=1000, max_burn=84, lifetime=60)
    assert (payload.deadline, payload.bond, payload.claim_window, payload.mode) == (100, 100, 5, JobMode.CHECKED)
    # ceil(100/16) * ceil(17/16) * ceil(2000/1024) = 7 * 2 * 2 tickets
    assert build.compute_cost(payload, 5) == 1000 + 84 + 5
    assert _code(build.build_transaction, KEY, 1, _account(1088), payload, 5) == "insufficient-balance"
    assert is_transaction_signed(build.build_transaction(KEY, 1, _account(1089), payload, 5))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reward": 0}, "bad-amount"),
        ({"bond": 99}, "bad-amount"),
        ({"max_burn": 0}, "bad-amount"),
        ({"lifetime": 501}, "bad-lifetime"),
        ({"lifetime": 0}, "bad-lifetime"),
        ({"claim_window": 4}, "bad-claim-window"),
        ({"claim_window": 51}, "bad-claim-window"),
    ],
)
def test_post_job_refusals(change: dict[str, int], code: str) -> None:
    named = {"reward": 1, "max_burn": 1, "lifetime": 10} | change
    assert _code(build.make_post_job, _params(), Height(1), X, W, **named) == code


def test_operands_of_different_depth() -> None:
    other = MatrixRef(b"w" * 32, 17, 1999, b"s" * 32)
    named = {"reward": 1, "max_burn": 1, "lifetime": 10}
    assert _code(build.make_post_job, _params(), Height(1), X, other, **named) == "shape-mismatch"


def test_claim_result_cancel() -> None:
    assert build.make_claim(JOB) == ClaimJob(JOB)
    assert build.make_result(JOB, X) == SubmitResult(JOB, X)
    assert build.make_cancel(JOB) == CancelJob(JOB)
    assert _code(build.make_cancel, b"short") == "bad-job-id"
    assert _code(build.build_transaction, KEY, 1, _account(100), build.make_claim(JOB), 1, locked=100) == (
        "insufficient-balance"
    )
    assert is_transaction_signed(build.build_transaction(KEY, 1, _account(101), build.make_claim(JOB), 1, locked=100))
    for payload in (build.make_result(JOB, X), build.make_cancel(JOB)):
        assert is_transaction_signed(build.build_transaction(KEY, 1, _account(1), payload, 1))


def test_hex_round_trip_and_refusals() -> None:
    tx = build.sign_payload(KEY, 1337, 0, 1, build.make_transfer("dinos", TO, 5))
    text = build.encode_transaction(tx)
    assert build.decode_transaction(f"{text}\n") == tx
    assert _code(build.decode_transaction, "not hex") == "bad-transaction"
    assert _code(build.decode_transaction, text[:-2]) == "bad-transaction"
    with pytest.raises(WalletError, match="signature"):
        build.decode_transaction(text[:-2] + ("00" if text[-2:] != "00" else "01"))
