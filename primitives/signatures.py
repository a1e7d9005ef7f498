"""BIP-340 Schnorr signatures on secp256k1, and addresses."""

import secrets
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

from coincurve import PrivateKey, PublicKeyXOnly

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.native.library import load
from inos.primitives.units import ADDRESS_BYTES, Address, PublicKey

KNOWN_ADDRESSES: Final = 8192
"""Addresses of so many keys are remembered, about 2 MB: a transaction's sender is asked for ten times."""


def compute_public_key(secret: bytes) -> PublicKey:
    """Return the x-only public key (32 bytes) of a 32-byte secret.

    Raises:
        ValueError: the secret is 0 or not below the curve's order.
    """
    return PublicKey(PublicKeyXOnly.from_secret(secret).format())


@lru_cache(maxsize=KNOWN_ADDRESSES)
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


def are_signatures_valid(keys: Sequence[PublicKey], digests: Sequence[bytes], signatures: Sequence[bytes]) -> bool:
    """Return True if each signature is valid as by `is_signature_valid`.

    One call in C checks all of them, so a thread does not wait for the interpreter's lock between any two.
    """
    native, functions = load(), _find_functions()
    if native is None or functions is None:
        return all(map(is_signature_valid, keys, digests, signatures))
    ffi, lib = native
    parts = [ffi.from_buffer(b"".join(each)) for each in (keys, digests, signatures)]
    return bool(lib.inos_find_wrong_signature(*functions, len(keys), *parts) == len(keys))


@cache
def _find_functions() -> tuple[int, int, int] | None:
    """Return the addresses of coincurve's functions for parsing keys and checking signatures, and of its context.

    They are private to coincurve, so another release may lack them: then None.
    """
    try:
        from coincurve._libsecp256k1 import ffi, lib
        from coincurve.context import GLOBAL_CONTEXT

        names = ("secp256k1_xonly_pubkey_parse", "secp256k1_schnorrsig_verify")
        pointers = (*(ffi.addressof(lib, name) for name in names), GLOBAL_CONTEXT.ctx)
    except (ImportError, AttributeError):
        return None
    parse, verify, context = (int(ffi.cast("uintptr_t", pointer)) for pointer in pointers)
    return parse, verify, context
