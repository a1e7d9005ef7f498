"""Writes multisig.json beside itself: accounts of several keys, transactions that they signed, and refused ones."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from coincurve import PrivateKey
from msgspec.structs import replace

from inos.consensus.costs import TRANSFER_US, compute_cosigning_cost
from inos.consensus.transactionrules import check_transaction_sanity
from inos.genesis import load_network
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.errors import RuleViolation
from inos.primitives.multisig import Multisig, compute_multisig_address, join_signatures
from inos.primitives.signatures import compute_public_key
from inos.primitives.transactions import Transaction, Transfer, compute_signing_hash, compute_tx_id, count_signatures
from inos.primitives.units import PublicKey

FILE: Final = Path(__file__).with_name("multisig.json")
PARAMS: Final = load_network("devnet").params
SECRETS: Final = {compute_public_key(bytes([n]) * 32): bytes([n]) * 32 for n in range(1, 17)}
KEYS: Final = tuple(sorted(SECRETS))
PAYLOAD: Final = Transfer(b"\x42" * 20, 1_500_000_000)
ACCOUNTS: Final = ((1, 2, (1,)), (2, 2, (0, 1)), (2, 3, (0, 2)), (3, 5, (1, 2, 4)), (16, 16, tuple(range(16))))
"""Threshold, number of keys, and which of them sign."""


def sign(owners: Multisig, who: tuple[int, ...]) -> Transaction:
    """Return a transfer that these of the keys have signed, without randomness."""
    unsigned = Transaction(PARAMS.chain_id, owners, 3, 1000, PAYLOAD, bytes(64))
    digest, keys = compute_signing_hash(unsigned), [PublicKey(owners.keys[index]) for index in who]
    parts = {key: PrivateKey(SECRETS[key]).sign_schnorr(digest, bytes(32)) for key in keys}
    return replace(unsigned, signature=join_signatures(owners, parts))


def list_refused() -> list[Transaction]:
    """Return transactions with a signature too few, one too many, of another key, from one key twice, and from owners
    that are not in order, the same twice, or fewer than must sign."""
    good = sign(Multisig(2, KEYS[:3]), (0, 1))
    joint = good.signature
    signatures = [
        joint[:-64],
        b"\x00\x07" + joint[2:] + joint[-64:],
        b"\x00\x05" + joint[2:],
        b"\x00\x09" + joint[2:],
        b"\x00\x01" + joint[2:],
        b"\x00\x03" + 2 * joint[2:66],
        joint[2:66],
    ]
    owners = [Multisig(1, (KEYS[1], KEYS[0])), Multisig(2, (KEYS[0], KEYS[0])), Multisig(3, KEYS[:2])]
    return [replace(good, signature=each) for each in signatures] + [replace(good, sender=each) for each in owners]


def find_code(tx: Transaction) -> str:
    try:
        check_transaction_sanity(PARAMS, tx, get_bls())
    except RuleViolation as error:
        return error.code
    raise AssertionError("this transaction is not refused")


def make_vectors() -> dict[str, Any]:
    """Return the whole file as plain data."""
    signed = [sign(Multisig(threshold, KEYS[:count]), who) for threshold, count, who in ACCOUNTS]
    for tx in signed:
        check_transaction_sanity(PARAMS, tx, get_bls())
    return {
        "chain_id": PARAMS.chain_id,
        "accepted": [
            {
                "transaction": encode(tx).hex(),
                "threshold": tx.sender.threshold,
                "keys": [key.hex() for key in tx.sender.keys],
                "address": compute_multisig_address(tx.sender).hex(),
                "signing_hash": compute_signing_hash(tx).hex(),
                "id": compute_tx_id(tx).hex(),
                "microseconds": TRANSFER_US + compute_cosigning_cost(count_signatures(tx)),
            }
            for tx in signed
            if isinstance(tx.sender, Multisig)
        ],
        "refused": [{"transaction": encode(tx).hex(), "code": find_code(tx)} for tx in list_refused()],
    }


def main() -> int:
    FILE.write_text(json.dumps(make_vectors(), indent=1) + "\n", "utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
