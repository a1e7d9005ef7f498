"""Files of accounts whose keys are elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from inos.primitives.multisig import Multisig
from inos.wallet import store, watching
from inos.wallet.errors import WalletError
from inos.wallet.keys import make_key
from inos.wallet.watching import Watched, decode_watched, encode_watched, find_watched, get_path, make_multisig

KEYS = sorted(make_key(bytes([n]) * 32).public for n in (1, 2, 3))
ADDRESS = bytes(make_key(b"\x01" * 32).address)
KINDS = (ADDRESS, bytes(KEYS[0]), Multisig(2, tuple(KEYS)))


@pytest.mark.parametrize("owner", KINDS)
def test_files_say_who_owns_the_account(owner: Any) -> None:
    watched = Watched("devnet", "dinos", owner, ("signer", "--flag"))
    assert decode_watched(encode_watched(watched)) == watched


@pytest.mark.parametrize("owner", KINDS)
@pytest.mark.parametrize("field", ["kind", "version", "network", "hrp", "address", "key", "multisig", "command"])
def test_files_that_lack_a_field_or_have_another_kind_are_refused(owner: Any, field: str) -> None:
    document = json.loads(encode_watched(Watched("devnet", "dinos", owner)))
    changed = [{name: value for name, value in document.items() if name != field}, document | {field: 5}]
    for each in changed:
        with pytest.raises(WalletError):
            decode_watched(json.dumps(each).encode())


def test_an_address_of_other_keys_is_refused() -> None:
    """Otherwise a changed file would show one account and make drafts of another."""
    document = json.loads(encode_watched(Watched("devnet", "dinos", KINDS[2])))
    other = json.loads(encode_watched(Watched("devnet", "dinos", ADDRESS)))["address"]
    with pytest.raises(WalletError, match="not that of its keys"):
        decode_watched(json.dumps(document | {"address": other}).encode())


@pytest.mark.parametrize("keys", [[KEYS[0]], [KEYS[0], KEYS[0]], [], [bytes([n]) * 32 for n in range(17)]])
def test_keys_that_make_no_account(keys: list[bytes]) -> None:
    with pytest.raises(WalletError) as caught:
        make_multisig(1, keys)
    assert caught.value.code == "bad-multisig"


def test_more_signers_than_keys_make_no_account() -> None:
    with pytest.raises(WalletError):
        make_multisig(3, [*KEYS[:2]])
    assert make_multisig(2, KEYS[::-1]) == KINDS[2]


def test_a_name_belongs_to_one_wallet(tmp_path: Path) -> None:
    keystore, watched = store.get_path(tmp_path, "one"), get_path(tmp_path, "one")
    data = encode_watched(Watched("devnet", "dinos", ADDRESS))
    store.write_keystore(watched, data)
    assert find_watched(keystore) == decode_watched(data)
    assert watching.list_names(tmp_path) == ["one"]
    for path in (keystore, watched):
        with pytest.raises(WalletError) as caught:
            store.write_keystore(path, b"other", force=path == keystore)
        assert caught.value.code == "keystore-exists"
    assert watched.read_bytes() == data
    store.write_keystore(store.get_path(tmp_path, "two"), b"keystore")
    assert find_watched(store.get_path(tmp_path, "two")) is None
    with pytest.raises(WalletError):
        store.write_keystore(get_path(tmp_path, "two"), data)
