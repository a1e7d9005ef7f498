"""`inos wallet send-many`: one transaction that pays up to 256 addresses."""

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
    UnsignedOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_progress
from inos.cli.common.transactions import (
    Payment,
    describe_transaction,
    print_transaction,
    send_payload,
    wait_included,
)
from inos.cli.common.wallets import open_wallet, require_same_network
from inos.cli.wallet.payments_file import read_payments
from inos.genesis import Network, load_network
from inos.primitives.units import Nano, format_credits
from inos.wallet import build


def send_many(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="One address and one amount in credits a line: ADDRESS,1.5")
    ],
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
    """Pay up to 256 addresses with one transaction. The whole file is checked, and the price shown, before anything
    is signed."""
    net = load_network(network)
    payments = read_payments(file, net)
    payload = build.make_transfer_many(net.params, net.hrp, payments)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    require_same_network(rpc, net)
    new = find_new_accounts(net, rpc, payments)
    burned = len(new) * net.params.account_fee
    question = describe_payments(payments, len(new), burned)
    tx = send_payload(payload, question, Payment(opened, rpc, fee, yes, json_))
    height = wait_included(rpc, tx) if wait else None
    if json_:
        mined = {} if height is None else {"height": height}
        print_json(describe_transaction(net, tx) | {"account_fees": str(burned)} | mined)
    else:
        print_transaction(net, tx, as_json=False, height=height)


def describe_payments(payments: list[tuple[str, Nano]], new: int, burned: int) -> str:
    """Return the question that is asked before the transaction is signed; the fee is added to it."""
    total = format_credits(sum(amount for _, amount in payments))
    question = f"Send {total} credits to {len(payments)} address{'es' if len(payments) > 1 else ''}?"
    if new:
        question += f" {new} of them are new: {format_credits(burned)} credits of that are burned for their accounts."
    return question


def find_new_accounts(network: Network, rpc: str, payments: list[tuple[str, Nano]]) -> list[str]:
    """Return the receivers that have no record yet, so that the account fee is burned from what they are paid.

    Raises:
        CommandError: "amount-too-small" if nothing of a payment would be left.
    """
    from inos.client.blocking_client import BlockingClient

    print_progress(f"looking up {len(payments)} accounts ...")
    fee, new = network.params.account_fee, []
    with BlockingClient(rpc) as client:
        for to, amount in payments:
            account = client.account(to)
            if account.nonce or account.balance or account.bonded:
                continue
            if amount <= fee:
                fail(
                    "amount-too-small",
                    f"{to} is new, and {format_credits(fee)} credits of its first amount are burned for its account",
                    f"send it more than {format_credits(fee)} credits",
                )
            new.append(to)
    return new
