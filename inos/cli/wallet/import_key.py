"""`inos wallet import-key`: a wallet of one raw secret key, such as the worker.key of a node."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from inos.cli.common import wallets
from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_WALLET,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    WalletDirOption,
    WalletOption,
)
from inos.cli.common.output import print_json, print_text
from inos.cli.wallet.keys import ForceOption, store_wallet
from inos.genesis import load_network
from inos.primitives.secret_files import MAX_SECRET_BYTES
from inos.wallet import store
from inos.wallet.errors import WalletError
from inos.wallet.keystore import RawKey
from inos.wallet.opening import derive_from

KEY_BYTES: Final = 32
STDIN: Final = Path("-")


def import_key(
    wallet: WalletOption = DEFAULT_WALLET,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE|-",
            help="Read the key from a file, or from standard input with -. Default: ask for it.",
        ),
    ] = None,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    force: ForceOption = False,
    json_: JsonOption = False,
) -> None:
    """Make a wallet from a raw secret key of 64 hex digits, such as the worker.key of a node.

    The wallet has that key's address only, and no recovery phrase: keep a copy of the key.
    """
    net = load_network(network)
    path = store.get_path(wallets.get_wallet_dir(wallet_dir), wallet)
    store.check_free(path, force=force)
    secret = RawKey(parse_key(_read_key(key_file)))
    derive_from(secret, 0)
    shown = store_wallet(net, path, secret, password_file, force=force)
    if json_:
        print_json(shown)
        return
    print_text(f"wallet  {path}\naddress {shown['address']}")
    print_text("It has no recovery phrase: keep a copy of the key, or of this file and its password, off this machine.")


def parse_key(text: str) -> bytes:
    """Return the secret key that is written as 64 hex digits, with 0x before them or not.

    Raises:
        WalletError: "bad-key"; its message repeats nothing of the text.
    """
    digits = text.strip().removeprefix("0x")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        raise WalletError("bad-key", "this is no secret key: 64 hex digits were expected") from None
    if len(secret) != KEY_BYTES or len(digits) != 2 * KEY_BYTES:
        raise WalletError("bad-key", f"no secret key: 64 hex digits were expected, not {len(digits)} characters")
    return secret


def _read_key(file: Path | None) -> str:
    if file is None:
        return str(typer.prompt("Secret key", hide_input=True, err=True))
    if file == STDIN:
        return sys.stdin.read(MAX_SECRET_BYTES).removeprefix("\ufeff")
    return wallets.read_secret_file(file, "secret key", are_blanks_meant=False)
