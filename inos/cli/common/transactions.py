"""Signed transactions between a file, the screen and a node."""

import json
import time
from pathlib import Path
from typing import Any, Final

from inos.cli.common.output import call_rpc, fail, print_json
from inos.genesis import Network
from inos.primitives.transactions import Transaction, Transfer, compute_tx_id, get_sender
from inos.primitives.units import Address, Nano
from inos.wallet import build
from inos.wallet.addresses import encode_address

MAX_TX_FILE_BYTES: Final = 64 << 10
NONCE_TRIES: Final = 4
NONCE_RACES: Final = frozenset({"replacement-fee-too-low", "nonce-too-old"})
"""Refusals that mean another program used the account's nonce meanwhile."""
WAIT_S: Final = 600.0
POLL_S: Final = 0.3


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


def wait_included(rpc: str, tx: Transaction, limit_s: float = WAIT_S) -> int:
    """The height of the block that has the transaction, once there is one.

    Raises:
        CommandError: "not-included" after `limit_s` seconds.
    """
    tx_id, until = compute_tx_id(tx).hex(), time.monotonic() + limit_s
    while time.monotonic() < until:
        found = call_rpc(rpc, "chain_getTransaction", {"id": tx_id})
        if found.get("height") is not None:
            return int(found["height"])
        time.sleep(POLL_S)
    fail("not-included", f"{tx_id} waits still, after {limit_s:.0f} s", f"see later: inos wallet transaction {tx_id}")


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


def print_transaction(net: Network, tx: Transaction, *, as_json: bool, height: int | None = None) -> None:
    """Say what was sent, and which block has it."""
    if as_json:
        print_json(describe_transaction(net, tx) | ({} if height is None else {"height": height}))
    else:
        print(f"sent {compute_tx_id(tx).hex()}{'' if height is None else f', in block {height}'}")


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
