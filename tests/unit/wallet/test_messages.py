"""Signed messages, which are no transactions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.signatures import sign
from inos.primitives.transactions import Transfer, compute_signing_hash, sign_transaction
from inos.wallet.errors import WalletError
from inos.wallet.keys import make_key
from inos.wallet.messages import check_message, compute_message_hash, sign_message

KEY, OTHER = make_key(b"\x01" * 32), make_key(b"\x02" * 32)


@given(st.text())
def test_what_was_signed_is_proven(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    proof = sign_message(KEY, text)
    check_message(KEY.address, text, proof)
    for address, changed, other in (
        (OTHER.address, text, proof),
        (KEY.address, text + " ", proof),
        (KEY.address, text, proof[:-1] + ("0" if proof[-1] != "0" else "1")),
        (KEY.address, text, proof[2:]),
        (KEY.address, text, "not hex"),
    ):
        with pytest.raises(WalletError) as caught:
            check_message(address, changed, other)
        assert caught.value.code == "bad-proof"


def test_no_signed_text_is_a_transaction() -> None:
    tx = sign_transaction(KEY.secret, 7, 0, 1, Transfer(bytes(20), 5))
    digest = compute_signing_hash(tx)
    proof = (KEY.public + tx.signature).hex()
    for text in (digest.hex(), digest.decode("latin-1")):
        assert compute_message_hash(KEY.address, text) != digest
        with pytest.raises(WalletError):
            check_message(KEY.address, text, proof)


def test_another_key_proves_nothing_of_an_address() -> None:
    proof = (OTHER.public + sign(OTHER.secret, compute_message_hash(KEY.address, "hello"))).hex()
    with pytest.raises(WalletError, match="another address"):
        check_message(KEY.address, "hello", proof)
