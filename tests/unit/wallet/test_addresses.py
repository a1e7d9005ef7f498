"""BIP-350's own vectors, and addresses of other networks."""

import pytest

from inos.primitives import bech32m
from inos.primitives.units import Address
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError

# BIP-350, "Test vectors for Bech32m": valid strings
VALID = [
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
# the same page: invalid strings, and why
INVALID = [
    ("\x201xj0phk", "is not allowed"),
    ("\x7f1g6xzxy", "is not allowed"),
    ("\x801vctc34", "is not allowed"),
    ("an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4", "at most 90"),
    ("qyrz8wqd2c9m", "no prefix"),
    ("1qyrz8wqd2c9m", "no prefix"),
    ("y1b0jsk6g", "is not allowed"),
    ("lt1igcx5c0", "is not allowed"),
    ("in1muywd", "too little"),
    ("mm1crxm3i", "is not allowed"),
    ("au1s5cgom", "is not allowed"),
    ("M1VUXWEZ", "checksum"),
    ("16plkw9", "no prefix"),
    ("1p2gdwpf", "no prefix"),
]
ADDRESS = Address(bytes(range(20)))


@pytest.mark.parametrize("text", VALID)
def test_bip350_valid(text: str) -> None:
    hrp, symbols = bech32m.decode_symbols(text)
    assert bech32m.encode_symbols(hrp, symbols) == text.lower()


@pytest.mark.parametrize(("text", "reason"), INVALID)
def test_bip350_invalid(text: str, reason: str) -> None:
    with pytest.raises(bech32m.Bech32mError, match=reason):
        bech32m.decode_symbols(text)


def test_segwit_v1_example_of_bip350() -> None:
    text = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
    hrp, symbols = bech32m.decode_symbols(text)
    assert (hrp, symbols[0]) == ("bc", 1)
    key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    assert bech32m.decode(bech32m.encode("bc", bytes.fromhex(key)))[1].hex() == key


def test_leftover_bits_are_refused() -> None:
    with pytest.raises(bech32m.Bech32mError, match="left over"):
        bech32m.decode(bech32m.encode_symbols("dinos", [1] * 33))
    with pytest.raises(bech32m.Bech32mError, match="left over"):
        bech32m.decode(bech32m.encode_symbols("dinos", [31, 31]))


def test_address_round_trip_and_upper_case() -> None:
    text = encode_address("dinos", ADDRESS)
    assert text.startswith("dinos1")
    assert decode_address("dinos", text) == ADDRESS
    assert decode_address("dinos", f" {text.upper()}\n") == ADDRESS


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        (encode_address("tinos", ADDRESS), "other-network", "testnet"),
        (encode_address("inos", ADDRESS), "other-network", "main network"),
        (encode_address("bc", ADDRESS), "other-network", "'bc'"),
        (encode_address("dinos", ADDRESS)[:-1] + "q", "bad-checksum", "mistyped"),
        (encode_address("dinos", ADDRESS).replace("dinos1q", "dinos1Q"), "not-an-address", "mixed"),
        (bech32m.encode("dinos", bytes(32)), "not-an-address", "32 bytes"),
        ("", "not-an-address", "prefix"),
        ("bob", "not-an-address", "prefix"),
        ("dinos1" + "q" * 5000, "not-an-address", "at most 90"),
    ],
)
def test_address_refusals(text: str, code: str, word: str) -> None:
    with pytest.raises(WalletError, match=word) as caught:
        decode_address("dinos", text)
    assert caught.value.code == code
    assert len(str(caught.value)) < 300
