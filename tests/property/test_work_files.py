"""Compare the ids of files with those that the native kernels and a slow tree give the same strips."""

import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inos import work
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import STRIP_BYTES, compute_file_length
from inos.primitives.merkle import compute_root
from inos.work.backends.native.leaves import hash_leaves
from inos.work.files import compute_file_tree
from inos.work.strips import compute_file_leaves

lengths = st.integers(0, 5000) | st.integers(0, 8).map(lambda strips: strips * STRIP_BYTES) | st.integers(0, 200_000)


@settings(max_examples=60)
@given(lengths, st.integers(0, 2**32 - 1))
@example(0, 0)
@example(1, 0)
def test_a_file_has_the_tree_of_its_strips(length: int, seed: int) -> None:
    data = np.random.default_rng(seed).bytes(length)
    ref, tree = compute_file_tree(data)
    padded = data.ljust(max(1, -(-length // STRIP_BYTES)) * STRIP_BYTES, b"\0")
    leaves = [
        compute_hash(Context.MATRIX_STRIP, padded[at : at + STRIP_BYTES]) for at in range(0, len(padded), STRIP_BYTES)
    ]
    assert tree.leaves == leaves
    assert ref.root == compute_root(Context.MATRIX_NODE, leaves)
    assert compute_file_length(ref.rows, ref.cols) == length


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_kernels_and_files_give_the_same_strips_the_same_leaves(rows: int, seed: int) -> None:
    """Bytes within the range of operands are hashed as an operand of 1024 columns by the kernels."""
    array = np.random.default_rng(seed).integers(-64, 64, (rows, 1024), np.int8)
    found = compute_file_leaves(array.view(np.uint8).reshape(-1).data)
    native = hash_leaves(array, None)
    assert native is None or found == native
    assert found == b"".join(work.compute_leaves(array))


def test_hashing_a_file_stops_when_it_is_told_to() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(work.Stopped):
        work.compute_file_ref(bytes(5), stop)
