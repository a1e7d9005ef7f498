"""Tests ids of files: the shape binds the length, strips are consecutive bytes, and impossible shapes are refused."""

import numpy as np
import pytest

from inos import work
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import (
    MAX_FILE_BYTES,
    STRIP_BYTES,
    DType,
    compute_file_length,
    compute_file_shape,
    is_ref_consistent,
    make_matrix_ref,
)
from inos.primitives.units import ZERO_HASH
from inos.work.files import compute_file_tree
from inos.work.strips import check_shape


@pytest.mark.parametrize(
    ("length", "shape"),
    [(0, (1, 0)), (1, (1, 1)), (1023, (1, 1023)), (1024, (1, 1024)), (1025, (2, 1)), (2**30, (2**20, 1024))],
)
def test_the_shape_of_a_file_binds_its_length(length: int, shape: tuple[int, int]) -> None:
    assert compute_file_shape(length) == shape
    assert compute_file_length(*shape) == length
    check_shape(DType.BYTES, *shape)


@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 1), (1, 1025), (2, 0), (2**20, 0), (2**20 + 1, 1), (2**32 - 1, 2**32 - 1)]
)
def test_a_shape_of_no_file_is_refused(shape: tuple[int, int]) -> None:
    ref = make_matrix_ref(DType.BYTES, *shape, ZERO_HASH)
    for check in (lambda: check_shape(DType.BYTES, *shape), lambda: work.check_ref(ref, DType.BYTES)):
        with pytest.raises(work.InvalidMatrix) as caught:
            check()
        assert caught.value.code == "bad-shape"


def test_the_id_is_that_of_its_strips_as_the_protocol_says() -> None:
    data = bytes(range(256)) * 100
    strips = [data[:STRIP_BYTES], data[STRIP_BYTES:].ljust(STRIP_BYTES, b"\0")]
    root = compute_hash(Context.MATRIX_NODE, b"".join(compute_hash(Context.MATRIX_STRIP, each) for each in strips))
    head = b"\3" + (25).to_bytes(4, "little") + (1024).to_bytes(4, "little")
    ref, tree = compute_file_tree(data)
    assert (ref.rows, ref.cols, ref.root, len(tree.leaves)) == (25, 1024, root, 2)
    assert ref.id == work.compute_file_id(data) == compute_hash(Context.MATRIX, head + root)
    assert is_ref_consistent(ref, DType.BYTES)
    assert not is_ref_consistent(ref, DType.INT7)


def test_the_empty_file_and_files_that_differ_in_zeros_have_ids_of_their_own() -> None:
    files = [bytes(length) for length in (0, 1, 2, 1024, 1025, STRIP_BYTES, STRIP_BYTES + 1)]
    assert len({work.compute_file_id(each) for each in files}) == len(files)
    assert work.compute_file_ref(b"").root == compute_hash(Context.MATRIX_STRIP, bytes(STRIP_BYTES))


def test_a_file_beyond_the_limit_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(work.InvalidMatrix) as caught:
        work.compute_file_ref(np.broadcast_to(np.uint8(0), MAX_FILE_BYTES + 1).data)
    assert caught.value.code == "file-too-long"
