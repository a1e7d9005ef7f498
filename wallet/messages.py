"""Signed messages: text that the owner of an address has signed, for programs and people who know the address.

The signature is BIP-340's over H("signed message", the address and the text in UTF-8), so it is none of a transaction.
"""

from typing import Final

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.signatures import compute_address, is_signature_valid, sign
from inos.primitives.units import Address, Hash, PublicKey
from inos.wallet.errors import WalletError
from inos.wallet.keys import Key

PROOF_BYTES: Final = 96


def compute_message_hash(address: Address, text: str) -> Hash:
    """Return H("signed message", address ‖ text)."""
    return compute_hash(Context.SIGNED_MESSAGE, address + text.encode())


def sign_message(key: Key, text: str) -> str:
    """Return the proof that the key's owner signed a text: 96 bytes in hex, its public key and its signature."""
    return (key.public + sign(key.secret, compute_message_hash(key.address, text))).hex()


def check_message(address: Address, text: str, proof: str) -> None:
    """Check that the owner of an address signed a text.

    Raises:
        WalletError: "bad-proof" if it is none, or of another address or text.
    """
    try:
        data = bytes.fromhex(proof.strip())
    except ValueError:
        data = b""
    if len(data) != PROOF_BYTES:
        raise _explain(f"a proof is {2 * PROOF_BYTES} hex digits")
    key = PublicKey(data[:32])
    if compute_address(key) != address:
        raise _explain("its key is that of another address")
    if not is_signature_valid(key, compute_message_hash(address, text), data[32:]):
        raise _explain("its signature is over another text; a blank or a line's end counts too")


def _explain(reason: str) -> WalletError:
    return WalletError(
        "bad-proof",
        f"this does not prove that the address signed the text: {reason}",
        hint="copy the proof and the text as they were sent",
    )
