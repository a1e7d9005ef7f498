"""Tests runs of strips: which are refused although their hashes are right, and that a bad disk is noticed."""

from pathlib import Path

import numpy as np
import pytest

from inos import work
from inos.mesh.files import HEAD_BYTES, MatrixInfo
from inos.mesh.runs import check_run, compute_run_leaves, count_runs, get_bounds
from inos.mesh.store import MatrixStore
from inos.primitives.matrices import STRIP_BYTES, DType, MatrixRef, compute_file_shape
from inos.primitives.units import HASH_BYTES
from inos.work.strips import InvalidMatrix, StripTree


def make_tree(strips: list[bytes], dtype: DType, rows: int, cols: int) -> tuple[MatrixInfo, StripTree]:
    """Return the tree that an attacker may build over any bytes, and its id."""
    tree = StripTree(compute_run_leaves(b"".join(strips)))
    return MatrixInfo(dtype, rows, cols, tree.root), tree


@pytest.mark.parametrize(
    ("at", "byte", "shape", "code"),
    [
        (0, 64, (16, 1024), "entry-out-of-range"),
        (STRIP_BYTES - 1, 0x80, (16, 1024), "entry-out-of-range"),
        (15 * 1024, 1, (15, 1024), "nonzero-padding"),
        (1023, 1, (16, 1023), "nonzero-padding"),
        (STRIP_BYTES - 1, 1, (1, 1), "nonzero-padding"),
    ],
)
def test_a_tree_over_what_no_matrix_holds_is_refused(at: int, byte: int, shape: tuple[int, int], code: str) -> None:
    strip = bytearray(STRIP_BYTES)
    info, _ = make_tree([bytes(strip)], DType.INT7, *shape)
    check_run(info, 0, bytes(strip), ())
    strip[at] = byte
    info, _ = make_tree([bytes(strip)], DType.INT7, *shape)
    with pytest.raises(InvalidMatrix) as caught:
        check_run(info, 0, bytes(strip), ())
    assert caught.value.code == code


def test_results_have_another_padding_and_no_range() -> None:
    array = np.full((17, 257), -1, np.int32)
    strips = [work.compute_strip(array, index) for index in range(4)]
    info, _ = make_tree(strips, DType.INT32, 17, 257)
    check_run(info, 0, b"".join(strips), ())
    strips[1] = strips[1][:4] + b"\x01" + strips[1][5:]  # beyond column 257
    info, _ = make_tree(strips, DType.INT32, 17, 257)
    with pytest.raises(InvalidMatrix) as caught:
        check_run(info, 0, b"".join(strips), ())
    assert caught.value.code == "nonzero-padding"


@pytest.mark.parametrize(
    ("length", "at"),
    [(0, 0), (1, 1), (1023, 1023), (1024, 1024), (15 * 1024 + 7, 15 * 1024 + 7), (5000, STRIP_BYTES - 1)],
)
def test_a_file_has_any_bytes_and_zeros_behind_its_end(length: int, at: int) -> None:
    strip = bytearray(b"\xff" * length).ljust(STRIP_BYTES, b"\0")
    shape = compute_file_shape(length)
    info, _ = make_tree([bytes(strip)], DType.BYTES, *shape)
    check_run(info, 0, bytes(strip), ())
    work.check_strip(MatrixRef(info.id, *shape, info.root), DType.BYTES, 0, bytes(strip), ())
    strip[at] = 1
    info, _ = make_tree([bytes(strip)], DType.BYTES, *shape)
    with pytest.raises(InvalidMatrix) as caught:
        check_run(info, 0, bytes(strip), ())
    assert caught.value.code == "nonzero-padding"
    with pytest.raises(InvalidMatrix) as caught:
        work.check_strip(MatrixRef(info.id, *shape, info.root), DType.BYTES, 0, bytes(strip), ())
    assert caught.value.code == "nonzero-padding"


