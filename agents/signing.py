"""Agents sign transactions with the key of their account."""

from typing import Final

from inos.core.node_core import NodeCore
from inos.primitives.codec import encode
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Payload, Transaction, sign_transaction

TX_BYTES: Final = 256
"""A transaction without its payload has at most this many bytes."""


def make_transaction(core: NodeCore, secret: bytes, payload: Payload) -> Transaction:
    """Return the account's next transaction, at the fee the pool asks now."""
    address = compute_address(compute_public_key(secret))
    nonce = core.mempool.next_nonce(address, core.ledger.state)
    fee = core.mempool.estimate_fee(len(encode(payload)) + TX_BYTES)
    return sign_transaction(secret, core.params.chain_id, nonce, fee, payload)
