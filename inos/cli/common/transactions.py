"""Transactions of the commands that pay: confirmed, signed, sent, awaited, and printed."""

import json
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from inos.cli.common.drafts import drafting, read_text
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.remote import call_rpc
from inos.cli.common.wallets import (
    OpenWallet,
    confirm_or_stop,
    get_account,
    parse_amount,
    require_same_network,
    to_view,
)
from inos.genesis import Network
from inos.primitives.payments import compute_total, iterate_payments
from inos.primitives.transactions import (
    Payload,
    Transaction,
    Transfer,
    TransferMany,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import Address, Nano, format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.drafts import Owner, decode_draft, is_draft
from inos.wallet.signers import Signer

WAIT_S: Final = 600.0
_SENT_BEFORE: Final = frozenset({"nonce-too-old", "already-known"})
"""How a node refuses a transaction that it has, in a block or in its pool."""
LOOK_S: Final = 2.0
"""The node is asked after every block, and at least this often."""


class Payment(NamedTuple):
    """How a transaction is paid and sent: the wallet, the node, the fee in credits (None: the node's estimate)."""

    wallet: OpenWallet
    rpc: str
    fee: str | None
    yes: bool
    as_json: bool
    signer: Signer | None = None
    """What signs, if the wallet was unlocked before."""


def send_payload(payload: Payload, question: str, payment: Payment) -> Transaction:
    """Check that the account can pay, ask, sign and send; return the transaction.

    A transaction that is signed elsewhere is written to the file of --unsigned, and the command ends.

    Args:
        question: what is asked before anything is signed; the fee is added to it.
    """
    from inos.client.blocking_client import BlockingClient

    wallet, rpc, network = payment.wallet, payment.rpc, payment.wallet.network
    require_same_network(rpc, network)
    owner = None if wallet.watched is None else wallet.watched.owner
    fee = estimate_fee(rpc, payload, owner) if payment.fee is None else parse_amount(payment.fee, "the fee")
    signer = wallet.open_signer() if payment.signer is None and wallet.index > 0 else payment.signer
    sender = wallet.get_address() if signer is None else signer.address
    account = get_account(rpc, encode_address(network.hrp, sender))
    build.check_affordable(payload, fee, to_view(account))
    confirm_or_stop(f"{question} The fee is {format_credits(fee)}.", yes=payment.yes or wallet.unsigned is not None)
    with (
        drafting(wallet, as_json=payment.as_json),
        BlockingClient(rpc, wallet=signer or wallet.open_signer()) as client,
    ):
        return client.send_payload(payload, fee_nano=fee)


def estimate_fee(rpc: str, payload: Payload, owner: Owner | None) -> Nano:
    """Return the fee that the node advises for a payload from an account; see `build.ask_fee`.

    Raises:
        CommandError: "bad-response". WalletError: "fee-too-high".
    """
    asked = build.ask_fee(payload, owner)
    answer = call_rpc(rpc, "tx_estimateFee", asked)
    try:
        fee = int(answer["fee"])
    except (KeyError, TypeError, ValueError):
        fail("bad-response", f"the node at {rpc} named no fee", "give one with --fee")
    return build.check_advised_fee(fee, asked.get("payments", 0))


def send_signed(rpc: str, tx: Transaction) -> int | None:
    """Send a signed transaction; return the height of its block if it is on the chain already.

    Several signers may each broadcast the same one, so that is no error.
    """
    from inos.client.blocking_client import BlockingClient
    from inos.client.errors import RemoteError

    with BlockingClient(rpc) as client:
        try:
            client.send_transaction(tx)
        except RemoteError as refused:
            if refused.code not in _SENT_BEFORE:
                raise
            try:
                return client.transaction(compute_tx_id(tx).hex()).height
            except RemoteError:
                raise refused from None
    return None


def wait_included(rpc: str, tx: Transaction, limit_s: float = WAIT_S) -> int:
    """Return the height of the block that has the transaction, once there is one.

    Raises:
        CommandError: "not-included" after `limit_s` seconds.
    """
    from inos.client.blocking_client import BlockingClient

    tx_id, until = compute_tx_id(tx).hex(), time.monotonic() + limit_s
    with BlockingClient(rpc) as client, client.follow_tip() as wait_tip:
        while time.monotonic() < until:
            found = call_rpc(rpc, "chain_getTransaction", {"id": tx_id})
            if found.get("height") is not None:
                return int(found["height"])
            wait_tip(LOOK_S)
    fail("not-included", f"{tx_id} still waits after {limit_s:.0f} s", f"see later: inos wallet transaction {tx_id}")


def describe_transaction(network: Network, tx: Transaction) -> dict[str, Any]:
    """Return a signed transaction as `sign` writes it and `broadcast` reads it; amounts are nano."""
    shown: dict[str, Any] = {
        "network": network.name,
        "chain_id": tx.chain_id,
        "id": compute_tx_id(tx).hex(),
        "from": encode_address(network.hrp, get_sender(tx)),
        "nonce": tx.nonce,
        "fee": str(tx.fee),
    }
    if isinstance(tx.payload, Transfer):
        receiver = encode_address(network.hrp, Address(tx.payload.to))
        shown |= {"to": receiver, "amount": str(tx.payload.amount)}
    if isinstance(tx.payload, TransferMany):
        shown["total"] = str(compute_total(tx.payload.payments))
        shown["payments"] = [
            {"to": encode_address(network.hrp, to), "amount": str(amount)}
            for to, amount in iterate_payments(tx.payload.payments)
        ]
    return shown | {"hex": build.encode_transaction(tx)}


def print_transaction(network: Network, tx: Transaction, *, as_json: bool, height: int | None = None) -> None:
    """Print what was sent, and the height of the block that has it if that is known."""
    if as_json:
        print_json(describe_transaction(network, tx) | ({} if height is None else {"height": height}))
    else:
        print_text(f"sent {compute_tx_id(tx).hex()}{'' if height is None else f', in block {height}'}")


def read_transaction(file: Path) -> Transaction:
    """Return a signed transaction from what `sign` wrote, from a draft with all its signatures, or from bare hex.

    Raises:
        CommandError: "file-unreadable", "bad-transaction". WalletError: the hex is not a transaction, or signatures
            are missing.
    """
    text = read_text(file)
    if is_draft(text):
        draft = decode_draft(text)
        if draft.needed:
            missing = "1 signature is" if draft.needed == 1 else f"{draft.needed} signatures are"
            fail("signatures-missing", f"{missing} missing in {file}", f"inos wallet sign {file}")
        return draft.finish()
    if text.startswith("{"):
        try:
            text = json.loads(text)["hex"]
        except (ValueError, KeyError, RecursionError) as error:
            fail("bad-transaction", f"{file} is not what `inos wallet sign -o` wrote: {error}")
    if not isinstance(text, str):
        fail("bad-transaction", f'the "hex" in {file} is not text')
    return build.decode_transaction(text)
