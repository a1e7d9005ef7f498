"""The key that a client signs with: given as it is, or unlocked from a wallet on this machine."""

import getpass
import sys
from pathlib import Path

from inos.client.errors import ClientError
from inos.wallet.keys import Key, make_key
from inos.wallet.opening import find_keystore, unlock_keystore
from inos.wallet.store import read_keystore


def find_key(wallet: Key | str | Path | None, secret: bytes | None, password: str | None) -> Key | None:
    """Return the key that a client was given, or None.

    Args:
        wallet: a key, the name of a wallet of `inos wallet list`, or the path of a keystore.
        secret: 32 bytes, in place of `wallet`.
        password: the wallet's; asked for at the terminal or in the notebook if it is not given.

    Raises:
        ClientError: "bad-key" if both are given; "no-password" if there is nobody to ask.
        WalletError: "keystore-missing", "wrong-password", and others of the keystore.
    """
    if wallet is not None and secret is not None:
        raise ClientError("bad-key", "give either wallet or secret, not both")
    if secret is not None:
        return make_key(secret)
    if wallet is None or isinstance(wallet, Key):
        return wallet
    path = find_keystore(wallet)
    data = read_keystore(path)
    return unlock_keystore(path, data, _ask_password(str(wallet)) if password is None else password)


def _ask_password(wallet: str) -> str:
    if "ipykernel" not in sys.modules and not (sys.stdin is not None and sys.stdin.isatty()):
        raise ClientError(
            "no-password",
            f"wallet {wallet} needs its password, and no terminal is there to ask for it",
            hint='pass password="..."',
        )
    return getpass.getpass(f"Password of wallet {wallet}: ")
