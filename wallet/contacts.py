"""The address book: labels for addresses, in a file beside the wallets. None of it is secret."""

import json
from pathlib import Path
from typing import Final

from inos.wallet import store
from inos.wallet.addresses import decode_address
from inos.wallet.errors import WalletError

FILE: Final = "contacts.json"
MAX_BYTES: Final = 1 << 20
MAX_CONTACTS: Final = 4096


def read_contacts(directory: Path) -> dict[str, str]:
    """Return addresses by label; none if there is no address book.

    Raises:
        WalletError: "contacts-damaged".
    """
    path = directory / FILE
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(found, dict) or not all(store.is_name(k) and isinstance(v, str) for k, v in found.items()):
        raise _damaged(path)
    return dict(sorted(found.items()))


def add_contact(directory: Path, hrp: str, label: str, address: str) -> None:
    """Remember an address by a label.

    Raises:
        WalletError: "bad-label" if the label cannot be one, or is taken; "not-an-address" and others of addresses;
            "contacts-full", "contacts-damaged", "keystore-unwritable".
    """
    if not store.is_name(label) or _is_address(hrp, label):
        raise WalletError(
            "bad-label", f"{label[:80]!r} cannot be a label", hint="use up to 64 letters, digits, - and _"
        )
    decode_address(hrp, address)
    known = read_contacts(directory)
    if label in known:
        raise WalletError(
            "bad-label",
            f"{label} is {known[label]} already",
            hint=f"remove it first (inos wallet contacts remove {label}), or choose another label",
        )
    if len(known) >= MAX_CONTACTS:
        raise WalletError("contacts-full", f"the address book has {MAX_CONTACTS} labels", hint="remove some first")
    _write(directory, known | {label: address.strip()})


def remove_contact(directory: Path, label: str) -> None:
    """Forget a label.

    Raises:
        WalletError: "unknown-label"; "contacts-damaged", "keystore-unwritable".
    """
    known = read_contacts(directory)
    if label not in known:
        raise WalletError(
            "unknown-label", f"there is no label {label[:80]!r}", hint="inos wallet contacts list shows them"
        )
    _write(directory, {each: address for each, address in known.items() if each != label})


def find_receiver(directory: Path, hrp: str, text: str) -> str:
    """Return the address that is meant by an address or a label.

    An address is never read as a label, so nobody can put another one in its place.

    Raises:
        WalletError: as `addresses.decode_address`.
    """
    if not store.is_name(text) or _is_address(hrp, text):
        return text
    address = read_contacts(directory).get(text)
    if address is None:
        hint = f"addresses here look like {hrp}1...; inos wallet contacts list shows the labels"
        raise WalletError("not-an-address", f"{text!r} is neither an address nor a label", hint=hint)
    decode_address(hrp, address)
    return address


def _is_address(hrp: str, text: str) -> bool:
    try:
        decode_address(hrp, text)
    except WalletError as error:
        return error.code != "not-an-address"
    return True


def _write(directory: Path, contacts: dict[str, str]) -> None:
    store.write_text(directory / FILE, json.dumps(dict(sorted(contacts.items())), indent=1) + "\n")


def _damaged(path: Path) -> WalletError:
    return WalletError(
        "contacts-damaged",
        f"the address book {path} is no JSON object of labels and addresses",
        hint="mend the file, or move it away to begin another",
    )
