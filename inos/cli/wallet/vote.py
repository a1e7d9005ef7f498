"""`inos wallet vote`, `unvote`, `withdraw`: the account behind a node's voter, where it is a wallet's."""

from typing import Annotated, Any

import typer

from inos.cli.common import wallets as _wallets
from inos.cli.common.output import DEFAULT_NETWORK, DEFAULT_RPC, JsonOption, NetworkOption, RpcOption, fail
from inos.cli.common.remote import DataDirOption, TokenFileOption, find_remote
from inos.cli.common.transactions import estimate_fee, print_transaction, send_transaction
from inos.cli.common.wallets import (
    IndexOption,
    PasswordFileOption,
    WalletDirOption,
    WalletOption,
    open_wallet,
    parse_amount,
)
from inos.genesis import load_network
from inos.primitives.transactions import Payload, RegisterVoter, UnbondVoter, WithdrawBond
from inos.primitives.units import format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address

DEFAULT_WALLET = "default"
FeeOption = Annotated[
    str | None, typer.Option("--fee", metavar="CREDITS", help="The fee; the node's estimate without.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before sending.")]


def vote(
    bond: Annotated[
        str | None, typer.Option("--bond", metavar="CREDITS", help="Locked while it votes. [the network's least]")
    ] = None,
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    token_file: TokenFileOption = None,
    data_dir: DataDirOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Become the voter of a node started with --vote: its key votes, this account's reputation counts.

    The bond is lost where the key signs what nobody may sign both. Needs the node's token.
    """
    net = load_network(network)
    locked = net.params.min_voter_bond if bond is None else parse_amount(bond, "the bond")
    asked = {"bond": str(locked), "send": False}
    node = find_remote(rpc, token_file, data_dir)
    told = node.call("finality_register", asked)
    payload = RegisterVoter(_read_hex(told, "key", node.url), _read_hex(told, "proof", node.url), locked)
    question = f"Lock {format_credits(locked)} credits as the bond of voter {payload.key.hex()[:16]}...?"
    _send(payload, question, fee, wallet, index, network, wallet_dir, password_file, node.url, yes, json_)


def unvote(
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Stop being a voter; the bond can be withdrawn when the unbonding time is over."""
    blocks = load_network(network).params
    question = f"Stop voting? The bond stays locked for {blocks.unbonding_epochs * blocks.epoch_blocks} blocks."
    _send(UnbondVoter(), question, fee, wallet, index, network, wallet_dir, password_file, rpc, yes, json_)


def withdraw(
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Take the bond back after `unvote` and the unbonding time."""
    _send(WithdrawBond(), "Withdraw the bond?", fee, wallet, index, network, wallet_dir, password_file, rpc, yes, json_)


def _send(
    payload: Payload,
    question: str,
    fee: str | None,
    wallet: str,
    index: int,
    network: str,
    wallet_dir: Any,
    password_file: Any,
    rpc: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Check, ask, sign and send, as `inos wallet send` does."""
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    _wallets.require_same_network(rpc, net)
    paid = estimate_fee(rpc) if fee is None else parse_amount(fee, "the fee")
    key = opened.unlock() if index > 0 else None
    sender = opened.get_address() if key is None else key.address
    account = _wallets.to_view(_wallets.get_account(rpc, encode_address(net.hrp, sender)))
    build.check_affordable(payload, paid, account)
    _wallets.confirm_or_stop(f"{question} The fee is {format_credits(paid)}.", yes=yes)
    tx = build.build_transaction(key or opened.unlock(), net.params.chain_id, account, payload, paid)
    send_transaction(rpc, tx)
    print_transaction(net, tx, as_json=as_json)


def _read_hex(told: Any, field: str, rpc: str) -> bytes:
    try:
        return bytes.fromhex(told[field])
    except (KeyError, TypeError, ValueError):
        fail("bad-response", f"the node at {rpc} named no {field} of its voter")
