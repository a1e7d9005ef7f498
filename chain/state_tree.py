"""The state tree stored node by node, so that a block touches only the paths that it changes.

A node is stored under its depth and the bits above it. The root equals `inos.consensus.statetree.compute_state_root`
over all records, which a property test checks.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from inos.consensus.records import StateKey
from inos.consensus.statetree import OtherLeaf, StateProof, compute_leaf, compute_node, compute_path
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.units import ZERO_HASH, Hash, StateRoot

PATH_BITS: Final = 256
_INNER: Final = b"I"
_LEAF: Final = b"L"

_DEPTHS: Final = tuple(depth.to_bytes(2, "big") for depth in range(PATH_BITS + 1))
_MASKS: Final = tuple(((1 << depth) - 1) << (PATH_BITS - depth) for depth in range(PATH_BITS + 1))
"""Masks of the uppermost `depth` bits, by depth."""

NodeKey = bytes
"""depth u16 || the bits above, left-aligned in 32 bytes."""


class Leaf(NamedTuple):
    path: int
    hash: Hash
    key: StateKey
    """The key under which the record itself is stored."""


class Inner(NamedTuple):
    left: Hash
    right: Hash


Node = Leaf | Inner | None
Changes = list[tuple[int, Leaf | None]]


def compute_node_key(depth: int, prefix: int) -> NodeKey:
    return depth.to_bytes(2, "big") + (prefix << (PATH_BITS - depth)).to_bytes(32, "big")


def _compute_key_above(depth: int, path: int) -> NodeKey:
    """Return `compute_node_key` of the node at `depth` on the way to `path`."""
    return _DEPTHS[depth] + (path & _MASKS[depth]).to_bytes(32, "big")


class TreeUpdate:
    """The tree after changes to records: its new root, and the nodes to write (None: to delete).

    Args:
        read: reads a stored node by its key.
        changes: records by key, None for a removed one.
    """

    def __init__(self, read: Callable[[NodeKey], bytes | None], changes: Mapping[StateKey, bytes | None]) -> None:
        self._read_stored = read
        self.nodes: dict[NodeKey, bytes | None] = {}
        self.root = StateRoot(hash_of(self._update(0, 0, [_make_change(*change) for change in changes.items()])))

    def _update(self, depth: int, prefix: int, changes: Changes) -> Node:
        if len(changes) == 1:
            path, leaf = changes[0]
            if leaf is not None:
                return self._set_one(depth, path, leaf)
        node = self._read(depth, prefix)
        if not changes:
            return node
        if not isinstance(node, Inner):
            leaves = {} if node is None else {node.path: node}
            for path, leaf in changes:
                leaves.pop(path, None)
                if leaf is not None:
                    leaves[path] = leaf
            return self.build(depth, prefix, list(leaves.values()))
        bit = PATH_BITS - 1 - depth
        left = [change for change in changes if not change[0] >> bit & 1]
        right = [change for change in changes if change[0] >> bit & 1]
        # An unchanged side is read only if the other may have become empty or a single leaf.
        new_left = self._update(depth + 1, prefix << 1, left) if left else None
        new_right = self._update(depth + 1, prefix << 1 | 1, right) if right else None
        if left and right:
            return self._join(depth, prefix, new_left, new_right)
        if left:
            if isinstance(new_left, Inner):
                return self._write(depth, prefix, Inner(hash_of(new_left), node.right))
            return self._join(depth, prefix, new_left, self._read(depth + 1, prefix << 1 | 1))
        if isinstance(new_right, Inner):
            return self._write(depth, prefix, Inner(node.left, hash_of(new_right)))
        return self._join(depth, prefix, self._read(depth + 1, prefix << 1), new_right)

    def _set_one(self, depth: int, path: int, leaf: Leaf) -> Node:
        """Do the same as `_update` for one record that is set and moves no other one. Walk down its path and up again,
        on bytes alone.

        This is nearly all of a block's work, below the few levels that its records share.
        """
        way: list[bytes] = []
        bottom = depth
        while (data := self._read_bytes(bottom, path)) is not None and data[:1] == _INNER:
            way.append(data)
            bottom += 1
        node: Node = leaf
        if data is None or (old := _decode_leaf(data)).path == path:
            self.nodes[_compute_key_above(bottom, path)] = encode_node(leaf)
        else:
            node = self.build(bottom, path >> (PATH_BITS - bottom), [old, leaf])
        nodes, hashed = self.nodes, hash_of(node)
        for level in range(bottom - 1, depth - 1, -1):
            data = way.pop()
            is_right = path >> (PATH_BITS - 1 - level) & 1
            sides = data[1:33] + hashed if is_right else hashed + data[33:65]
            nodes[_compute_key_above(level, path)] = _INNER + sides
            if level > depth:
                hashed = compute_hash(Context.STATE_NODE, sides)
            else:
                node = Inner(Hash(sides[:32]), Hash(sides[32:]))
        return node

    def _join(self, depth: int, prefix: int, left: Node, right: Node) -> Node:
        """Return an inner node of two children; a single leaf moves up to the highest place where it is alone."""
        if left is None and not isinstance(right, Inner):
            return self._lift(depth, prefix, right, 1)
        if right is None and not isinstance(left, Inner):
            return self._lift(depth, prefix, left, 0)
        return self._write(depth, prefix, Inner(hash_of(left), hash_of(right)))

    def _lift(self, depth: int, prefix: int, leaf: Leaf | None, side: int) -> Node:
        self._write(depth + 1, prefix << 1 | side, None)
        return self._write(depth, prefix, leaf)

    def build(self, depth: int, prefix: int, leaves: list[Leaf]) -> Node:
        """Write the node under which exactly these leaves are, in any order."""
        if len(leaves) <= 1:
            return self._write(depth, prefix, leaves[0] if leaves else None)
        bit = PATH_BITS - 1 - depth
        left = self.build(depth + 1, prefix << 1, [leaf for leaf in leaves if not leaf.path >> bit & 1])
        right = self.build(depth + 1, prefix << 1 | 1, [leaf for leaf in leaves if leaf.path >> bit & 1])
        return self._write(depth, prefix, Inner(hash_of(left), hash_of(right)))

    def _read(self, depth: int, prefix: int) -> Node:
        key = compute_node_key(depth, prefix)
        return decode_node(self.nodes[key] if key in self.nodes else self._read_stored(key))

    def _read_bytes(self, depth: int, path: int) -> bytes | None:
        """Return the node at `depth` on the way to `path`."""
        key = _compute_key_above(depth, path)
        return self.nodes[key] if key in self.nodes else self._read_stored(key)

    def _write(self, depth: int, prefix: int, node: Node) -> Node:
        self.nodes[compute_node_key(depth, prefix)] = encode_node(node)
        return node


def make_tree_proof(
    read: Callable[[NodeKey], bytes | None], read_record: Callable[[StateKey], bytes | None], key: StateKey
) -> StateProof:
    """Return a proof of the record under `key`, or of its absence."""
    path = int.from_bytes(compute_path(key), "big")
    siblings: list[Hash] = []
    depth = 0
    while isinstance(node := decode_node(read(compute_node_key(depth, path >> (PATH_BITS - depth)))), Inner):
        side = path >> (PATH_BITS - 1 - depth) & 1
        siblings.append(node.left if side else node.right)
        depth += 1
    if node is None or node.path == path:
        return StateProof(tuple(siblings))
    value = read_record(node.key)
    if value is None:
        raise LookupError(f"the state tree has a leaf for {node.key.hex()}, but there is no record")
    return StateProof(tuple(siblings), OtherLeaf(node.path.to_bytes(32, "big"), value))


def _make_change(key: StateKey, value: bytes | None) -> tuple[int, Leaf | None]:
    path = compute_path(key)
    number = int.from_bytes(path, "big")
    return number, None if value is None else Leaf(number, compute_leaf(path, value), key)


def hash_of(node: Node) -> Hash:
    """Return the hash that represents a node in its parent."""
    if node is None:
        return ZERO_HASH
    return node.hash if isinstance(node, Leaf) else compute_node(node.left, node.right)


def encode_node(node: Node) -> bytes | None:
    """Return the stored form of a node; None for an empty one."""
    if node is None:
        return None
    if isinstance(node, Inner):
        return _INNER + node.left + node.right
    return _LEAF + node.path.to_bytes(32, "big") + node.hash + node.key


def decode_node(data: bytes | None) -> Node:
    """Return the node for its stored form."""
    if data is None:
        return None
    if data[:1] == _INNER:
        return Inner(Hash(data[1:33]), Hash(data[33:65]))
    return _decode_leaf(data)


def _decode_leaf(data: bytes) -> Leaf:
    return Leaf(int.from_bytes(data[1:33], "big"), Hash(data[33:65]), StateKey(data[65:]))
