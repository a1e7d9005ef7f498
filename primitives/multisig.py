"""Accounts of several keys: k of n keys sign each transaction.

The address is a hash of the threshold and all keys, so the chain stores nothing about such an account. A transaction
names them in place of the sender's key, and has k signatures over the same digest: the transaction's signing hash,
which commits to the threshold and the keys too.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import Hash32
from inos.primitives.units import ADDRESS_BYTES, Address, PublicKey

MAX_KEYS: Final = 16
SIGNATURE_BYTES: Final = 64
WHO_BYTES: Final = 2
"""Bit i of a big-endian u16 says that key i has signed."""
MAX_JOINT_BYTES: Final = WHO_BYTES + MAX_KEYS * SIGNATURE_BYTES


class Multisig(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The owners of an account: any `threshold` of these x-only keys sign for it. `is_sound` says what is valid."""

    threshold: Annotated[int, Meta(ge=1, le=MAX_KEYS)]
    keys: Annotated[tuple[Hash32, ...], Meta(min_length=2, max_length=MAX_KEYS)]


def is_sound(owners: Multisig) -> bool:
    """Return True for 2 to 16 keys in strictly ascending order, of which at most all have to sign."""
    ascending = all(one < other for one, other in pairwise(owners.keys))
    return ascending and 2 <= len(owners.keys) <= MAX_KEYS and 1 <= owners.threshold <= len(owners.keys)


def compute_multisig_address(owners: Multisig) -> Address:
    """Return the first 20 bytes of H("multisig address", the encoding of threshold and keys)."""
    return Address(compute_hash(Context.MULTISIG_ADDRESS, encode(owners))[:ADDRESS_BYTES])


def count_joint_bytes(owners: Multisig) -> int:
    """Return the bytes of a transaction's signature by these owners."""
    return WHO_BYTES + owners.threshold * SIGNATURE_BYTES


def join_signatures(owners: Multisig, signatures: Mapping[PublicKey, bytes]) -> bytes:
    """Return the signature of a transaction: who signed, then the signatures (64 bytes each) in the order of the keys.

    Exactly `threshold` signatures are taken, those of the first keys that signed: with another number of them, anybody
    could leave one out and so give the transaction another id.

    Raises:
        ValueError: too few of the keys have signed.
    """
    who = [index for index, key in enumerate(owners.keys) if key in signatures][: owners.threshold]
    if len(who) < owners.threshold:
        raise ValueError(f"{len(who)} of the keys have signed, and {owners.threshold} must")
    bits = sum(1 << index for index in who)
    return bits.to_bytes(WHO_BYTES, "big") + b"".join(signatures[PublicKey(owners.keys[index])] for index in who)


def split_signatures(owners: Multisig, joint: bytes) -> list[tuple[PublicKey, bytes]] | None:
    """Return the keys that signed with their signatures, or None if these bytes are not `threshold` signatures."""
    bits = int.from_bytes(joint[:WHO_BYTES], "big")
    who = [PublicKey(key) for index, key in enumerate(owners.keys) if bits >> index & 1]
    if len(joint) != count_joint_bytes(owners) or len(who) != owners.threshold or bits >> len(owners.keys):
        return None
    parts = range(WHO_BYTES, len(joint), SIGNATURE_BYTES)
    return [(key, joint[at : at + SIGNATURE_BYTES]) for key, at in zip(who, parts, strict=True)]
