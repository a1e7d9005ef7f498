"""`inos wallet request`: a pay link for others, and its QR code."""

from typing import Annotated

import typer

from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_WALLET,
    IndexOption,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    QrOption,
    WalletDirOption,
    WalletOption,
)
from inos.cli.common.output import print_json, print_text
from inos.cli.common.qr import draw_qr
from inos.cli.common.wallets import open_wallet, parse_amount
from inos.genesis import load_network
from inos.wallet.links import PayLink, make_pay_link


def request(
    amount: Annotated[
        str | None, typer.Argument(metavar="[AMOUNT]", help="Credits, such as 1.5. Default: the payer chooses.")
    ] = None,
    message: Annotated[
        str, typer.Option("--message", metavar="TEXT", help="Shown to the payer; it does not go on the chain.")
    ] = "",
    qr: QrOption = False,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    json_: JsonOption = False,
) -> None:
    """Make a pay link, which `inos wallet send` takes in place of an address."""
    net = load_network(network)
    nano = None if amount is None else parse_amount(amount, "the amount")
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    link = make_pay_link(net.hrp, PayLink(opened.get_address(), nano, message))
    if json_:
        print_json({"link": link})
    else:
        print_text(link if not qr else f"{link}\n{draw_qr(link)}")
