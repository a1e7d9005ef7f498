"""The keystore's format, what it refuses, and how it is written."""

import json
import os
import stat
from pathlib import Path

import pytest

from inos.wallet import store
from inos.wallet.errors import WalletError
from inos.wallet.keystore import (
    KeystoreInfo,
    ScryptCost,
    Secret,
    decode_keystore,
    encode_keystore,
    read_info,
)

CHEAP = ScryptCost(n=16, r=1, p=1)
INFO = KeystoreInfo(network="devnet", hrp="dinos", address="dinos1xyz")
SECRET = Secret("one two three", "pass phrase")


def _make(password: str = "correct horse") -> bytes:
    return encode_keystore(SECRET, password, INFO, CHEAP)


def _code(data: bytes, password: str = "correct horse") -> str:
    with pytest.raises(WalletError) as caught:
        decode_keystore(data, password)
    return caught.value.code


def test_round_trip_and_what_is_readable_without_password() -> None:
    data = _make()
    assert decode_keystore(data, "correct horse") == SECRET
    assert read_info(data) == INFO
    assert b"one two" not in data
    assert b"pass phrase" not in data
    assert _make() != data  # fresh salt and nonce


def test_default_cost_is_at_least_the_documented_one() -> None:
    cost = ScryptCost()
    assert (cost.n, cost.r, cost.p) == (131072, 8, 1)


def test_wrong_and_empty_passwords() -> None:
    data = _make()
    assert _code(data, "correct horsf") == "wrong-password"
    assert _code(data, "") == "wrong-password"
    with pytest.raises(WalletError, match="empty"):
        encode_keystore(SECRET, "", INFO, CHEAP)


def test_one_password_in_two_unicode_forms_is_one() -> None:
    data = _make("caf\u00e9")
    assert decode_keystore(data, "cafe\u0301") == SECRET


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b'{"header": 1, "ciphertext": 2, "check": 3}',
        b"[" * 30_000,
        b"x" * 70_000,
    ],
)
def test_what_is_no_keystore_is_damaged(data: bytes) -> None:
    assert _code(data) == "keystore-damaged"


def test_a_cut_file_is_damaged() -> None:
    data = _make()
    assert {_code(data[:n]) for n in range(0, len(data), 37)} == {"keystore-damaged"}


def test_a_later_version_is_told_apart() -> None:
    import hashlib

    document = json.loads(_make())
    document["header"]["version"] = 2
    canonical = json.dumps(document["header"], sort_keys=True, separators=(",", ":")).encode()
    document["check"] = hashlib.sha256(canonical + b"\n" + bytes.fromhex(document["ciphertext"])).hexdigest()
    assert _code((json.dumps(document, indent=2) + "\n").encode()) == "keystore-version"


@pytest.mark.parametrize(("field", "value"), [("n", 2**40), ("n", 3), ("n", "16"), ("r", 0), ("p", 99), ("salt", "zz")])
def test_a_crafted_header_is_refused_before_scrypt_runs(field: str, value: object) -> None:
    import hashlib

    document = json.loads(_make())
    document["header"][field] = value
    canonical = json.dumps(document["header"], sort_keys=True, separators=(",", ":")).encode()
    document["check"] = hashlib.sha256(canonical + b"\n" + bytes.fromhex(document["ciphertext"])).hexdigest()
    assert _code((json.dumps(document, indent=2) + "\n").encode()) == "keystore-damaged"


def test_a_crafted_address_does_not_open() -> None:
    """The header is authenticated: if it is changed together with its checksum, the keystore still does not open."""
    import hashlib

    document = json.loads(_make())
    document["header"]["address"] = "dinos1other"
    canonical = json.dumps(document["header"], sort_keys=True, separators=(",", ":")).encode()
    document["check"] = hashlib.sha256(canonical + b"\n" + bytes.fromhex(document["ciphertext"])).hexdigest()
    assert _code((json.dumps(document, indent=2) + "\n").encode()) == "keystore-damaged"


def test_secret_is_not_in_repr() -> None:
    assert "one" not in repr(SECRET)


def test_files_are_for_the_owner_and_not_overwritten(tmp_path: Path) -> None:
    path = store.get_path(tmp_path / "wallets", "default")
    assert store.write_keystore(path, b"first") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(WalletError, match="--force") as caught:
        store.write_keystore(path, b"second")
    assert caught.value.code == "keystore-exists"
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_force_keeps_every_backup(tmp_path: Path) -> None:
    path = store.get_path(tmp_path, "a")
    store.write_keystore(path, b"first")
    first = store.write_keystore(path, b"second", force=True)
    second = store.write_keystore(path, b"third", force=True)
    assert first is not None
    assert second is not None
    assert (first.read_bytes(), second.read_bytes(), path.read_bytes()) == (b"first", b"second", b"third")
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert store.list_names(tmp_path) == ["a"]


def test_unwritable_and_missing_places_are_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(WalletError, match="cannot write"):
        store.write_keystore(blocked / "a.keystore.json", b"x")
    with pytest.raises(WalletError, match="inos wallet create"):
        store.read_keystore(tmp_path / "none.keystore.json")
    assert store.list_names(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 65, "ä"])
def test_names_stay_inside_the_directory(name: str) -> None:
    with pytest.raises(WalletError, match="name"):
        store.get_path(Path(os.sep), name)
