"""The address book: labels are no addresses, and an address is never read as a label."""

import json
from pathlib import Path
from typing import Any

import pytest

from inos.primitives.units import Address
from inos.wallet.addresses import encode_address
from inos.wallet.contacts import FILE, add_contact, find_receiver, read_contacts, remove_contact
from inos.wallet.errors import WalletError

ONE, TWO = (encode_address("dinos", Address(bytes([n]) * 20)) for n in (1, 2))


def test_labels_come_and_go(tmp_path: Path) -> None:
    folder = tmp_path / "wallets"
    add_contact(folder, "dinos", "zoe", ONE)
    add_contact(folder, "dinos", "al", TWO)
    assert list(read_contacts(folder).items()) == [("al", TWO), ("zoe", ONE)]
    assert find_receiver(folder, "dinos", "zoe") == ONE
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    remove_contact(folder, "zoe")
    assert read_contacts(folder) == {"al": TWO}
    with pytest.raises(WalletError) as caught:
        remove_contact(folder, "zoe")
    assert caught.value.code == "unknown-label"


def test_an_address_means_itself_whatever_the_file_says(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({ONE: TWO, "friend": "no address", "other": "inos1qqqq"}))
    assert find_receiver(tmp_path, "dinos", ONE) == ONE
    for label in ("friend", "other"):
        with pytest.raises(WalletError):
            find_receiver(tmp_path, "dinos", label)


@pytest.mark.parametrize("label", ["", "a b", "-x", "x" * 65, ONE, ONE[:-1] + "x", "ä"])
def test_what_cannot_be_a_label(tmp_path: Path, label: str) -> None:
    with pytest.raises(WalletError) as caught:
        add_contact(tmp_path, "dinos", label, ONE)
    assert caught.value.code == "bad-label"
    assert read_contacts(tmp_path) == {}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 5}', '{"a b": "x"}'])
def test_a_damaged_file_is_told_and_kept(tmp_path: Path, content: Any) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(WalletError) as caught:
        add_contact(tmp_path, "dinos", "friend", ONE)
    assert caught.value.code == "contacts-damaged"
    assert (tmp_path / FILE).read_text() == content
