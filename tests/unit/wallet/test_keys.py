"""BIP-39, BIP-32 and BIP-340 against their published vectors."""

import pytest
from coincurve import PrivateKey

from inos.primitives.signatures import compute_public_key, is_signature_valid, sign
from inos.wallet.bip32 import derive_secret, parse_path
from inos.wallet.errors import WalletError
from inos.wallet.keys import derive_key, derive_key_from_seed, format_path, make_key
from inos.wallet.phrase import check_phrase, compute_seed, make_phrase

# the vectors that BIP-39 names (passphrase "TREZOR"): entropy, phrase, seed
BIP39 = [
    (
        "00000000000000000000000000000000",
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
        "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141"
        "630c7a3c4ab7c81b2f001698e7463b04",
    ),
    (
        "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe1296106559a3c80937a1c1069b"
        "e3a3a5bd381ee6260e8d9739fce1f607",
    ),
    (
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
        "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407be899ffd31ed3992"
        "c456cdf60f5d4564b8ba3f05a69890ad",
    ),
]
DEV_PHRASE = "test test test test test test test test test test test junk"


@pytest.mark.parametrize(("entropy", "phrase", "seed"), BIP39)
def test_bip39_vectors(entropy: str, phrase: str, seed: str) -> None:
    assert make_phrase(len(phrase.split()), bytes.fromhex(entropy)) == phrase
    assert compute_seed(phrase, "TREZOR").hex() == seed


@pytest.mark.parametrize(
    ("path", "secret"),
    [  # BIP-32, test vector 1, as the private keys inside its xprv strings
        ("m", "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"),
        ("m/0'", "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"),
        ("m/0'/1", "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"),
    ],
)
def test_bip32_vector_1(path: str, secret: str) -> None:
    assert derive_key_from_seed(bytes.fromhex("000102030405060708090a0b0c0d0e0f"), path).secret.hex() == secret


def test_bip340_public_key_vectors() -> None:
    assert compute_public_key((3).to_bytes(32, "big")).hex().upper() == (
        "F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9"
    )
    secret = bytes.fromhex("B7E151628AED2A6ABF7158809CF4F3C762E7160F38B4DA56A784D9045190CFEF")
    assert compute_public_key(secret).hex().upper() == (
        "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659"
    )


@pytest.mark.parametrize("index", range(8))
def test_keys_of_odd_and_even_points_sign(index: int) -> None:
    key = derive_key(DEV_PHRASE, index=index)
    full = PrivateKey(key.secret).public_key.format(compressed=True)
    assert full[1:] == key.public
    assert is_signature_valid(key.public, b"\x01" * 32, sign(key.secret, b"\x01" * 32))


def test_both_parities_occur_above() -> None:
    parities = {PrivateKey(derive_key(DEV_PHRASE, index=i).secret).public_key.format()[0] for i in range(8)}
    assert parities == {2, 3}


def test_path_is_the_documented_one() -> None:
    assert format_path(index=7) == "m/86'/1'/0'/0/7"
    assert derive_key(DEV_PHRASE, index=7) == derive_key_from_seed(compute_seed(DEV_PHRASE), "m/86'/1'/0'/0/7")
    with pytest.raises(WalletError, match="2147483647"):
        format_path(index=2**31)


def test_passphrase_and_index_give_other_keys() -> None:
    addresses = {derive_key(DEV_PHRASE).address, derive_key(DEV_PHRASE, passphrase="x").address}
    assert len(addresses | {derive_key(DEV_PHRASE, index=1).address, derive_key(DEV_PHRASE, account=1).address}) == 4


def test_secret_is_not_in_repr() -> None:
    key = make_key(b"\x07" * 32)
    assert key.secret.hex() not in repr(key)
    assert "\\x07" not in repr(key)


def test_phrase_is_normalised() -> None:
    assert check_phrase("  Test test TEST test test test test test test test\ntest  junk ") == DEV_PHRASE


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("test test junk", "12 or 24 words, this has 3"),
        (DEV_PHRASE.replace("junk", "junkk"), "word 12, 'junkk'.*junk"),
        (DEV_PHRASE.replace("junk", "test"), "checksum"),
        ("", "this has 0"),
        (" ".join(["test"] * 15), "this has 15"),
    ],
)
def test_wrong_phrases_say_what_is_wrong(text: str, word: str) -> None:
    with pytest.raises(WalletError, match=word) as caught:
        check_phrase(text)
    assert caught.value.code == "bad-phrase"


def test_fresh_phrases_differ() -> None:
    assert make_phrase(12) != make_phrase(12)
    assert len(make_phrase(24).split()) == 24
    with pytest.raises(WalletError, match="not 15"):
        make_phrase(15)


@pytest.mark.parametrize("path", ["", "86'/0", "m/", "m/-1", "m/x", "m/2147483648", "m/1''", "m/\u0663", "m/1/"])
def test_wrong_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(path)


def test_path_numbers() -> None:
    assert parse_path("m") == ()
    assert parse_path("m/0h/1/2147483647'") == (2**31, 1, 2**32 - 1)


@pytest.mark.parametrize("size", [0, 15, 65])
def test_seeds_of_a_wrong_size_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        derive_secret(bytes(size), "m/0")
