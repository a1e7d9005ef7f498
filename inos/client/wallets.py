"""What signs for a client: a key or a signer that is given, or a wallet on this machine."""

import getpass
import sys
from pathlib import Path

from inos.client.errors import ClientError
from inos.client.signing_process import SigningProcess
from inos.wallet.keys import Key, make_key
from inos.wallet.opening import find_keystore, unlock_keystore
from inos.wallet.signers import ElsewhereSigner, Signer, make_signer
from inos.wallet.store import read_keystore
from inos.wallet.watching import Watched, find_watched


def find_signer(wallet: Key | Signer | str | Path | None, secret: bytes | None, password: str | None) -> Signer | None:
    """Return what signs for a client, or None.

    Args:
        wallet: a key, a signer, the name of a wallet of `inos wallet list`, or the path of a keystore.
        secret: 32 bytes, in place of `wallet`.
        password: the wallet's; asked for at the terminal or in the notebook if it is not given.

    Raises:
        ClientError: "bad-key" if both are given; "no-password" if there is nobody to ask.
        WalletError: "keystore-missing", "wrong-password", and others of the keystore.
    """
    if wallet is not None and secret is not None:
        raise ClientError("bad-key", "give either wallet or secret, not both")
    if secret is not None:
        return make_signer(make_key(secret))
    if wallet is None:
        return None
    if not isinstance(wallet, str | Path):
        return make_signer(wallet)
    path = find_keystore(wallet)
    watched = None if isinstance(wallet, Path) else find_watched(path)
    if watched is not None:
        return open_watched(watched)
    data = read_keystore(path)
    return make_signer(unlock_keystore(path, data, _ask_password(str(wallet)) if password is None else password))


def open_watched(watched: Watched) -> Signer:
    """Return the process that signs for a watched account, or else one that makes drafts for people elsewhere."""
    if watched.command and isinstance(watched.owner, bytes):
        return SigningProcess(watched.command, watched.owner, watched.network)
    return ElsewhereSigner(watched.owner, watched.network)


def _ask_password(wallet: str) -> str:
    if "ipykernel" not in sys.modules and not (sys.stdin is not None and sys.stdin.isatty()):
        raise ClientError(
            "no-password",
            f"wallet {wallet} needs its password, and no terminal is there to ask for it",
            hint='pass password="..."',
        )
    return getpass.getpass(f"Password of wallet {wallet}: ")
