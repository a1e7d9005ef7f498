"""`inos wallet sign-message`, `verify-message`: text that the owner of an address has signed."""

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
)
from inos.cli.common.output import print_json, print_text
from inos.cli.common.wallets import open_wallet
from inos.genesis import load_network
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.messages import check_message, sign_message

TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="The text, in quotes.")]


def sign_text(
    text: TextArgument,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    json_: JsonOption = False,
) -> None:
    """Sign a text with the key of an address, so that others can check that its owner wrote it.

    It moves nothing: no signature of a text is one of a transaction.
    """
    net = load_network(network)
    key = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file).unlock()
    proof = sign_message(key, text)
    if json_:
        print_json({"address": encode_address(net.hrp, key.address), "text": text, "proof": proof})
    else:
        print_text(proof)


def verify_text(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address that should have signed.")],
    proof: Annotated[str, typer.Argument(metavar="PROOF", help="What `sign-message` printed.")],
    text: TextArgument,
    network: NetworkOption = DEFAULT_NETWORK,
    json_: JsonOption = False,
) -> None:
    """Check that the owner of an address signed a text. No node is asked."""
    net = load_network(network)
    check_message(decode_address(net.hrp, address), text, proof)
    if json_:
        print_json({"address": address, "text": text, "signed": True})
    else:
        print_text(f"the owner of {address} signed this text")
