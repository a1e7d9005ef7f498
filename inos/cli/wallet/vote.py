"""`inos wallet vote`, `unvote`, `withdraw`: the account behind a node's voter, where it is a wallet's."""

from typing import Annotated, Any

import typer

from inos.cli.common import wallets as _wallets
from inos.cli.common.output import DEFAULT_NETWORK, DEFAULT_RPC, JsonOption, NetworkOption, RpcOption, fail
from inos.cli.common.remote import DataDirOption, TokenFileOption, find_remote
from inos.cli.common.transactions import estimate_fee, print_transaction, send_transaction
from inos.cli.common.wallets import (
    IndexOption,
    OpenWallet,
    PasswordFileOption,
    WalletDirOption,
    WalletOption,
    open_wallet,
    parse_amount,
)
from inos.consensus.finality.epochs import compute_unbonding_end
from inos.genesis import load_network
from inos.primitives.transactions import Payload, RegisterVoter, UnbondVoter, WithdrawBond
from inos.primitives.units import format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key

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
    """Become the voter of a node started with --vote: its key votes, what this account mined counts. Again: more bond.

    The bond is lost where the key signs what nobody may sign both. Needs the node's token.
    """
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    key = opened.unlock() if index > 0 else None
    sender = opened.get_address() if key is None else key.address
    locked = net.params.min_voter_bond if bond is None else parse_amount(bond, "the bond")
    asked = {"bond": str(locked), "send": False, "address": encode_address(net.hrp, sender)}
    node = find_remote(rpc, token_file, data_dir)
    told = node.call("finality_register", asked)
    payload = RegisterVoter(_read_hex(told, "key", node.url), _read_hex(told, "proof", node.url), locked)
    question = f"Lock {format_credits(locked)} credits as the bond of voter {payload.key.hex()[:16]}...?"
    _send(opened, key, payload, question, fee, node.url, yes=yes, as_json=json_)


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
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    blocks = compute_unbonding_end(net.params, 0)
    question = f"Stop voting? The bond stays locked for {blocks} blocks after the last committee with this voter."
    _send(opened, None, UnbondVoter(), question, fee, rpc, yes=yes, as_json=json_)


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
    opened = open_wallet(wallet_dir, wallet, load_network(network), index=index, password_file=password_file)
    _send(opened, None, WithdrawBond(), "Withdraw the bond?", fee, rpc, yes=yes, as_json=json_)


def _send(
    opened: OpenWallet,
    key: Key | None,
    payload: Payload,
    question: str,
    fee: str | None,
    rpc: str,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Check, ask, sign and send, as `inos wallet send` does.

    Args:
        key: of the wallet's address, where it was unlocked before.
    """
    net = opened.network
    _wallets.require_same_network(rpc, net)
    paid = estimate_fee(rpc) if fee is None else parse_amount(fee, "the fee")
    key = opened.unlock() if key is None and opened.index > 0 else key
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
