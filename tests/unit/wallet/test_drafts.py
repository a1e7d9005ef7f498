"""Drafts: signatures are added one by one, and a file that was changed on its way is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inos.primitives.multisig import Multisig
from inos.primitives.transactions import Transaction, Transfer, get_sender, is_transaction_signed
from inos.wallet.drafts import Draft, SignaturesMissing, Terms, decode_draft, encode_draft, is_draft, merge_drafts
from inos.wallet.errors import WalletError
from inos.wallet.keys import Key, make_key
from inos.wallet.signers import ElsewhereSigner, KeySigner

KEYS = sorted((make_key(bytes([n]) * 32) for n in range(1, 6)), key=lambda key: key.public)
OWNERS = Multisig(2, tuple(key.public for key in KEYS[:3]))
PAYLOAD = Transfer(bytes(20), 5)


def make_draft(owner: Any, network: str = "devnet") -> Draft:
    return Draft(network, Terms(7, owner, 3, 9, PAYLOAD))


def sign(draft: Draft, key: Key) -> Draft:
    return draft.sign(key.public, KeySigner(key).sign)


@given(order=st.permutations(KEYS[:3]), mode=st.sampled_from(["key", "address", "several"]))
def test_signatures_come_in_any_order_and_through_files(order: list[Key], mode: str) -> None:
    owner = {"key": bytes(order[0].public), "address": bytes(order[0].address), "several": OWNERS}[mode]
    draft = make_draft(owner)
    address = draft.address
    for key in order[: draft.needed]:
        with pytest.raises(SignaturesMissing):
            draft.finish()
        draft = sign(draft, key)
        assert decode_draft(encode_draft(draft, {"to": "whatever"})) == draft
    tx = draft.finish()
    assert is_transaction_signed(tx)
    assert get_sender(tx) == address
    assert (tx.nonce, tx.fee, tx.payload) == (3, 9, PAYLOAD)


@pytest.mark.parametrize("owner", [OWNERS, bytes(KEYS[0].public), bytes(KEYS[0].address)])
def test_other_keys_do_not_sign(owner: Any) -> None:
    with pytest.raises(WalletError, match="is not one that key"):
        sign(make_draft(owner), KEYS[4])


def test_a_signer_that_signs_something_else_is_noticed() -> None:
    other = KeySigner(KEYS[1])
    with pytest.raises(WalletError, match="does not verify"):
        make_draft(OWNERS).sign(KEYS[0].public, other.sign)


def test_copies_signed_side_by_side_go_together() -> None:
    draft = make_draft(OWNERS)
    merged = merge_drafts([sign(draft, KEYS[0]), draft, sign(draft, KEYS[2])])
    assert is_transaction_signed(merged.finish())
    address = make_draft(bytes(KEYS[0].address))
    assert merge_drafts([address, sign(address, KEYS[0])]).needed == 0
    for other in (
        replace(draft, network="testnet"),
        replace(draft, terms=replace(draft.terms, nonce=4)),
        replace(draft, terms=replace(draft.terms, payload=Transfer(bytes(20), 6))),
        make_draft(Multisig(1, OWNERS.keys)),
        make_draft(bytes(KEYS[0].public)),
    ):
        with pytest.raises(WalletError, match="different transactions"):
            merge_drafts([draft, other])


DOCUMENT = json.loads(encode_draft(sign(make_draft(OWNERS), KEYS[0]), {}))


@given(data=st.data())
def test_a_changed_file_is_refused(data: st.DataObject) -> None:
    """One hex digit of the transaction or of a signature is another one."""
    field = data.draw(st.sampled_from(["unsigned", "signatures", "keys"]))
    ((key, signature),) = DOCUMENT["signatures"].items()
    text = {"unsigned": DOCUMENT["unsigned"], "signatures": signature, "keys": key}[field]
    at, digit = data.draw(st.integers(0, len(text) - 1)), data.draw(st.sampled_from("0123456789abcdef"))
    changed = text[:at] + digit + text[at + 1 :]
    found = {
        "unsigned": {"unsigned": changed},
        "signatures": {"signatures": {key: changed}},
        "keys": {"signatures": {changed: signature}},
    }[field]
    text = json.dumps(DOCUMENT | found)
    if changed in (DOCUMENT["unsigned"], signature, key):
        assert decode_draft(text).needed == 1
    else:
        with pytest.raises(WalletError) as caught:
            decode_draft(text)
        assert caught.value.code == "bad-draft"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"network": 5},
        {"unsigned": ""},
        {"unsigned": "zz"},
        {"unsigned": None},
        {"signatures": []},
        {"signatures": {"00": "00"}},
        {"signatures": None},
    ],
)
def test_fields_of_another_kind_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WalletError) as caught:
        decode_draft(json.dumps(DOCUMENT | change))
    assert caught.value.code == "bad-draft"


@pytest.mark.parametrize("missing", ["version", "network", "unsigned", "signatures"])
def test_missing_fields_are_refused(missing: str) -> None:
    with pytest.raises(WalletError, match="lacks a field"):
        decode_draft(json.dumps({name: value for name, value in DOCUMENT.items() if name != missing}))


def test_unsound_owners_are_refused() -> None:
    draft = make_draft(Multisig(1, (KEYS[1].public, KEYS[0].public)))
    with pytest.raises(WalletError, match="not in order"):
        decode_draft(encode_draft(draft, {}))
    with pytest.raises(WalletError, match="neither a key nor an address"):
        decode_draft(encode_draft(make_draft(bytes(25)), {}))


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 100_000, '{"kind": "other"}', "ab" * 100])
def test_other_text_is_no_draft(text: str) -> None:
    assert not is_draft(text)


def test_an_account_that_is_signed_for_elsewhere_makes_drafts() -> None:
    signer = ElsewhereSigner(OWNERS, "devnet")
    with pytest.raises(SignaturesMissing) as caught:
        signer.sign(Transaction(7, OWNERS, 3, 9, PAYLOAD, bytes(64)))
    assert caught.value.draft == make_draft(OWNERS)
    assert caught.value.draft.needed == 2
