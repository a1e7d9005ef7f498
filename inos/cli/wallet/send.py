"""`inos wallet send`: a payment to one address."""

from typing import Annotated

import typer

from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    FeeOption,
    IndexOption,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    RpcOption,
    UnsignedOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.transactions import (
    Payment,
    describe_transaction,
    print_transaction,
    send_payload,
    wait_included,
)
from inos.cli.common.wallets import get_account, get_wallet_dir, open_wallet, parse_amount, require_same_network
from inos.genesis import Network, load_network
from inos.primitives.transactions import Transfer
from inos.primitives.units import Address, Nano, format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.contacts import find_receiver
from inos.wallet.links import PayLink, is_pay_link, read_pay_link


def send(
    to: Annotated[str, typer.Argument(metavar="TO", help="The receiver's address, its label, or a pay link.")],
    amount: Annotated[
        str | None,
        typer.Argument(metavar="[AMOUNT]", help="The amount in credits, such as 1.5; a pay link may name it."),
    ] = None,
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    unsigned: UnsignedOption = None,
    yes: YesOption = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until a block has the transaction, ten minutes at most.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Send credits. Everything is checked before the password is asked for and before anything is signed."""
    net = load_network(network)
    link = read_pay_link(net.hrp, to) if is_pay_link(to) else None
    if link is not None:
        to = encode_address(net.hrp, link.address)
    payload = build.make_transfer(
        net.hrp, find_receiver(get_wallet_dir(wallet_dir), net.hrp, to), choose_amount(amount, link)
    )
    to = encode_address(net.hrp, Address(payload.to))
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    require_same_network(rpc, net)
    burned = find_account_fee(net, rpc, payload)
    said = f' "{link.message}"' if link is not None and link.message else ""
    question = f"Send {format_credits(payload.amount)} credits to {to}{said}?{describe_account_fee(payload, burned)}"
    tx = send_payload(payload, question, Payment(opened, rpc, fee, yes, json_))
    height = wait_included(rpc, tx) if wait else None
    if json_:
        mined = {} if height is None else {"height": height}
        print_json(describe_transaction(net, tx) | {"account_fee": str(burned)} | mined)
        return
    print_transaction(net, tx, as_json=False, height=height)
    if burned:
        arriving = format_credits(payload.amount - burned)
        print_text(f"{to} gets {arriving}; {format_credits(burned)} are burned for its account")


def choose_amount(given: str | None, link: PayLink | None) -> Nano:
    """Return the amount of the command line or of the pay link.

    Raises:
        CommandError: "bad-amount" if there is none, or if they differ.
    """
    asked = None if link is None else link.amount
    if given is None:
        if asked is None:
            fail("bad-amount", "no amount was given", "write it after the receiver: inos wallet send TO AMOUNT")
        return asked
    amount = parse_amount(given, "the amount")
    if asked is not None and asked != amount:
        fail(
            "bad-amount",
            f"the link asks for {format_credits(asked)} credits, not {format_credits(amount)}",
            "leave the amount away to pay what the link asks for",
        )
    return amount


def find_account_fee(network: Network, rpc: str, payload: Transfer) -> int:
    """Return nano of the amount that are burned because the receiver's address has no record yet.

    Raises:
        CommandError: "amount-too-small" if nothing would be left.
    """
    receiver = get_account(rpc, encode_address(network.hrp, Address(payload.to)))
    if any(int(receiver.get(name) or 0) for name in ("nonce", "balance", "bonded")):
        return 0
    fee = network.params.account_fee
    if payload.amount <= fee:
        fail(
            "amount-too-small",
            f"the address is new, and {format_credits(fee)} credits of its first amount are burned for its account",
            f"send more than {format_credits(fee)} credits",
        )
    return fee


def describe_account_fee(payload: Transfer, burned: int) -> str:
    """Return what is added to the question if the transfer makes a new account; otherwise nothing."""
    if not burned:
        return ""
    return (
        f" The address is new: {format_credits(burned)} credits of that are burned for its account, "
        f"and {format_credits(payload.amount - burned)} arrive."
    )
