"""The tree that is stored node by node equals the reference that recomputes everything, and its proofs are valid.

The update in C leaves exactly the nodes that the one in Python leaves.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.chain.errors import ChainError
from inos.chain.schema import node_key
from inos.chain.state_tree import TreeUpdate, compute_node_key, make_tree_proof
from inos.chain.tree_update import NativeTree, ReferenceTree, Tree, UpdatedTree
from inos.consensus.records import StateKey
from inos.consensus.statetree import check_proof, compute_path, compute_state_root, make_proof
from inos.primitives.native.library import load
from inos.primitives.units import Hash, StateRoot

Records = dict[StateKey, bytes]
Nodes = dict[bytes, bytes]

keys = st.integers(0, 30).map(lambda n: StateKey(bytes([1, n])))
values = st.one_of(st.none(), st.binary(min_size=1, max_size=3))
batches = st.lists(st.dictionaries(keys, values, max_size=12), min_size=1, max_size=12)


def compute_close_path(key: StateKey) -> Hash:
    """Return a path that shares 0, 7, 8 or more than 240 bits, which hashes of a few keys never do."""
    n = key[1]
    return Hash(bytes([n & 3]) + bytes([n & 4]) * 30 + bytes([n >> 3]))


def apply(records: Records, changes: Mapping[StateKey, bytes | None]) -> None:
    for key, value in changes.items():
        if value is None:
            records.pop(key, None)
        else:
            records[key] = value


def store(nodes: Nodes, update: TreeUpdate | UpdatedTree) -> None:
    for key, node in update.nodes.items():
        if node is None:
            nodes.pop(key, None)
        else:
            nodes[key] = node


def check_tree(script: list[dict[StateKey, bytes | None]]) -> None:
    records: Records = {}
    nodes: Nodes = {}
    for changes in script:
        update = TreeUpdate(nodes.get, changes)
        store(nodes, update)
        apply(records, changes)
        assert update.root == compute_state_root(records)
    # A tree built from nothing has the same nodes: none is left over, and none is missing.
    fresh: Nodes = {}
    store(fresh, TreeUpdate(fresh.get, records))
    assert fresh == nodes
    root = StateRoot(compute_state_root(records))
    for number in range(32):
        key = StateKey(bytes([1, number]))
        value, proof = records.get(key), make_tree_proof(nodes.get, records.get, key)
        assert proof == make_proof(records, key)
        assert check_proof(root, key, value, proof)
        assert not check_proof(root, key, b"something else", proof)
        assert value is None or not check_proof(root, key, None, proof)


@settings(max_examples=60)
@given(batches)
def test_fast_tree_equals_the_reference(script: list[dict[StateKey, bytes | None]]) -> None:
    check_tree(script)


@settings(max_examples=40)
@given(batches)
def test_fast_tree_equals_the_reference_where_paths_are_close(script: list[dict[StateKey, bytes | None]]) -> None:
    with (
        patch("inos.chain.state_tree.compute_path", compute_close_path),
        patch("inos.consensus.statetree.compute_path", compute_close_path),
    ):
        check_tree(script)


@settings(max_examples=60)
@given(batches, st.dictionaries(keys, values, max_size=12))
def test_undone_changes_leave_the_same_nodes(
    script: list[dict[StateKey, bytes | None]], last: dict[StateKey, bytes | None]
) -> None:
    records: Records = {}
    nodes: Nodes = {}
    for changes in script:
        store(nodes, TreeUpdate(nodes.get, changes))
        apply(records, changes)
    before, root = dict(nodes), compute_state_root(records)
    store(nodes, TreeUpdate(nodes.get, last))
    undo = TreeUpdate(nodes.get, {key: records.get(key) for key in last})
    store(nodes, undo)
    assert (nodes, undo.root) == (before, root)


def test_node_keys_sort_by_depth_and_path() -> None:
    assert compute_node_key(0, 0) == bytes(34)
    assert compute_node_key(1, 1) == b"\x00\x01\x80" + bytes(31)
    path = int.from_bytes(compute_path(StateKey(b"\x01a")), "big")
    assert compute_node_key(256, path)[2:] == path.to_bytes(32, "big")


needs_native = pytest.mark.skipif(load() is None, reason="the extension was not compiled")
long_values = st.one_of(st.none(), st.binary(min_size=1, max_size=3), st.binary(min_size=990, max_size=5000))
many = st.lists(
    st.dictionaries(st.binary(min_size=1, max_size=50).map(StateKey), long_values, max_size=60), min_size=1, max_size=8
)


ComputePaths = Callable[[Iterable[StateKey]], bytes]


def open_native(nodes: Nodes, compute_paths: ComputePaths | None = None) -> NativeTree:
    native = load()
    assert native is not None
    return NativeTree(*native, nodes.get, compute_paths)


def check_native(script: list[dict[StateKey, bytes | None]], compute_paths: ComputePaths | None = None) -> None:
    expected: Nodes = {}
    nodes: Nodes = {}
    for changes in script:
        tree = open_native(nodes, compute_paths)
        update, in_c = TreeUpdate(expected.get, changes), UpdatedTree(tree.update(changes), tree.list_nodes())
        store(expected, update)
        store(nodes, in_c)
        assert in_c.root == update.root
        assert nodes == {node_key(key): node for key, node in expected.items()}
        assert in_c.nodes.keys() <= {node_key(key) for key in update.nodes}


@needs_native
@given(many)
def test_update_in_c_leaves_the_same_nodes(script: list[dict[StateKey, bytes | None]]) -> None:
    check_native(script)


@needs_native
@given(batches)
def test_update_in_c_leaves_the_same_nodes_of_few_records(script: list[dict[StateKey, bytes | None]]) -> None:
    check_native(script)


@needs_native
@given(batches)
def test_update_in_c_leaves_the_same_nodes_where_paths_are_close(script: list[dict[StateKey, bytes | None]]) -> None:
    with patch("inos.chain.state_tree.compute_path", compute_close_path):
        check_native(script, lambda keys: b"".join(map(compute_close_path, keys)))


@needs_native
@pytest.mark.parametrize("damaged", [b"X" + bytes(64), b"I" + bytes(63), b"I" + bytes(65), b"L" + bytes(63), b"L"])
def test_damaged_node_is_told(damaged: bytes) -> None:
    with pytest.raises(ChainError) as caught:
        open_native({node_key(compute_node_key(0, 0)): damaged}).update({StateKey(b"a"): b"b"})
    assert caught.value.code == "database-damaged"


class Step(NamedTuple):
    """An update of a tree that is kept, and what happens to it then."""

    changes: dict[StateKey, bytes | None]
    is_committed: bool
    is_taken: bool


steps = st.lists(
    st.builds(Step, st.dictionaries(keys, values, max_size=12), st.integers(0, 3).map(bool), st.booleans()),
    min_size=1,
    max_size=16,
)


def check_kept(tree: Tree, nodes: Nodes, script: list[Step], before: Nodes | None = None) -> None:
    """Hold a tree over `nodes`, which are those of `before`, to one that is read anew for each update."""
    expected: Nodes = before or {}
    for step in script:
        update = TreeUpdate(expected.get, step.changes)
        assert tree.update(step.changes) == update.root
        if step.is_committed:
            store(expected, update)
            tree.commit()
        if step.is_taken:
            store(nodes, UpdatedTree(update.root, tree.take_nodes()))
            assert nodes == {node_key(key): node for key, node in expected.items()}
            assert tree.count_changed() == 0
    store(nodes, UpdatedTree(update.root, tree.take_nodes()))
    assert nodes == {node_key(key): node for key, node in expected.items()}


@needs_native
@settings(max_examples=200)
@given(steps)
def test_a_tree_that_is_kept_leaves_the_same_nodes(script: list[Step]) -> None:
    nodes: Nodes = {}
    check_kept(open_native(nodes), nodes, script)


@needs_native
@settings(max_examples=200)
@given(steps)
def test_a_tree_that_is_kept_leaves_the_same_nodes_where_paths_are_close(script: list[Step]) -> None:
    nodes: Nodes = {}
    with patch("inos.chain.state_tree.compute_path", compute_close_path):
        check_kept(open_native(nodes, lambda keys: b"".join(map(compute_close_path, keys))), nodes, script)


@given(steps)
def test_a_tree_that_is_kept_in_python_leaves_the_same_nodes(script: list[Step]) -> None:
    nodes: Nodes = {}
    check_kept(ReferenceTree(nodes.get), nodes, script)


@needs_native
@given(batches, steps)
def test_a_tree_that_is_kept_reads_what_was_stored_before(
    before: list[dict[StateKey, bytes | None]], script: list[Step]
) -> None:
    """It finds a tree, and asks for no node twice."""
    stored: Nodes = {}
    for changes in before:
        store(stored, TreeUpdate(stored.get, changes))
    nodes = {node_key(key): node for key, node in stored.items()}
    asked: list[bytes] = []

    def read(key: bytes) -> bytes | None:
        asked.append(key)
        return nodes.get(key)

    native = load()
    assert native is not None
    check_kept(NativeTree(*native, read), nodes, script, stored)
    assert len(asked) == len(set(asked))
