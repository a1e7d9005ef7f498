"""The folding tree equals RFC 6962's recursive definition, and paths prove exactly their leaf."""

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from primitives.hashing import Context
from primitives.merkle import compute_path, compute_path_length, compute_root, compute_root_from_path

NODE = Context.MATRIX_NODE
leaves_strategy = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def hash_node(left: bytes, right: bytes) -> bytes:
    return blake3(left + right, derive_key_context="inos v1 matrix node").digest()


def split_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word, for leaves that are hashes already."""
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
