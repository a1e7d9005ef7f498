"""BLAKE3 with one context for each kind of hashed data (protocol, section 1)."""

from enum import StrEnum
from typing import Final

from blake3 import blake3

from inos.primitives.units import Hash

PREFIX: Final = "inos v1 "


class Context(StrEnum):
    """Every context in use. Two kinds of data never share one, so their hashes cannot collide."""

    ADDRESS = "address"
    ADDRESS_BOOK = "address book"
    AGGREGATE = "aggregate"
    ANCHOR = "anchor"
    COMPACT_BLOCK = "compact block"
    FREIVALDS = "freivalds"
    GENESIS = "genesis"
    HEADER = "header"
    JURY = "jury"
    JURY_COMMITMENT = "jury commitment"
    JURY_REVEAL = "jury reveal"
    JURY_VERDICT = "jury verdict"
    MATRIX = "matrix"
    MATRIX_NODE = "matrix node"
    MATRIX_STRIP = "matrix strip"
    MULTISIG_ADDRESS = "multisig address"
    NODE_ID = "node id"
    NOISE_W = "noise w"
    NOISE_X = "noise x"
    SIGNED_MESSAGE = "signed message"
    STATE_KEY = "state key"
    STATE_LEAF = "state leaf"
    STATE_NODE = "state node"
    TRANSACTION = "transaction"
    TRANSACTION_ID = "transaction id"
    TRANSACTION_NODE = "transaction node"
    VOTE = "vote"


_NAMES: Final = {context: PREFIX + context for context in Context}


def compute_hash(context: Context, data: bytes | memoryview) -> Hash:
    """Return H(context, data): 32 bytes of BLAKE3 in derive-key mode under "inos v1 " + context."""
    return Hash(blake3(data, derive_key_context=_NAMES[context]).digest())


def compute_stream(seed: bytes, purpose: str, length: int, offset: int = 0) -> bytes:
    """Return bytes [offset, offset + length) of BLAKE3's extendable output, keyed with `seed` over `purpose`."""
    return blake3(purpose.encode("ascii"), key=seed).digest(length=length, seek=offset)
