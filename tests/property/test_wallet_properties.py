"""Addresses and keystores under random damage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.primitives import bech32m
from inos.primitives.units import Address
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError
from inos.wallet.keystore import KeystoreInfo, ScryptCost, Secret, decode_keystore, encode_keystore

SECRET = Secret("test test test test test test test test test test test junk", "more")
INFO = KeystoreInfo(network="devnet", hrp="dinos", address=encode_address("dinos", Address(bytes(20))))
KEYSTORE = encode_keystore(SECRET, "password", INFO, ScryptCost(n=16, r=1, p=1))
ALPHABET = bech32m.CHARSET


@given(st.binary(min_size=20, max_size=20), st.sampled_from(["inos", "tinos", "dinos"]))
def test_addresses_round_trip(raw: bytes, hrp: str) -> None:
    assert decode_address(hrp, encode_address(hrp, Address(raw))) == raw


@given(st.binary(max_size=50))
def test_bech32m_round_trips_any_bytes(data: bytes) -> None:
    assert bech32m.decode(bech32m.encode("x", data)) == ("x", data)


@given(st.binary(min_size=20, max_size=20), st.data())
def test_up_to_four_wrong_characters_are_found(raw: bytes, data: st.DataObject) -> None:
    text = encode_address("dinos", Address(raw))
    places = data.draw(st.lists(st.integers(6, len(text) - 1), min_size=1, max_size=4, unique=True))
    changed = list(text)
    for place in places:
        changed[place] = data.draw(st.sampled_from([c for c in ALPHABET if c != text[place]]))
    with pytest.raises(WalletError) as caught:
        decode_address("dinos", "".join(changed))
    assert caught.value.code == "bad-checksum"


@given(st.text(max_size=120))
def test_no_text_breaks_the_address_reader(text: str) -> None:
    with pytest.raises(WalletError) as caught:
        decode_address("dinos", text)
    assert caught.value.code in {"not-an-address", "bad-checksum", "other-network"}


@given(st.integers(0, len(KEYSTORE) - 1), st.integers(1, 255))
@settings(max_examples=400)
def test_any_changed_byte_is_damage_never_another_secret(place: int, flip: int) -> None:
    changed = bytearray(KEYSTORE)
    changed[place] ^= flip
    try:
        assert decode_keystore(bytes(changed), "password") == SECRET, "only the layout of the JSON was changed"
    except WalletError as error:
        assert error.code == "keystore-damaged"  # noqa: PT017


@given(st.text(min_size=1, max_size=20))
@settings(max_examples=50)
def test_any_other_password_is_wrong(password: str) -> None:
    if password == "password":
        assert decode_keystore(KEYSTORE, password) == SECRET
        return
    with pytest.raises(WalletError) as caught:
        decode_keystore(KEYSTORE, password)
    assert caught.value.code == "wrong-password"


@given(st.text(min_size=1, max_size=40), st.text(max_size=200), st.text(max_size=60))
@settings(max_examples=50)
def test_keystores_round_trip(password: str, phrase: str, passphrase: str) -> None:
    secret = Secret(phrase, passphrase)
    assert decode_keystore(encode_keystore(secret, password, INFO, ScryptCost(n=16, r=1, p=1)), password) == secret