def test_the_last_run_of_a_file_is_checked_behind_its_end() -> None:
    length = 64 * STRIP_BYTES + 20 * 1024 + 3
    strips = [b"\xff" * STRIP_BYTES] * 65 + [(b"\xff" * (4 * 1024 + 3)).ljust(STRIP_BYTES, b"\0")]
    info, tree = make_tree(strips, DType.BYTES, *compute_file_shape(length))
    assert (info.size, info.data_bytes, info.strips) == (length, length + 1021, 66)
    for index in (0, 1):
        check_run(info, index, b"".join(strips[64 * index : 64 * index + 64]), tree.compute_node_path(6, index))
    for at in (4 * 1024 + 3, 5 * 1024, STRIP_BYTES - 1):
        wrong = bytearray(strips[65])
        wrong[at] = 0x80
        info, tree = make_tree([*strips[:65], bytes(wrong)], DType.BYTES, *compute_file_shape(length))
        with pytest.raises(InvalidMatrix) as caught:
            check_run(info, 1, strips[64] + bytes(wrong), tree.compute_node_path(6, 1))
        assert caught.value.code == "nonzero-padding"


def test_runs_of_a_large_matrix_have_short_paths_and_bounds() -> None:
    info = MatrixInfo(DType.INT7, 16 * 65, 1024, bytes(32))
    assert count_runs(info) == 2
    assert (get_bounds(info, 0), get_bounds(info, 1)) == ((0, 64), (64, 65))
    for index in (-1, 2):
        with pytest.raises(InvalidMatrix) as caught:
            get_bounds(info, index)
        assert caught.value.code == "index-outside-matrix"


def test_a_spoiled_run_is_given_to_nobody(tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(-64, 64, (512, 8192), np.int8)
    store = MatrixStore(tmp_path)
    matrix = store.put(array).matrix_id
    assert store.get_run(matrix, 3) is not None
    (file,) = tmp_path.rglob("*.matrix")
    with file.open("r+b") as opened:
        opened.seek(-1, 2)
        opened.write(bytes([array[-1, -1].astype(np.uint8) ^ 1]))
    assert store.get_run(matrix, 0) is not None
    assert store.get_run(matrix, 3) is None
    assert not store.has(matrix)
    assert store.get_status().damaged == 1


def test_entries_and_leaves_spoiled_alike_are_found_before_the_matrix_gets_its_name(tmp_path: Path) -> None:
    array = np.random.default_rng(2).integers(-64, 64, (512, 8192), np.int8)
    source, store = MatrixStore(tmp_path / "a"), MatrixStore(tmp_path / "b")
    info = source.info(source.put(array).matrix_id)
    assert info is not None
    store.arrivals.begin(info)
    runs = [source.get_run(info.id, index) for index in range(count_runs(info))]
    for index, run in enumerate(runs[:-1]):
        assert run is not None
        store.arrivals.add_run(info.id, index, run.data, run.path)
    store.close()
    (part,) = (tmp_path / "b").rglob("*.part")
    other = array.copy()
    other[0, 0] ^= 1
    forged = compute_run_leaves(work.compute_strip(other, 0))
    with part.open("r+b") as opened:  # as anyone who can write to the disk may do
        opened.seek(HEAD_BYTES)
        opened.write(forged)
        opened.seek(HEAD_BYTES + info.strips * HASH_BYTES)
        opened.write(other[0, :1].tobytes())
    store = MatrixStore(tmp_path / "b")
    store.arrivals.begin(info)
    assert store.arrivals.list_missing(info.id, 9) == [len(runs) - 1]
    last = runs[-1]
    assert last is not None
    assert not store.arrivals.add_run(info.id, len(runs) - 1, last.data, last.path)
    assert store.arrivals.list_missing(info.id, 9) == list(range(len(runs)))
    for index, run in enumerate(runs):
        assert run is not None
        store.arrivals.add_run(info.id, index, run.data, run.path)
    assert np.array_equal(store.get(info.id), array)  # type: ignore[arg-type]
