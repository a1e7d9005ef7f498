"""Wallets without a key here: an account that is watched, and who signs for it.

The file NAME.watch.json beside the keystores names the network, the address, and what else is known: the key or the
keys that sign, and the command of a process that holds the key. Nothing in it is secret.
"""

import json
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from inos.primitives.multisig import MAX_KEYS, Multisig, is_sound
from inos.primitives.units import Address
from inos.wallet import store
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.drafts import Owner, find_address
from inos.wallet.errors import WalletError

KIND: Final = "inos-watch"
VERSION: Final = 1
MAX_FILE_BYTES: Final = 16 << 10


class Watched(Struct, frozen=True):
    """An account whose key is not here.

    Args:
        command: starts a process that signs (docs/wallet.md, "Signing devices"); empty for none.
    """

    network: str
    hrp: str
    owner: Owner
    command: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        return find_address(self.owner)


def get_path(directory: Path, name: str) -> Path:
    """Return the path of a watched wallet; "bad-name" as `store.get_path`."""
    return store.get_path(directory, name).with_name(f"{name}{store.WATCH_SUFFIX}")


def find_watched(keystore: Path) -> Watched | None:
    """Return the watched account that has the name of a keystore, if there is no such keystore but the account.

    Raises:
        WalletError: "watch-damaged", "keystore-unreadable".
    """
    path = keystore.with_name(f"{keystore.name.removesuffix(store.SUFFIX)}{store.WATCH_SUFFIX}")
    return decode_watched(store.read_keystore(path)) if path.exists() and not keystore.exists() else None


def list_names(directory: Path) -> list[str]:
    """Return the names of the watched wallets in a directory, sorted."""
    files = directory.glob(f"*{store.WATCH_SUFFIX}") if directory.is_dir() else ()
    found = (path.name.removesuffix(store.WATCH_SUFFIX) for path in files)
    return sorted(name for name in found if store.is_name(name))


def make_multisig(threshold: int, keys: list[bytes]) -> Multisig:
    """Return the owners of an account of several keys, in any order.

    Raises:
        WalletError: "bad-multisig".
    """
    owners = Multisig(threshold, tuple(sorted(keys)))
    if not is_sound(owners):
        raise WalletError(
            "bad-multisig",
            f"{threshold} of {len(keys)} keys, {len(set(keys))} of them different",
            hint=f"give 2 to {MAX_KEYS} different keys, and at most as many that must sign",
        )
    return owners


def encode_watched(watched: Watched) -> bytes:
    """Return the bytes of the file."""
    owner = watched.owner
    document = {
        "kind": KIND,
        "version": VERSION,
        "network": watched.network,
        "hrp": watched.hrp,
        "address": encode_address(watched.hrp, watched.address),
        "key": owner.hex() if isinstance(owner, bytes) and len(owner) == 32 else None,
        "multisig": {"threshold": owner.threshold, "keys": [key.hex() for key in owner.keys]}
        if isinstance(owner, Multisig)
        else None,
        "command": list(watched.command),
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def decode_watched(data: bytes) -> Watched:
    """Return what a file says.

    Raises:
        WalletError: "watch-damaged" if a field is missing or wrong, or if the address is not that of the keys.
    """
    try:
        document = json.loads(data[:MAX_FILE_BYTES].decode())
        if document["kind"] != KIND or document["version"] != VERSION:
            raise _damaged(f"its kind is {document['kind']!r:.30} and its version {document['version']!r:.10}")
        network, hrp, command = document["network"], document["hrp"], document["command"]
        address = decode_address(hrp, document["address"])
        watched = Watched(network, hrp, _read_owner(document, address), tuple(command))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(f"a field is missing or wrong ({error!r:.80})") from error
    if not (isinstance(network, str) and all(isinstance(part, str) for part in watched.command)):
        raise _damaged("its network or its command is no text")
    if watched.address != address:
        raise _damaged("its address is not that of its keys")
    return watched


def _read_owner(document: dict[str, Any], address: Address) -> Owner:
    key, several = document["key"], document["multisig"]
    if key is not None and several is not None:
        raise _damaged("it names one key and several")
    if key is not None:
        return bytes.fromhex(key)
    if several is None:
        return address
    keys = [bytes.fromhex(each) for each in several["keys"]]
    if any(len(each) != 32 for each in keys):
        raise _damaged("a key has not 32 bytes")
    return make_multisig(int(several["threshold"]), keys)


def _damaged(reason: str) -> WalletError:
    return WalletError("watch-damaged", f"the file of this watched account is damaged: {reason}", hint="make it again")
