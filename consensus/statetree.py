"""The state tree: a compact sparse Merkle tree, and proofs that it has a record or does not.

This is the reference, which recomputes everything; `chain` has a fast version that must agree with it.

A record's path is H("state key", key), and bit 0 is the most significant bit. An empty subtree is 32 zero bytes. A
subtree with exactly one record is that record's leaf, at any depth. Any other is H("state node", left || right). So the
root depends only on the set of records.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.consensus.records import MAX_RECORD_BYTES, StateKey
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import Hash32
from inos.primitives.units import ZERO_HASH, Hash, StateRoot

PATH_BITS: Final = 256
MAX_PROOF_BYTES: Final = MAX_RECORD_BYTES + 64 * 1024
"""This is enough for 256 siblings of 34 bytes, and another leaf's path and value."""

Leaves = list[tuple[Hash, bytes]]


class OtherLeaf(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The only record in the subtree where the absent one would be."""

    path: Hash32
    value: bytes


class StateProof(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Siblings from just below the root downwards; a proof of absence also has the other leaf, if there is one."""

    siblings: Annotated[tuple[Hash32, ...], Meta(max_length=PATH_BITS)] = ()
    other: OtherLeaf | None = None


def compute_path(key: StateKey) -> Hash:
    """Return a record's path: H("state key", kind || id)."""
    return compute_hash(Context.STATE_KEY, key)


def compute_leaf(path: bytes, value: bytes) -> Hash:
    """Return H("state leaf", path || value)."""
    return compute_hash(Context.STATE_LEAF, path + value)


def compute_node(left: bytes, right: bytes) -> Hash:
    """Return H("state node", left || right)."""
    return compute_hash(Context.STATE_NODE, left + right)


def get_bit(path: bytes, depth: int) -> int:
    """Return the direction of the path at `depth`: 0 left, 1 right."""
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def compute_state_root(records: Mapping[StateKey, bytes]) -> StateRoot:
    """Return the root over all records of a state."""
    return StateRoot(_compute_subtree(_make_leaves(records), 0))


def make_proof(records: Mapping[StateKey, bytes], key: StateKey) -> StateProof:
    """Return a proof of the record under `key`, or of its absence."""
    path, leaves = compute_path(key), _make_leaves(records)
    siblings: list[Hash] = []
    while len(leaves) > 1:
        halves = _split(leaves, len(siblings))
        side = get_bit(path, len(siblings))
        siblings.append(_compute_subtree(halves[1 - side], len(siblings) + 1))
        leaves = halves[side]
    other = OtherLeaf(*leaves[0]) if leaves and leaves[0][0] != path else None
    return StateProof(tuple(siblings), other)


def check_proof(root: StateRoot, key: StateKey, value: bytes | None, proof: StateProof) -> bool:
    """Return whether `proof` shows that the state under `root` has `value` under `key`, or no record if `value` is
    None.
    """
    path, depth = compute_path(key), len(proof.siblings)
    if depth > PATH_BITS or (value is not None and proof.other is not None):
        return False
    if value is not None:
        node = compute_leaf(path, value)
    elif proof.other is None:
        node = ZERO_HASH
    elif proof.other.path != path and _is_shared(path, proof.other.path, depth):
        node = compute_leaf(proof.other.path, proof.other.value)
    else:
        return False
    for level in reversed(range(depth)):
        sibling = proof.siblings[level]
        node = compute_node(sibling, node) if get_bit(path, level) else compute_node(node, sibling)
    return bytes(node) == bytes(root)


def _is_shared(a: bytes, b: bytes, bits: int) -> bool:
    """Return whether two paths agree in their first `bits` bits."""
    shift = PATH_BITS - bits
    return int.from_bytes(a, "big") >> shift == int.from_bytes(b, "big") >> shift


def _make_leaves(records: Mapping[StateKey, bytes]) -> Leaves:
    return [(compute_path(key), value) for key, value in records.items()]


def _split(leaves: Leaves, depth: int) -> tuple[Leaves, Leaves]:
    return [e for e in leaves if not get_bit(e[0], depth)], [e for e in leaves if get_bit(e[0], depth)]


def _compute_subtree(leaves: Leaves, depth: int) -> Hash:
    if not leaves:
        return ZERO_HASH
    if len(leaves) == 1:
        return compute_leaf(*leaves[0])
    left, right = _split(leaves, depth)
    return compute_node(_compute_subtree(left, depth + 1), _compute_subtree(right, depth + 1))
