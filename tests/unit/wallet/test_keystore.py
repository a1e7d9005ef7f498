"""The keystore's format, what it refuses, and how it is written."""

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inos.primitives.units import Address
from inos.wallet import store
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError
from inos.wallet.keystore import (
    KeystoreInfo,
    RawKey,
    ScryptCost,
    Secret,
    decode_keystore,
    encode_keystore,
    read_info,
)

CHEAP = ScryptCost(n=16, r=1, p=1)
INFO = KeystoreInfo(network="devnet", hrp="dinos", address=encode_address("dinos", Address(bytes(20))))
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


def test_a_raw_key_comes_back_and_is_not_shown() -> None:
    key = RawKey(bytes(range(32)))
    data = encode_keystore(key, "correct horse", INFO, CHEAP)
    assert decode_keystore(data, "correct horse") == key
    assert key.secret.hex() not in repr(key) + data.decode()


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


REWRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "no last newline": lambda data: data.rstrip(b"\n"),
    "another order of keys": lambda data: json.dumps(json.loads(data), sort_keys=True, indent=4).encode(),
    "one line": lambda data: json.dumps(json.loads(data), separators=(",", ":")).encode(),
    "capitals": lambda data: json.dumps(change(json.loads(data), "ciphertext", str.upper)).encode(),
    "all of that": lambda data: b"\xef\xbb\xbf\r\n" + json.dumps(json.loads(data), sort_keys=True).encode() + b"\r\n",
}


def change(document: dict[str, Any], name: str, how: Callable[[str], str]) -> dict[str, Any]:
    return document | {name: how(document[name])}


@pytest.mark.parametrize("how", REWRITTEN)
def test_a_file_that_an_editor_wrote_anew_is_read(how: str) -> None:
    data = _make()
    rewritten = REWRITTEN[how](data)
    assert rewritten != data
    assert read_info(rewritten) == INFO
    assert decode_keystore(rewritten, "correct horse") == SECRET
    assert _code(rewritten, "another") == "wrong-password"


def craft(**fields: object) -> bytes:
    """Return a keystore with a changed header and the check value of that."""
    document = json.loads(_make())
    document["header"] |= fields
    canonical = json.dumps(document["header"], sort_keys=True, separators=(",", ":")).encode()
    document["check"] = hashlib.sha256(canonical + b"\n" + bytes.fromhex(document["ciphertext"])).hexdigest()
    return (json.dumps(document, indent=2) + "\n").encode()


def test_a_later_version_is_told_apart() -> None:
    assert _code(craft(version=2)) == "keystore-version"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2**40},
        {"n": 3},
        {"n": 10**4000},
        {"n": "16"},
        {"r": 0},
        {"p": 2**19},
        {"salt": "zz"},
        {"n": 2**17, "r": 8, "p": 8},
        {"n": 2**20, "r": 8},
        {"n": 2, "r": 1, "p": 2**30 - 1},
        {"address": "dinos1other"},
        {"address": "\x1b]0;owned\x07dinos1other"},
        {"network": "\x1b[2Jdevnet"},
        {"network": "\u202edevnet"},
        {"hrp": "tinos"},
    ],
)
def test_a_crafted_header_is_refused_before_scrypt_runs(fields: dict[str, Any]) -> None:
    began = time.process_time()
    assert _code(craft(**fields)) == "keystore-damaged"
    with pytest.raises(WalletError) as caught:
        read_info(craft(**fields))
    assert caught.value.message.isprintable()
    assert time.process_time() - began < 1


def test_a_crafted_address_does_not_open() -> None:
    """The header is authenticated: if it is changed together with its checksum, the keystore still does not open."""
    other = encode_address("dinos", Address(b"\1" * 20))
    assert _code(craft(address=other)) == "keystore-damaged"


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
