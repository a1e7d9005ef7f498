"""The update of the stored state tree by the changes of a block, in C if it was compiled.

`inos.chain.state_tree.TreeUpdate` is the reference; a property test holds both to the same nodes and roots.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any, Final

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


class UpdatedTree(Struct, frozen=True, eq=False):
    """The root after some changes, and the nodes to write under their keys in the database (None: to delete)."""

    root: StateRoot
    nodes: Mapping[bytes, bytes | None]


def update_tree(read: Read, changes: Mapping[StateKey, bytes | None]) -> UpdatedTree:
    """Return the state tree after changes to records, without writing anything.

    Args:
        read: reads the database. changes: records by key, None for a removed one.

    Raises:
        ChainError: "database-damaged": what is stored is no tree.
    """
    native = load()
    if native is None:
        update = TreeUpdate(lambda key: read(schema.node_key(key)), changes)
        return UpdatedTree(update.root, {schema.node_key(key): node for key, node in update.nodes.items()})
    return update_natively(*native, read, changes)


def update_natively(
    ffi: Any,
    lib: Any,
    read: Read,
    changes: Mapping[StateKey, bytes | None],
    compute_paths: Callable[[Iterable[StateKey]], bytes] | None = None,
) -> UpdatedTree:
    """Do the same in C.

    Args:
        compute_paths: returns the paths of all keys, 32 bytes each; by default those of the protocol.
    """
    values = [value or b"" for value in changes.values()]
    paths = hash_paths(ffi, lib, changes) if compute_paths is None else compute_paths(changes)
    tree = lib.inos_tree_begin(
        len(changes),
        ffi.from_buffer(paths),
        ffi.from_buffer(b"".join(changes)),
        _point(ffi, _list_ends(changes)),
        ffi.from_buffer(b"".join(values)),
        _point(ffi, _list_ends(values)),
        ffi.from_buffer(bytes(value is None for value in changes.values())),
    )
    if not tree:
        raise _explain(-1)
    try:
        _read_nodes(ffi, lib, tree, read)
        return _take_result(ffi, lib, tree)
    finally:
        lib.inos_tree_end(tree)


def hash_paths(ffi: Any, lib: Any, keys: Iterable[StateKey]) -> bytearray:
    """Return the paths of state keys, 32 bytes each."""
    listed = list(keys)
    paths = bytearray(HASH_BYTES * len(listed))
    context = ffi.new("char[]", (PREFIX + Context.STATE_KEY).encode())
    data = ffi.from_buffer(b"".join(listed))
    lib.inos_hash_each(context, len(listed), data, _point(ffi, _list_ends(listed)), ffi.from_buffer(paths))
    return paths


def _read_nodes(ffi: Any, lib: Any, tree: Any, read: Read) -> None:
    """Read what the update wants, one depth of the tree after the other."""
    while wanted := lib.inos_tree_advance(tree):
        if wanted < 0:
            raise _explain(wanted)
        keys = bytearray(wanted * KEY_BYTES)
        lib.inos_tree_list_wanted(tree, ord(schema.NODE), ffi.from_buffer(keys))
        nodes = [read(key) or b"" for key in _cut(bytes(keys))]
        lib.inos_tree_supply(tree, ffi.from_buffer(b"".join(nodes)), _point(ffi, _list_ends(nodes)))


def _take_result(ffi: Any, lib: Any, tree: Any) -> UpdatedTree:
    root, size = bytearray(HASH_BYTES), ffi.new("int64_t *")
    lib.inos_tree_get_root(tree, ffi.from_buffer(root))
    count = lib.inos_tree_count_writes(tree, size)
    keys, nodes, ends = bytearray(count * KEY_BYTES), bytearray(size[0]), array("q", bytes(8 * count))
    out = ffi.from_buffer(keys), ffi.from_buffer(nodes), _point(ffi, ends)
    lib.inos_tree_list_writes(tree, ord(schema.NODE), *out)
    data = bytes(nodes)
    values = [data[begin:end] or None for begin, end in pairwise((0, *ends))]
    return UpdatedTree(StateRoot(bytes(root)), dict(zip(_cut(bytes(keys)), values, strict=True)))


def _cut(keys: bytes) -> list[bytes]:
    return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]


def _list_ends(parts: Iterable[bytes]) -> "array[int]":
    return array("q", accumulate(map(len, parts)))


def _point(ffi: Any, numbers: "array[int]") -> Any:
    return ffi.from_buffer("int64_t[]", numbers)


def _explain(code: int) -> Exception:
    if code == -1:
        return MemoryError("there is no memory for an update of the state tree")
    return ChainError(
        "database-damaged",
        "a node of the state tree cannot be read",
        hint="put the folder back from a snapshot or a backup; or move it away and start again: the node then fetches "
        "the chain from its peers",
    )
