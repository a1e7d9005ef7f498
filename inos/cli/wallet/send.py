"""`inos wallet send`, `sign`, `broadcast`: payments, online or signed offline and sent later."""

import json
from pathlib import Path
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
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.transactions import (
    Payment,
    describe_transaction,
    print_transaction,
    read_transaction,
    send_payload,
    send_signed,
    wait_included,
)
from inos.cli.common.wallets import get_account, open_wallet, parse_amount, require_same_network
from inos.genesis import Network, load_network
from inos.primitives.transactions import Transfer
from inos.primitives.units import Address, format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address


def send(
    to: Annotated[str, typer.Argument(metavar="TO", help="The receiver's address.")],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="The amount in credits, such as 1.5.")],
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    yes: YesOption = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until a block has the transaction, ten minutes at most.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Send credits. Everything is checked before the password is asked for and before anything is signed."""
    net = load_network(network)
    payload = build.make_transfer(net.hrp, to, parse_amount(amount, "the amount"))
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    require_same_network(rpc, net)
    burned = find_account_fee(net, rpc, payload)
    question = f"Send {format_credits(payload.amount)} credits to {to}?{describe_account_fee(payload, burned)}"
    tx = send_payload(payload, question, Payment(opened, rpc, fee, yes))
    height = wait_included(rpc, tx) if wait else None
    if json_:
        mined = {} if height is None else {"height": height}
        print_json(describe_transaction(net, tx) | {"account_fee": str(burned)} | mined)
        return
    print_transaction(net, tx, as_json=False, height=height)
    if burned:
        arriving = format_credits(payload.amount - burned)
        print_text(f"{to} gets {arriving}; {format_credits(burned)} are burned for its account")


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


def sign(
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="The receiver's address.")],
    amount: Annotated[str, typer.Option("--amount", metavar="CREDITS", help="The amount in credits, such as 1.5.")],
    nonce: Annotated[
        int,
        typer.Option("--nonce", min=0, metavar="N", help="The account's next nonce, as `balance --json` shows it."),
    ],
    fee: Annotated[str, typer.Option("--fee", metavar="CREDITS", help="The fee in credits.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write the transaction to.")
    ] = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    json_: JsonOption = False,
) -> None:
    """Sign a transfer offline, to be sent later with `broadcast`. No node is asked, so the balance is not checked."""
    net = load_network(network)
    payload = build.make_transfer(net.hrp, to, parse_amount(amount, "the amount"))
    paid = parse_amount(fee, "the fee")
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    tx = build.sign_payload(opened.unlock(), net.params.chain_id, nonce, paid, payload)
    document = describe_transaction(net, tx)
    if output is not None:
        try:
            output.expanduser().write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        except OSError as error:
            fail("file-unwritable", f"cannot write {output}: {error.strerror}")
    if json_:
        print_json(document)
    elif output is not None:
        print_text(f"{document['id']}\nsigned and written to {output}; send it with: inos wallet broadcast {output}")
    else:
        print_text(f"id  {document['id']}\nhex {document['hex']}")


def broadcast(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `sign` wrote, or the transaction's hex.")],
    network: NetworkOption = DEFAULT_NETWORK,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Send a transaction that was signed before."""
    net = load_network(network)
    tx = read_transaction(file)
    if tx.chain_id != net.params.chain_id:
        fail(
            "other-network",
            f"{file} was signed for chain {tx.chain_id}, {net.name} is chain {net.params.chain_id}",
            "give the network it was signed for with --network",
        )
    require_same_network(rpc, net)
    send_signed(rpc, tx)
    print_transaction(net, tx, as_json=json_)
