"""Accounts of several keys: who signs, what is refused, and what their address commits to."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.multisig import (
    MAX_JOINT_BYTES,
    MAX_KEYS,
    Multisig,
    compute_multisig_address,
    is_sound,
    join_signatures,
    split_signatures,
)
from inos.primitives.signatures import compute_address, compute_public_key, sign
from inos.primitives.transactions import (
    MAX_TX_BYTES,
    Transaction,
    Transfer,
    are_transactions_signed,
    compute_signing_hash,
    compute_tx_id,
    count_signatures,
    get_sender,
    is_transaction_signed,
    sign_transaction,
)
from inos.primitives.units import PublicKey

SECRETS = {compute_public_key(bytes([n]) * 32): bytes([n]) * 32 for n in range(1, MAX_KEYS + 1)}
KEYS = sorted(SECRETS)
TWO_OF_THREE = Multisig(2, tuple(KEYS[:3]))
PAYLOAD = Transfer(bytes(20), 5)


def sign_by(owners: Multisig, signers: Sequence[PublicKey], payload: Transfer = PAYLOAD) -> Transaction:
    unsigned = Transaction(7, owners, 0, 1, payload, bytes(64))
    digest = compute_signing_hash(unsigned)
    return replace(unsigned, signature=join_signatures(owners, {key: sign(SECRETS[key], digest) for key in signers}))


@given(data=st.data())
def test_any_threshold_of_the_keys_signs(data: st.DataObject) -> None:
    keys = sorted(data.draw(st.sets(st.sampled_from(KEYS), min_size=2)))
    threshold = data.draw(st.integers(1, len(keys)))
    owners = Multisig(threshold, tuple(keys))
    signers = data.draw(st.permutations(keys))[:threshold]
    tx = sign_by(owners, signers)
    assert is_transaction_signed(tx)
    assert decode(Transaction, encode(tx), limit=MAX_TX_BYTES) == tx
    assert get_sender(tx) == compute_multisig_address(owners)
    assert count_signatures(tx) == threshold
    parts = split_signatures(owners, tx.signature)
    assert parts is not None
    assert [key for key, _ in parts] == sorted(signers)
    at = data.draw(st.integers(0, len(tx.signature) - 1))
    changed = bytearray(tx.signature)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    assert not is_transaction_signed(replace(tx, signature=bytes(changed)))


def test_more_signatures_than_needed_are_left_out_and_refused() -> None:
    """Otherwise anybody could drop one of them, which gives the same transaction another id."""
    tx = sign_by(TWO_OF_THREE, KEYS[:3])
    parts = dict(split_signatures(TWO_OF_THREE, tx.signature) or ())
    assert list(parts) == KEYS[:2]
    third = sign(SECRETS[KEYS[2]], compute_signing_hash(tx))
    assert not is_transaction_signed(replace(tx, signature=b"\x00\x07" + tx.signature[2:] + third))


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: tx.signature[:-64],
        lambda tx: tx.signature + bytes(64),
        lambda tx: b"\x00\x01" + tx.signature[2:],  # one key, two signatures
        lambda tx: b"\x00\x05" + tx.signature[2:],  # another pair of keys than signed
        lambda tx: b"\x00\x09" + tx.signature[2:],  # a key that is not there
        lambda tx: tx.signature[2:66],  # a signature of one key alone
        lambda tx: b"\x00\x03" + 2 * tx.signature[2:66],  # one key's signature twice
    ],
)
def test_what_is_not_exactly_the_threshold_of_signatures_is_refused(change: Any) -> None:
    tx = sign_by(TWO_OF_THREE, KEYS[:2])
    changed = replace(tx, signature=change(tx))
    assert not is_transaction_signed(changed)
    assert not are_transactions_signed((sign_by(TWO_OF_THREE, KEYS[1:3]), changed))


@pytest.mark.parametrize(
    "owners",
    [
        Multisig(2, tuple(reversed(KEYS[:2]))),
        Multisig(1, (KEYS[0], KEYS[0])),
        Multisig(3, tuple(KEYS[:2])),
        Multisig(0, tuple(KEYS[:2])),
        Multisig(1, (KEYS[0],)),
        Multisig(1, ()),
        Multisig(1, (*KEYS, b"\xff" * 32)),
    ],
)
def test_unsound_owners_sign_nothing(owners: Multisig) -> None:
    """One key twice would be two of two: its owner alone could spend."""
    assert not is_sound(owners)
    assert not is_transaction_signed(Transaction(7, owners, 0, 1, PAYLOAD, b"\x00\x03" + bytes(128)))


@pytest.mark.parametrize(
    "sender", [[0, KEYS[:2]], [17, KEYS[:2]], [1, KEYS[:1]], [1, [*KEYS, bytes(32)]], [1, [KEYS[0], b"short"]], [1]]
)
def test_owners_out_of_bounds_do_not_decode(sender: list[Any]) -> None:
    data = encode((7, sender, 0, 1, PAYLOAD, bytes(64)))
    with pytest.raises(CodecError):
        decode(Transaction, data, limit=MAX_TX_BYTES)


@pytest.mark.parametrize("size", [0, 63, MAX_JOINT_BYTES + 1])
def test_signatures_out_of_bounds_do_not_decode(size: int) -> None:
    with pytest.raises(CodecError):
        decode(Transaction, encode((7, KEYS[0], 0, 1, PAYLOAD, bytes(size))), limit=MAX_TX_BYTES)


def test_one_key_signs_with_64_bytes_exactly() -> None:
    tx = sign_transaction(SECRETS[KEYS[0]], 7, 0, 1, PAYLOAD)
    assert is_transaction_signed(tx)
    assert not is_transaction_signed(replace(tx, signature=tx.signature + b"\x00"))
    assert not is_transaction_signed(replace(tx, signature=b"\x00\x01" + tx.signature))


def test_a_signature_for_one_account_of_a_key_is_none_for_another() -> None:
    """The digest commits to the account: a key's own account, this one, or one with another threshold."""
    tx = sign_by(TWO_OF_THREE, KEYS[:2])
    own = Transaction(7, KEYS[0], 0, 1, PAYLOAD, tx.signature[2:66])
    assert not is_transaction_signed(own)
    assert not is_transaction_signed(replace(tx, sender=Multisig(2, tuple(KEYS[:4]))))
    assert not is_transaction_signed(replace(tx, sender=Multisig(1, tuple(KEYS[:3])), signature=tx.signature[:66]))


def test_the_address_commits_to_threshold_and_keys() -> None:
    found = {
        compute_multisig_address(owners)
        for owners in (
            TWO_OF_THREE,
            Multisig(1, TWO_OF_THREE.keys),
            Multisig(2, tuple(KEYS[:4])),
            Multisig(2, tuple(KEYS[1:4])),
        )
    } | {compute_address(PublicKey(key)) for key in TWO_OF_THREE.keys}
    assert len(found) == 7


def test_too_few_signers_make_nothing() -> None:
    with pytest.raises(ValueError, match="1 of the keys have signed, and 2 must"):
        join_signatures(TWO_OF_THREE, {KEYS[0]: bytes(64)})
    unsigned = Transaction(7, TWO_OF_THREE, 0, 1, PAYLOAD, bytes(64))
    assert not is_transaction_signed(unsigned)
    assert compute_tx_id(unsigned) != compute_tx_id(sign_by(TWO_OF_THREE, KEYS[:2]))
