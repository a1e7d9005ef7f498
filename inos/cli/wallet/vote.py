"""`inos wallet vote`, `unvote`, `withdraw`: the account behind a node's voter, if it belongs to a wallet."""

from typing import Annotated, Any

import typer

from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    FeeOption,
    IndexOption,
    JsonOption,
    NetworkOption,
    NodeDirOption,
    PasswordFileOption,
    RpcOption,
    TokenFileOption,
    UnsignedOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail
from inos.cli.common.remote import find_remote
from inos.cli.common.transactions import Payment, print_transaction, send_payload
from inos.cli.common.wallets import open_wallet, parse_amount
from inos.consensus.finality.epochs import compute_unbonding_end
from inos.genesis import load_network
from inos.primitives.transactions import RegisterVoter, UnbondVoter, WithdrawBond
from inos.primitives.units import format_credits
from inos.wallet.addresses import encode_address


def vote(
    bond: Annotated[
        str | None,
        typer.Option(
            "--bond", metavar="CREDITS", help="The bond, locked while it votes. Default: the network's least bond."
        ),
    ] = None,
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    unsigned: UnsignedOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Register this account with the voter of a node that runs with --vote. Needs the node's token.

    The node's key votes, and what this account mined is the weight of its votes, as far as the bond bears it. A second
    call adds to the bond. The bond is lost if the key signs two votes that contradict each other.
    """
    net = load_network(network)
    locked = net.params.min_voter_bond if bond is None else parse_amount(bond, "the bond")
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    node = find_remote(rpc, token_file, data_dir)
    signer = opened.open_signer() if index > 0 else None
    sender = opened.get_address() if signer is None else signer.address
    asked = {"bond": str(locked), "send": False, "address": encode_address(net.hrp, sender)}
    told = node.call("finality_register", asked)
    payload = RegisterVoter(_read_hex(told, "key", node.url), _read_hex(told, "proof", node.url), locked)
    question = f"Lock {format_credits(locked)} credits as the bond of voter {payload.key.hex()[:16]}...?"
    print_transaction(
        net, send_payload(payload, question, Payment(opened, node.url, fee, yes, json_, signer)), as_json=json_
    )


def unvote(
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    unsigned: UnsignedOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Stop being a voter; the bond can be withdrawn after the unbonding time."""
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    blocks = compute_unbonding_end(net.params, 0)
    question = f"Stop voting? The bond stays locked for {blocks} blocks after the last committee with this voter."
    print_transaction(net, send_payload(UnbondVoter(), question, Payment(opened, rpc, fee, yes, json_)), as_json=json_)


def withdraw(
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    unsigned: UnsignedOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Withdraw the bond after `unvote` and the unbonding time."""
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    payment = Payment(opened, rpc, fee, yes, json_)
    print_transaction(net, send_payload(WithdrawBond(), "Withdraw the bond?", payment), as_json=json_)


def _read_hex(told: Any, field: str, rpc: str) -> bytes:
    try:
        return bytes.fromhex(told[field])
    except (KeyError, TypeError, ValueError):
        fail("bad-response", f"the node at {rpc} named no {field} of its voter")
