"""BIP-32, BIP-39 and BIP-340 against published vectors; tests/vectors/outside/README.md names their sources."""

import csv
import json
from pathlib import Path
from typing import Any, Final

import pytest
from coincurve import PrivateKey

from inos.primitives.signatures import compute_public_key, is_signature_valid, sign
from inos.wallet.bip32 import derive_secret
from inos.wallet.errors import WalletError
from inos.wallet.phrase import check_phrase, compute_seed, make_phrase

FOLDER: Final = Path(__file__).parents[2] / "vectors" / "outside"
BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BIP32: Final = [
    (seed, path, key)
    for seed, keys in json.loads((FOLDER / "bip32.json").read_text()).items()
    for path, key in keys.items()
]
BIP39: Final = json.loads((FOLDER / "bip39.json").read_text())
with (FOLDER / "bip340.csv").open(newline="") as lines:
    BIP340: Final = list(csv.DictReader(lines))


def read_secret(extended: str) -> str:
    """Return the secret of an extended private key, which is 78 bytes and a checksum in base 58."""
    number = 0
    for letter in extended:
        number = number * 58 + BASE58.index(letter)
    return number.to_bytes(82, "big")[46:78].hex()


def test_there_are_as_many_as_were_published() -> None:
    assert (len(BIP32), len(BIP39), len(BIP340)) == (12, 24, 5)


@pytest.mark.parametrize(("seed", "path", "key"), BIP32)
def test_bip32(seed: str, path: str, key: str) -> None:
    assert derive_secret(bytes.fromhex(seed), path).hex() == read_secret(key)


@pytest.mark.parametrize("vector", BIP39, ids=lambda vector: vector["entropy"])
def test_bip39(vector: dict[str, Any]) -> None:
    """Wallets have phrases of 12 and 24 words; those of 18 are refused."""
    phrase = vector["phrase"]
    assert derive_secret(bytes.fromhex(vector["seed"]), "m").hex() == read_secret(vector["xprv"])
    if len(phrase.split()) == 18:
        with pytest.raises(WalletError, match="12 or 24 words"):
            compute_seed(phrase, "TREZOR")
    else:
        assert compute_seed(phrase, "TREZOR").hex() == vector["seed"]
        assert make_phrase(len(phrase.split()), bytes.fromhex(vector["entropy"])) == phrase
        assert check_phrase(phrase) == phrase


@pytest.mark.parametrize(
    "key",
    [  # the keys of BIP-340's rows 5 and 14: not on the curve, and above the field's size
        "EEFDEA4CDB677750A420FEE807EACF21EB9898AE79B9768766E4FAA04A2D4A34",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC30",
    ],
)
def test_bip340_keys_that_are_none(key: str) -> None:
    vector = BIP340[1]
    message, signature = bytes.fromhex(vector["message"]), bytes.fromhex(vector["signature"])
    assert not is_signature_valid(bytes.fromhex(key), message, signature)  # type: ignore[arg-type]


@pytest.mark.parametrize("vector", BIP340, ids=lambda vector: vector["index"])
def test_bip340(vector: dict[str, str]) -> None:
    public, message, signature = (bytes.fromhex(vector[name]) for name in ("public key", "message", "signature"))
    assert is_signature_valid(public, message, signature) == (vector["verification result"] == "TRUE")  # type: ignore[arg-type]
    if vector["secret key"]:
        secret = bytes.fromhex(vector["secret key"])
        assert compute_public_key(secret) == public
        assert PrivateKey(secret).sign_schnorr(message, bytes.fromhex(vector["aux_rand"])) == signature
        assert is_signature_valid(compute_public_key(secret), message, sign(secret, message))
