"""The folding tree equals RFC 6962's recursive definition, and a path proves only its leaf."""

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.hashing import Context
from inos.primitives.merkle import (
    compute_path,
    compute_path_length,
    compute_range_path_length,
    compute_root,
    compute_root_from_path,
    compute_root_from_range,
)
from inos.work.strips import StripTree

NODE = Context.MATRIX_NODE
leaves_strategy = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def hash_node(left: bytes, right: bytes) -> bytes:
    return blake3(left + right, derive_key_context="inos v1 matrix node").digest()


def split_root(leaves: list[bytes]) -> bytes:
    """Compute RFC 6962, section 2.1, literally, for leaves that are already hashes."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hash_node(split_root(leaves[:split]), split_root(leaves[split:]))


@given(leaves_strategy)
def test_root_has_the_shape_of_rfc_6962(leaves: list[bytes]) -> None:
    assert compute_root(NODE, leaves) == split_root(leaves)


def test_empty_tree_is_32_zero_bytes() -> None:
    assert compute_root(NODE, []) == bytes(32)


@given(leaves_strategy, st.data())
def test_every_leaf_has_a_path_and_no_other_leaf_fits_it(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = compute_path(NODE, leaves, index)
    root = compute_root(NODE, leaves)
    assert len(path) == compute_path_length(index, len(leaves))
    assert compute_root_from_path(NODE, leaves[index], index, len(leaves), path) == root
    other = bytes([leaves[index][0] ^ 1]) + leaves[index][1:]
    assert compute_root_from_path(NODE, other, index, len(leaves), path) != root


def test_a_path_of_the_wrong_length_or_an_index_outside_is_refused() -> None:
    leaves = [bytes([i]) * 32 for i in range(5)]
    path = compute_path(NODE, leaves, 1)
    with pytest.raises(ValueError, match="has 3 hashes, got 2"):
        compute_root_from_path(NODE, leaves[1], 1, 5, path[:-1])
    with pytest.raises(ValueError, match="outside a tree of 5"):
        compute_root_from_path(NODE, leaves[1], 5, 5, path)
    with pytest.raises(IndexError):
        compute_path(NODE, leaves, 5)


@given(leaves_strategy, st.data())
def test_every_range_has_a_path_and_nothing_else_fits_it(leaves: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(leaves) - 1))
    count = data.draw(st.integers(1, len(leaves) - first))
    path = StripTree(leaves).compute_range_path(first, count)
    chosen, root = leaves[first : first + count], compute_root(NODE, leaves)
    assert len(path) == compute_range_path_length(first, count, len(leaves))
    assert compute_root_from_range(NODE, chosen, first, len(leaves), path) == root
    at = data.draw(st.integers(0, count - 1))
    changed = [*chosen[:at], bytes([chosen[at][0] ^ 1]) + chosen[at][1:], *chosen[at + 1 :]]
    assert compute_root_from_range(NODE, changed, first, len(leaves), path) != root
    if count == 1:
        assert path == compute_path(NODE, leaves, first)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70, unique=True), st.data())
def test_a_range_moved_does_not_pass(leaves: list[bytes], data: st.DataObject) -> None:
    """A path is valid only for a tree of its own size, which a matrix id covers; in a tree of another size, the same
    hashes may have other positions.
    """
    first = data.draw(st.integers(0, len(leaves) - 1))
    count = data.draw(st.integers(1, len(leaves) - first))
    path = StripTree(leaves).compute_range_path(first, count)
    other = data.draw(st.integers(-1, len(leaves)).filter(lambda place: place != first))
    try:
        root = compute_root_from_range(NODE, leaves[first : first + count], other, len(leaves), path)
    except ValueError:
        return
    assert root != compute_root(NODE, leaves)


def test_ranges_that_cannot_be() -> None:
    leaves = [bytes([i]) * 32 for i in range(5)]
    path = StripTree(leaves).compute_range_path(1, 3)
    for chosen, first, cut in ((leaves[1:4], 1, 1), ([], 1, 0), (leaves[1:4], 3, 0), (leaves[1:4], -1, 0)):
        with pytest.raises(ValueError, match=r"hashes, got|not a range"):
            compute_root_from_range(NODE, chosen, first, 5, path[cut:])


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_nodes_that_are_no_hashes_are_refused(size: int) -> None:
    good, bad = bytes(32), bytes(size)
    for leaf, count, path in ((bad, 1, []), (bad, 2, [good]), (good, 2, [bad])):
        with pytest.raises(ValueError, match="32 bytes"):
            compute_root_from_path(NODE, leaf, 0, count, path)
        with pytest.raises(ValueError, match="32 bytes"):
            compute_root_from_range(NODE, [leaf], 0, count, path)
    if size != 64:
        with pytest.raises(ValueError, match="32 bytes"):
            StripTree(bytearray(bad))
