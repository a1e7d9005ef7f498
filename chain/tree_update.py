"""Updates of the stored state tree by the changes of blocks, in C if it was compiled.

`inos.chain.state_tree.TreeUpdate` is the reference; a property test holds both to the same nodes and roots.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any, Final, Protocol

from msgspec import Struct

from inos.chain import schema
from inos.chain.errors import ChainError
from inos.chain.state_tree import TreeUpdate
from inos.consensus.records import StateKey
from inos.primitives.hashing import PREFIX, Context
from inos.primitives.native.library import load
from inos.primitives.units import HASH_BYTES, StateRoot

KEY_BYTES: Final = len(schema.NODE) + 2 + HASH_BYTES
"""A node's key in the database."""

Read = Callable[[bytes], bytes | None]
Nodes = dict[bytes, bytes | None]
"""Nodes to write under their keys in the database; None to delete one."""
ComputePaths = Callable[[Iterable[StateKey]], bytes | bytearray]
"""Returns the paths of all keys, 32 bytes each."""


class UpdatedTree(Struct, frozen=True, eq=False):
    """The root after some changes, and the nodes to write."""

    root: StateRoot
    nodes: Nodes


class Tree(Protocol):
    """A state tree in memory, over what the database has. It belongs to one thread."""

    def update(self, changes: Mapping[StateKey, bytes | None]) -> StateRoot:
        """Return the root after changes to records (None for a removed one). The tree stays as it is before `commit`;
        another update takes the place of one that was not committed.

        Raises:
            ChainError: "database-damaged": what is stored is no tree.
        """

    def list_nodes(self) -> Nodes:
        """Return the nodes that the last update changes."""

    def commit(self) -> None:
        """Make the tree the one after the last update. Its changed nodes are not stored yet.

        Raises:
            MemoryError: the tree is as before.
        """

    def count_changed(self) -> int:
        """Return how many nodes were changed and not taken since."""

    def take_nodes(self) -> Nodes:
        """Return these nodes; the caller stores them."""

    @property
    def size(self) -> int:
        """The bytes of memory that the tree takes."""


def update_tree(read: Read, changes: Mapping[StateKey, bytes | None]) -> UpdatedTree:
    """Return the state tree after changes to records, without writing anything.

    Args:
        read: reads the database. changes: records by key, None for a removed one.

    Raises:
        ChainError: "database-damaged": what is stored is no tree.
    """
    tree = open_tree(read)
    return UpdatedTree(tree.update(changes), tree.list_nodes())


def open_tree(read: Read) -> Tree:
    """Return a tree that knows no node yet.

    Args:
        read: reads the database, and is not asked for nodes that the tree has read or changed.
    """
    native = load()
    return ReferenceTree(read) if native is None else NativeTree(*native, read)


