"""`inos wallet bump`, `cancel`: a pending transaction is replaced by one of the same nonce that pays more."""

from typing import Annotated, Final

import typer

from inos.chain.mempool import REPLACEMENT_PERCENT
from inos.cli.common.drafts import drafting
from inos.cli.common.ids import find_id
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
from inos.cli.common.output import fail
from inos.cli.common.remote import call_rpc
from inos.cli.common.transactions import Payment, estimate_fee, print_transaction, send_signed
from inos.cli.common.wallets import confirm_or_stop, open_wallet, parse_amount, require_same_network
from inos.genesis import Network, load_network
from inos.primitives.transactions import Payload, Transaction, Transfer, compute_tx_id, get_sender
from inos.primitives.units import Nano, format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address

LEAST_AMOUNT: Final = 1
"""Nano that a cancellation pays to the account itself."""
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The pending transaction's id, or its first digits: inos wallet history")
]


def bump(
    id_: IdArgument,
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
    """Send a pending transaction again with a higher fee, so that a block takes it sooner. It gets another id."""
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    old = _find_pending(rpc, net, id_)
    _replace(old, old.payload, "Send it again", fee, Payment(opened, rpc, fee, yes, json_))


def cancel(
    id_: IdArgument,
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
    """Replace a pending transaction by one that does nothing. It works only while no block has the first one."""
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    old = _find_pending(rpc, net, id_)
    nothing = Transfer(get_sender(old), LEAST_AMOUNT)
    _replace(old, nothing, "Replace it by one that does nothing", fee, Payment(opened, rpc, fee, yes, json_))


def _find_pending(rpc: str, net: Network, id_: str) -> Transaction:
    """Return a transaction of the node's pool."""
    require_same_network(rpc, net)
    whole = find_id(rpc, id_, "transaction")
    found = call_rpc(rpc, "chain_getTransaction", {"id": whole})
    if found.get("status") != "pending":
        hint = "a transaction in a block stays as it is: inos wallet transaction shows where it is"
        fail("not-pending", f"{whole} is in block {found.get('height')}", hint)
    tx = build.decode_transaction(str(found.get("hex", "")))
    if compute_tx_id(tx).hex() != whole:
        fail("bad-response", f"the node at {rpc} sent another transaction than {whole}")
    return tx


def _replace(old: Transaction, payload: Payload, what: str, fee: str | None, payment: Payment) -> None:
    """Sign and send a transaction with the nonce of `old`."""
    wallet, rpc, net = payment.wallet, payment.rpc, payment.wallet.network
    signer = wallet.open_signer() if wallet.index > 0 else None
    own = wallet.get_address() if signer is None else signer.address
    if own != get_sender(old):
        sender, mine = (encode_address(net.hrp, each) for each in (get_sender(old), own))
        fail("not-the-sender", f"{sender} sent it, and this is {mine}", "give the --wallet and --index that did")
    least = Nano(max(-(-old.fee * REPLACEMENT_PERCENT // 100), old.fee + 1))
    paid = parse_amount(fee, "the fee") if fee is not None else max(least, estimate_fee(rpc, payload, old.sender))
    if paid < least:
        fail("replacement-fee-too-low", f"a fee of at least {format_credits(least)} credits replaces it", "raise --fee")
    question = f"{what}, with a fee of {format_credits(paid)} credits in place of {format_credits(old.fee)}?"
    confirm_or_stop(question, yes=payment.yes or wallet.unsigned is not None)
    with drafting(wallet, as_json=payment.as_json):
        tx = build.sign_payload(signer or wallet.open_signer(), net.params.chain_id, old.nonce, paid, payload)
    send_signed(rpc, tx)
    print_transaction(net, tx, as_json=payment.as_json)
