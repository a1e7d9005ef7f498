"""Parts of a stored state tree: read with their proofs for peers, and built from what peers sent."""

from collections.abc import Callable
from typing import Final

from inos.chain.state_tree import (
    PATH_BITS,
    Inner,
    Leaf,
    Node,
    NodeKey,
    TreeUpdate,
    compute_node_key,
    decode_node,
    hash_of,
)
from inos.consensus.records import StateKey
from inos.consensus.stateranges import MAX_RANGE_RECORDS, Halves, Place, Records, StateRange, list_paths
from inos.consensus.statetree import compute_leaf
from inos.primitives.units import Hash

MAX_RANGE_BYTES: Final = 192 * 1024
"""The limit for the records in one answer, unless a single record is larger."""
_RECORD_EXTRA: Final = 16
"""An upper bound for lengths and headers in the encoding of one record."""

ReadNode = Callable[[NodeKey], bytes | None]
ReadRecord = Callable[[StateKey], bytes | None]


def compute_place_key(place: Place) -> NodeKey:
    """Return the key under which the node of a place is stored."""
    return place.depth.to_bytes(2, "big") + place.path


def read_range(read_node: ReadNode, read_record: ReadRecord, place: Place) -> StateRange | None:
    """Return what the tree has under a node, with its proof; None if no such node exists.

    Raises:
        LookupError: a leaf has no record, so the tree is not complete.
    """
    path = int.from_bytes(place.path, "big")
    siblings: list[Hash] = []
    for depth in range(place.depth):
        node = decode_node(read_node(compute_node_key(depth, path >> (PATH_BITS - depth))))
        if not isinstance(node, Inner):
            return None
        siblings.append(node.left if path >> (PATH_BITS - 1 - depth) & 1 else node.right)
    top = decode_node(read_node(compute_place_key(place)))
    if top is None and place.depth:
        return None
    records = _collect(read_node, read_record, place.depth, path >> (PATH_BITS - place.depth), top)
    if records is None and isinstance(top, Inner):
        return StateRange(tuple(siblings), Halves(top.left, top.right))
    return StateRange(tuple(siblings), Records(tuple(records or ())))


def _collect(
    read_node: ReadNode, read_record: ReadRecord, depth: int, prefix: int, top: Node
) -> list[tuple[bytes, bytes]] | None:
    """Return the records under a node in order; None if they are too many for one answer."""
    found: list[tuple[bytes, bytes]] = []
    size = 0
    waiting = [(depth, prefix, top)]
    while waiting:
        depth, prefix, node = waiting.pop()
        if isinstance(node, Inner):
            for side in (1, 0):
                half = prefix << 1 | side
                waiting.append((depth + 1, half, decode_node(read_node(compute_node_key(depth + 1, half)))))
        elif node is not None:
            value = read_record(node.key)
            if value is None:
                raise LookupError(f"the state tree has a leaf for {node.key.hex()}, but there is no record")
            found.append((node.key, value))
            size += len(node.key) + len(value) + _RECORD_EXTRA
            if waiting and (size > MAX_RANGE_BYTES or len(found) >= MAX_RANGE_RECORDS):
                return None
    return found


def build_range(place: Place, content: Records) -> tuple[Hash, dict[NodeKey, bytes | None]]:
    """Return the hash of a node with these records under it, and all nodes from there down.

    Raises:
        RuleViolation: "range-out-of-place".
    """
    leaves = [
        Leaf(int.from_bytes(path, "big"), compute_leaf(path, value), StateKey(key))
        for path, (key, value) in zip(list_paths(place, content), content.records, strict=True)
    ]
    tree = TreeUpdate(lambda key: None, {})
    top = tree.build(place.depth, int.from_bytes(place.path, "big") >> (PATH_BITS - place.depth), leaves)
    return hash_of(top), tree.nodes
