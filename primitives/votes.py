"""Votes on checkpoints: the Casper FFG link, one voter's signature under it, and sums of these (protocol, section 7).

A checkpoint is the last block of an epoch. `inos.consensus.finality` decides which links are allowed and who may vote.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.primitives.bls import KEY_BYTES, SIGNATURE_BYTES
from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import U32, Hash32
from inos.primitives.units import Hash

MAX_COMMITTEE: Final = 512
MAX_BITMAP_BYTES: Final = MAX_COMMITTEE // 8
MAX_VOTE_BYTES: Final = 512
MAX_AGGREGATE_BYTES: Final = 512

Epoch = Annotated[int, Meta(ge=0)]
"""Epoch e ends with the block at height e * epoch_blocks; genesis alone is epoch 0."""
BlsKey = Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
BlsSignature = Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class Checkpoint(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last block of an epoch."""

    epoch: Epoch
    id: Hash32


class Link(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A vote's content: the target is to be justified, from a source that is justified."""

    source: Checkpoint
    target: Checkpoint


class Vote(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One voter's signature under a link."""

    link: Link
    key: BlsKey
    signature: BlsSignature


class Aggregate(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The sum of signatures under one link. Bit i (of byte i // 8, the lowest first) is member i of the committee."""

    link: Link
    bits: Annotated[bytes, Meta(max_length=MAX_BITMAP_BYTES)]
    signature: BlsSignature


class SignedLink(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One of the two votes of evidence against a voter."""

    link: Link
    signature: BlsSignature


def compute_vote_hash(chain_id: U32, link: Link) -> Hash:
    """Return H("vote", the encoding of [chain id, link]). All voters sign the same hash, so signatures add up."""
    return compute_hash(Context.VOTE, encode((chain_id, link)))


def make_possession_message(key: bytes, address: bytes, chain_id: int) -> bytes:
    """Return key || address || chain id (u32, little-endian): what a proof of possession signs.

    So a proof is good for one account on one chain, and copying it registers nothing.
    """
    return key + address + chain_id.to_bytes(4, "little")


def compute_aggregate_leaf(aggregate: Aggregate) -> Hash:
    """Return H("aggregate", encoding), the aggregate's leaf in its block's transaction root."""
    return compute_hash(Context.AGGREGATE, encode(aggregate))


def is_double(a: Link, b: Link) -> bool:
    """Return True if the links are two different ones to one target epoch."""
    return a != b and a.target.epoch == b.target.epoch


def is_surround(outer: Link, inner: Link) -> bool:
    """Return True if `outer` begins before `inner` and ends after it."""
    return outer.source.epoch < inner.source.epoch and inner.target.epoch < outer.target.epoch


def is_slashable(a: Link, b: Link) -> bool:
    """Return True if no voter may sign both."""
    return is_double(a, b) or is_surround(a, b) or is_surround(b, a)


def list_members(bits: bytes) -> list[int]:
    """Return the indices whose bits are set, ascending."""
    return [8 * place + bit for place, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1]


def make_bits(members: set[int] | frozenset[int], count: int) -> bytes:
    """Return the bitmap of `members` of a committee of `count`."""
    bits = bytearray(-(-count // 8))
    for member in members:
        bits[member // 8] |= 1 << member % 8
    return bytes(bits)
