"""A part of the state with its proof: everything under one node of the state tree, or, if that is too much, the hashes
of the node's two halves.

A place in the tree is a depth and the bits above it, left-aligned in 32 bytes. A client that knows the state root
starts at the root (depth 0) and descends into the halves. So every answer proves itself, and answers from many nodes
add up to the whole state. No place below a leaf is ever requested.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.consensus.codes import Code
from inos.consensus.records import StateKey
from inos.consensus.statetree import PATH_BITS, compute_leaf, compute_node, compute_path, get_bit
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Hash32
from inos.primitives.units import ZERO_HASH, Hash, StateRoot

MAX_RANGE_RECORDS: Final = 8192
"""An answer has at most this many records: of the smallest kind, fewer than this fit into 256 KB."""


class Place(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node of the tree."""

    depth: Annotated[int, Meta(ge=0, le=PATH_BITS)]
    path: Hash32
    """Its first `depth` bits are the position; the others are 0."""

    def get_half(self, side: int) -> "Place":
        """Return its left (0) or right (1) child."""
        bits = int.from_bytes(self.path, "big") | side << (PATH_BITS - 1 - self.depth)
        return Place(self.depth + 1, bits.to_bytes(32, "big"))


ROOT: Final = Place(0, bytes(32))


class Halves(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """The hashes of the two children; 32 zero bytes for an empty one."""

    left: Hash32
    right: Hash32


class Records(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """All records under the node, as key and value, in the order of their paths."""

    records: Annotated[tuple[tuple[bytes, bytes], ...], Meta(max_length=MAX_RANGE_RECORDS)]


class StateRange(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One node's content and the siblings from just below the root down to it."""

    siblings: Annotated[tuple[Hash32, ...], Meta(max_length=PATH_BITS)]
    content: Halves | Records


def is_place(place: Place) -> bool:
    """Return whether the bits below its depth are 0, so that every place has one name."""
    return int.from_bytes(place.path, "big") & ((1 << (PATH_BITS - place.depth)) - 1) == 0


def fold_up(place: Place, node: Hash, siblings: Sequence[bytes]) -> StateRoot:
    """Return the root over a node and its siblings."""
    for level in reversed(range(place.depth)):
        sibling = siblings[level]
        node = compute_node(sibling, node) if get_bit(place.path, level) else compute_node(node, sibling)
    return StateRoot(node)


def check_range(root: StateRoot, place: Place, found: StateRange) -> None:
    """Check that the state under `root` has this range at this place.

    Raises:
        RuleViolation: "bad-range-proof", "range-out-of-place".
    """
    node = compute_halves(found.content) if isinstance(found.content, Halves) else compute_records(place, found.content)
    check_fold(root, place, node, found.siblings)


def check_fold(root: StateRoot, place: Place, node: Hash, siblings: Sequence[bytes]) -> None:
    """Check that a node with this hash is at this place.

    Raises:
        RuleViolation: "bad-range-proof".
    """
    if len(siblings) != place.depth or fold_up(place, node, siblings) != root:
        raise RuleViolation(
            Code.BAD_RANGE_PROOF, f"a range of the state at depth {place.depth} does not lead to its root"
        )


def compute_halves(halves: Halves) -> Hash:
    """Return the hash of a node from its halves."""
    return compute_node(halves.left, halves.right)


def compute_records(place: Place, content: Records) -> Hash:
    """Return the hash of a node from all records under it; this is the slow reference, and `chain` keeps the nodes
    instead.

    Raises:
        RuleViolation: for the same reasons as `list_paths`.
    """
    leaves = [
        (path, compute_leaf(path, value))
        for path, (_, value) in zip(list_paths(place, content), content.records, strict=True)
    ]
    return _compute_subtree(leaves, place.depth)


def list_paths(place: Place, content: Records) -> list[Hash]:
    """Return the paths of the records.

    Raises:
        RuleViolation: "range-out-of-place" if they are not under the node, or not in ascending order.
    """
    paths = [compute_path(StateKey(key)) for key, _ in content.records]
    low = int.from_bytes(place.path, "big")
    high = low + (1 << (PATH_BITS - place.depth)) - 1
    is_inside = not paths or (low <= int.from_bytes(paths[0], "big") and int.from_bytes(paths[-1], "big") <= high)
    if not is_inside or any(a >= b for a, b in pairwise(paths)):
        raise RuleViolation(
            Code.RANGE_OUT_OF_PLACE, f"records that are not all under their node at depth {place.depth}, in order"
        )
    return paths


def _compute_subtree(leaves: list[tuple[Hash, Hash]], depth: int) -> Hash:
    if len(leaves) <= 1:
        return leaves[0][1] if leaves else ZERO_HASH
    left = [leaf for leaf in leaves if not get_bit(leaf[0], depth)]
    right = leaves[len(left) :]
    return compute_node(_compute_subtree(left, depth + 1), _compute_subtree(right, depth + 1))
