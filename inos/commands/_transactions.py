"""Signed transactions between a file, the screen and a node."""

import json
from pathlib import Path
from typing import Any, Final

from genesis import Network
from inos.commands._common import call_rpc, fail, print_json
from primitives.transactions import Transaction, Transfer, compute_tx_id, get_sender
from primitives.units import Address, Nano
from wallet import build
from wallet.addresses import encode_address

MAX_TX_FILE_BYTES: Final = 64 << 10


def estimate_fee(rpc: str) -> Nano:
    """The fee the node advises, in nano; "bad-response"."""
    answer = call_rpc(rpc, "tx_estimateFee")
    try:
        return Nano(int(answer["fee"]))
    except (KeyError, TypeError, ValueError):
        fail("bad-response", f"the node at {rpc} named no fee", "give one with --fee")


def send_transaction(rpc: str, tx: Transaction) -> None:
    """Hand a transaction to the node; its refusals are passed on as they are."""
    answer = call_rpc(rpc, "tx_send", [build.encode_transaction(tx)])
    expected = compute_tx_id(tx).hex()
    if not isinstance(answer, dict) or answer.get("id") != expected:
        fail("bad-response", f"the node took transaction {expected} but named another: {answer!r:.200}")


def describe_transaction(net: Network, tx: Transaction) -> dict[str, Any]:
    """A signed transaction as people and `broadcast` read it; amounts in nano."""
    shown: dict[str, Any] = {
        "network": net.name,
        "chain_id": tx.chain_id,
        "id": compute_tx_id(tx).hex(),
        "from": encode_address(net.hrp, get_sender(tx)),
        "nonce": tx.nonce,
        "fee": str(tx.fee),
    }
    if isinstance(tx.payload, Transfer):
        receiver = encode_address(net.hrp, Address(tx.payload.to))
        shown |= {"to": receiver, "amount": str(tx.payload.amount)}
    return shown | {"hex": build.encode_transaction(tx)}


def print_transaction(net: Network, tx: Transaction, *, as_json: bool) -> None:
    """Say what was sent."""
    if as_json:
        print_json(describe_transaction(net, tx))
    else:
        print(f"sent {compute_tx_id(tx).hex()}")


def read_transaction(file: Path) -> Transaction:
    """From what `sign` wrote, or from bare hex."""
    try:
        with file.expanduser().open("rb") as stream:
            text = stream.read(MAX_TX_FILE_BYTES + 1).decode("utf-8").strip()
    except OSError as error:
        fail("file-unreadable", f"cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        fail("bad-transaction", f"{file} is not text; it should be what `inos wallet sign -o` wrote, or hex")
    if text.startswith("{"):
        try:
            text = json.loads(text)["hex"]
        except (ValueError, KeyError) as error:
            fail("bad-transaction", f"{file} is not what `inos wallet sign -o` wrote: {error}")
    if not isinstance(text, str):
        fail("bad-transaction", f'the "hex" in {file} is not text')
    return build.decode_transaction(text)