class ReferenceTree:
    """A `Tree` in Python. It remembers only what was changed."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._changed: Nodes = {}
        self._next: Nodes = {}

    def update(self, changes: Mapping[StateKey, bytes | None]) -> StateRoot:
        update = TreeUpdate(self._read_node, changes)
        self._next = {schema.node_key(key): node for key, node in update.nodes.items()}
        return update.root

    def _read_node(self, key: bytes) -> bytes | None:
        stored = schema.node_key(key)
        return self._changed[stored] if stored in self._changed else self._read(stored)

    def list_nodes(self) -> Nodes:
        return self._next

    def commit(self) -> None:
        self._changed |= self._next
        self._next = {}

    def count_changed(self) -> int:
        return len(self._changed)

    def take_nodes(self) -> Nodes:
        taken, self._changed = self._changed, {}
        return taken

    @property
    def size(self) -> int:
        return sum(map(len, self._changed)) + sum(map(len, filter(None, self._changed.values())))


class NativeTree:
    """A `Tree` in C. It remembers all nodes that it has read or changed.

    Args:
        compute_paths: by default those of the protocol.
    """

    def __init__(self, ffi: Any, lib: Any, read: Read, compute_paths: ComputePaths | None = None) -> None:
        self._ffi, self._lib, self._read = ffi, lib, read
        self._compute_paths = compute_paths or (lambda keys: hash_paths(ffi, lib, keys))
        opened = lib.inos_tree_open()
        if not opened:
            raise MemoryError("there is no memory for a state tree")
        self._tree = ffi.gc(opened, lib.inos_tree_close)

    def update(self, changes: Mapping[StateKey, bytes | None]) -> StateRoot:
        ffi, lib, tree = self._ffi, self._lib, self._tree
        values = [value or b"" for value in changes.values()]
        paths = self._compute_paths(changes)
        _check(
            lib.inos_tree_begin(
                tree,
                len(changes),
                ffi.from_buffer(paths),
                ffi.from_buffer(b"".join(changes)),
                _point(ffi, _list_ends(changes)),
                ffi.from_buffer(b"".join(values)),
                _point(ffi, _list_ends(values)),
                ffi.from_buffer(bytes(value is None for value in changes.values())),
            )
        )
        while wanted := _check(lib.inos_tree_advance(tree)):
            self._supply(wanted)
        root = bytearray(HASH_BYTES)
        lib.inos_tree_get_root(tree, ffi.from_buffer(root))
        return StateRoot(bytes(root))

    def _supply(self, wanted: int) -> None:
        """Read what the update wants, which is of one depth of the tree."""
        keys = bytearray(wanted * KEY_BYTES)
        self._lib.inos_tree_list_wanted(self._tree, ord(schema.NODE), self._ffi.from_buffer(keys))
        nodes = [self._read(key) or b"" for key in _cut(keys)]
        self._lib.inos_tree_supply(
            self._tree, self._ffi.from_buffer(b"".join(nodes)), _point(self._ffi, _list_ends(nodes))
        )

    def list_nodes(self) -> Nodes:
        return self._list(self._lib.inos_tree_count_writes, self._lib.inos_tree_list_writes)

    def commit(self) -> None:
        _check(self._lib.inos_tree_commit(self._tree))

    def count_changed(self) -> int:
        return int(self._lib.inos_tree_count_dirty(self._tree, self._ffi.NULL))

    def take_nodes(self) -> Nodes:
        return self._list(self._lib.inos_tree_count_dirty, self._lib.inos_tree_take_dirty)

    @property
    def size(self) -> int:
        return int(self._lib.inos_tree_get_size(self._tree))

    def _list(self, count_nodes: Callable[..., int], list_nodes: Callable[..., None]) -> Nodes:
        size = self._ffi.new("int64_t *")
        count = count_nodes(self._tree, size)
        keys, nodes, ends = bytearray(count * KEY_BYTES), bytearray(size[0]), array("q", bytes(8 * count))
        out = self._ffi.from_buffer(keys), self._ffi.from_buffer(nodes), _point(self._ffi, ends)
        list_nodes(self._tree, ord(schema.NODE), *out)
        data = bytes(nodes)
        values = [data[begin:end] or None for begin, end in pairwise((0, *ends))]
        return dict(zip(_cut(keys), values, strict=True))


def hash_paths(ffi: Any, lib: Any, keys: Iterable[StateKey]) -> bytearray:
    """Return the paths of state keys, 32 bytes each."""
    listed = list(keys)
    paths = bytearray(HASH_BYTES * len(listed))
    context = ffi.new("char[]", (PREFIX + Context.STATE_KEY).encode())
    data = ffi.from_buffer(b"".join(listed))
    lib.inos_hash_each(context, len(listed), data, _point(ffi, _list_ends(listed)), ffi.from_buffer(paths))
    return paths


def _cut(keys: bytearray) -> list[bytes]:
    data = bytes(keys)
    return [data[at : at + KEY_BYTES] for at in range(0, len(data), KEY_BYTES)]


def _list_ends(parts: Iterable[bytes]) -> "array[int]":
    return array("q", accumulate(map(len, parts)))


def _point(ffi: Any, numbers: "array[int]") -> Any:
    return ffi.from_buffer("int64_t[]", numbers)


def _check(code: int) -> int:
    if code >= 0:
        return code
    if code == -1:
        raise MemoryError("there is no memory for an update of the state tree")
    raise ChainError(
        "database-damaged",
        "a node of the state tree cannot be read",
        hint="put the folder back from a snapshot or a backup; or move it away and start again: the node then fetches "
        "the chain from its peers",
    )
