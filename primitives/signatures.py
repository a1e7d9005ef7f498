"""BIP-340 Schnorr signatures on secp256k1, and addresses."""

import secrets

from coincurve import PrivateKey, PublicKeyXOnly

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.units import ADDRESS_BYTES, Address, PublicKey


def compute_public_key(secret: bytes) -> PublicKey:
    """Return the x-only public key (32 bytes) of a 32-byte secret.

    Raises:
        ValueError: the secret is 0 or not below the curve's order.
    """
    return PublicKey(PublicKeyXOnly.from_secret(secret).format())


def compute_address(key: PublicKey) -> Address:
    """Return the first 20 bytes of H("address", key)."""
    return Address(compute_hash(Context.ADDRESS, key)[:ADDRESS_BYTES])


def sign(secret: bytes, digest: bytes) -> bytes:
    """Return the 64-byte BIP-340 signature over a 32-byte digest, with fresh auxiliary randomness."""
    return PrivateKey(secret).sign_schnorr(digest, secrets.token_bytes(32))


def is_signature_valid(key: PublicKey, digest: bytes, signature: bytes) -> bool:
    """Return True if `signature` (64 bytes) is `key`'s over `digest`, and False for a key off the curve too."""
    try:
        return bool(PublicKeyXOnly(key).verify(signature, digest))
    except ValueError:
        return False
