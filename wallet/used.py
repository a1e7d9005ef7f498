"""The addresses of a wallet that were shown or found used, in a file beside the keystore; none of it is secret.

A keystore names its first address only, and any other takes the password. With this file balances cover them all.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inos.wallet import store
from inos.wallet.addresses import decode_address
from inos.wallet.errors import WalletError
from inos.wallet.keys import MAX_INDEX

GAP: Final = 20
"""A search ends after so many addresses in a row that nobody used."""
MAX_SEARCHED: Final = 1000
"""A node that calls every address used is not followed further."""
MAX_BYTES: Final = 1 << 20


def get_used_path(keystore: Path) -> Path:
    """Return the file that belongs to a keystore."""
    return keystore.with_name(f"{keystore.name.removesuffix(store.SUFFIX)}.addresses.json")


def read_used(keystore: Path, hrp: str) -> dict[int, str]:
    """Return addresses by their number, from 1 on; what is no address of this network is left out."""
    try:
        with get_used_path(keystore).open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {int(number): text for number, text in sorted(found.items()) if _is_entry(number, text, hrp)}


def add_used(keystore: Path, hrp: str, addresses: dict[int, str]) -> None:
    """Remember more addresses.

    Raises:
        WalletError: "keystore-unwritable".
    """
    known = read_used(keystore, hrp)
    more = {number: text for number, text in addresses.items() if number > 0}
    if not more.items() - known.items():
        return
    text = json.dumps({str(number): address for number, address in sorted((known | more).items())}, indent=1)
    store.write_text(get_used_path(keystore), text + "\n")


def find_used(
    get_address: Callable[[int], str], is_used: Callable[[str], bool], last: int = MAX_SEARCHED
) -> dict[int, str]:
    """Return the used addresses among those up to number `last`, up to the first `GAP` in a row that are not."""
    found: dict[int, str] = {}
    number = 0
    while number <= min(max(found, default=-1) + GAP, last):
        address = get_address(number)
        if is_used(address):
            found[number] = address
        number += 1
    return found


def _is_entry(number: str, text: object, hrp: str) -> bool:
    if not (number.isascii() and number.isdecimal() and len(number) < 11 and 0 < int(number) <= MAX_INDEX):
        return False
    try:
        return isinstance(text, str) and bool(decode_address(hrp, text))
    except WalletError:
        return False
