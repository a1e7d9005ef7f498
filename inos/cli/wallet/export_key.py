"""`inos wallet public-key`, `export-key`: what others need of a key, and the key itself."""

from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_WALLET,
    IndexOption,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.wallets import confirm_or_stop, get_public_key, open_wallet
from inos.genesis import load_network
from inos.wallet.addresses import encode_address
from inos.wallet.store import write_keystore


def public_key(
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    json_: JsonOption = False,
) -> None:
    """Show the public key of an address, which others need for an account of several keys, or to watch yours.

    It is no secret, but who has it needs no further hint to find your transactions.
    """
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    key = get_public_key(opened.open_signer(), wallet)
    if json_:
        print_json({"wallet": wallet, "public_key": key.hex()})
    else:
        print_text(key.hex())


def export_key(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the key to a new file that only you can read."),
    ] = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Show the raw secret key of one address, or write it to a file, as `import-key` and a node's worker.key have it.

    It is enough to spend what the address holds. The recovery phrase, which restores all addresses, is not shown.
    """
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    key = opened.unlock()
    address = encode_address(net.hrp, key.address)
    if output is None:
        confirm_or_stop(f"Show the secret key of {address} on this screen?", yes=yes)
        if json_:
            print_json({"address": address, "key": key.secret.hex()})
        else:
            print_text(key.secret.hex())
        return
    target = output.expanduser()
    if target.exists():
        fail("file-exists", f"there already is a file {output}", "name another one with -o")
    write_keystore(target, key.secret.hex().encode() + b"\n")
    if json_:
        print_json({"address": address, "file": str(output)})
    else:
        print_text(f"the secret key of {address} is in {output}")
