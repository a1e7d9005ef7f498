"""`inos wallet contacts`: labels for addresses, which commands take in place of an address."""

from typing import Annotated

import typer

from inos.cli.common.options import DEFAULT_NETWORK, JsonOption, NetworkOption, WalletDirOption
from inos.cli.common.output import print_json, print_text
from inos.cli.common.wallets import get_wallet_dir
from inos.genesis import load_network
from inos.wallet.contacts import add_contact, read_contacts, remove_contact

app = typer.Typer(no_args_is_help=True, add_completion=False)
LabelArgument = Annotated[str, typer.Argument(metavar="LABEL", help="Up to 64 letters, digits, - and _.")]


@app.callback()
def _contacts() -> None:
    """Give addresses labels, which `send` takes in place of them."""


@app.command()
def add(
    label: LabelArgument,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address.")],
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    json_: JsonOption = False,
) -> None:
    """Remember an address by a label."""
    add_contact(get_wallet_dir(wallet_dir), load_network(network).hrp, label, address)
    if json_:
        print_json({"label": label, "address": address})
    else:
        print_text(f"{label} is {address}")


@app.command("list")
def list_contacts(wallet_dir: WalletDirOption = None, json_: JsonOption = False) -> None:
    """List all labels with their addresses."""
    known = read_contacts(get_wallet_dir(wallet_dir))
    if json_:
        print_json([{"label": label, "address": address} for label, address in known.items()])
    elif not known:
        print_text("no labels yet; add one with: inos wallet contacts add LABEL ADDRESS")
    else:
        for label, address in known.items():
            print_text(f"{label:<20} {address}")


@app.command()
def remove(label: LabelArgument, wallet_dir: WalletDirOption = None, json_: JsonOption = False) -> None:
    """Forget a label."""
    remove_contact(get_wallet_dir(wallet_dir), label)
    if json_:
        print_json({"label": label})
    else:
        print_text(f"{label} is forgotten")
