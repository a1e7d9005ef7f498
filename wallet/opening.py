"""Opens a wallet by its name, for commands and for programs: where wallets lie, and the key that a password unlocks."""

import os
from pathlib import Path

from inos.wallet import addresses, keystore, store
from inos.wallet.errors import WalletError
from inos.wallet.keys import Key, derive_key, make_key


def get_default_folder() -> Path:
    """Return the folder of the user's wallets: $XDG_DATA_HOME/inos/wallets, or ~/.local/share/inos/wallets."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "inos" / "wallets"


def find_keystore(wallet: str | Path, folder: Path | None = None) -> Path:
    """Return the keystore file of a wallet that is given by its name, or the path itself if that is given."""
    if isinstance(wallet, Path):
        return wallet.expanduser()
    return store.get_path(get_default_folder() if folder is None else folder.expanduser(), wallet)


def unlock_keystore(path: Path, data: bytes, password: str, index: int = 0) -> Key:
    """Return the key of the address number `index`.

    Args:
        path: the file's name, for messages. data: its bytes.

    Raises:
        WalletError: for the same reasons as `keystore.decode_keystore`; "keystore-damaged", "bad-index".
    """
    secret = keystore.decode_keystore(data, password)
    first = derive_from(secret, 0)
    info = keystore.read_info(data)
    if first.address != addresses.decode_address(info.hrp, info.address):
        raise WalletError("keystore-damaged", f"{path} names an address that is not its key's")
    return first if index == 0 else derive_from(secret, index)


def derive_from(secret: keystore.Secret | keystore.RawKey, index: int) -> Key:
    """Return the key of the address number `index` of what a keystore holds.

    Raises:
        WalletError: "bad-index" if a wallet of one raw key is asked for another address; "bad-key".
    """
    if isinstance(secret, keystore.Secret):
        return derive_key(secret.phrase, passphrase=secret.passphrase, index=index)
    if index:
        raise WalletError(
            "bad-index",
            f"the wallet holds one imported key, so it has no address number {index}",
            hint="leave --index away, or choose a wallet that was made from a phrase",
        )
    try:
        return make_key(secret.secret)
    except ValueError as error:
        raise WalletError("bad-key", "this is no valid key: 0, not below the curve's order, or not 32 bytes") from error


def load_key(wallet: str | Path, password: str, *, folder: Path | None = None, index: int = 0) -> Key:
    """Return the key of a wallet on this machine.

    Args:
        wallet: its name, as `inos wallet create --wallet` takes it, or the path of its keystore.
        folder: where wallets lie; the user's own by default.

    Raises:
        WalletError: "keystore-missing", "wrong-password", and others of the keystore.
    """
    path = find_keystore(wallet, folder)
    return unlock_keystore(path, store.read_keystore(path), password, index)
