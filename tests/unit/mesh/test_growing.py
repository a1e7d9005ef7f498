"""A matrix written in slices is continued where it ended, after any kind of crash, and then is a matrix like
any other.
"""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos import work
from inos.mesh.errors import MeshError
from inos.mesh.growing import GrowingMatrix
from inos.mesh.store import MatrixStore
from inos.primitives.matrices import DType

RNG = np.random.default_rng(3)
Y = RNG.integers(-(2**31), 2**31, (150, 300), dtype=np.int32)
NAME = "job1"


def open_one(store: MatrixStore) -> GrowingMatrix:
    return store.growth.open(NAME, DType.INT32, *Y.shape)


def test_slices_add_up_to_the_stored_matrix(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    growing = open_one(store)
    for first, last in ((0, 16), (16, 144), (144, 150)):
        assert not growing.is_complete
        growing.write(first, Y[first:last])
    ref = store.adopt(growing)
    assert ref == work.matrix_ref(Y)
    found = store.get(ref.matrix_id)
    assert found is not None
    assert np.array_equal(found, Y)
    strips = [strip for strip, _ in store.get_strips(ref.matrix_id, 0, 40)]
    assert strips == [work.compute_strip(Y, at) for at in range(20)]
    assert store.count_bytes() == MatrixStore(tmp_path).count_bytes() > 0
    assert [path.name for path in (tmp_path / "growing").iterdir()] == [f"{NAME}.done"]


def test_a_process_that_stopped_loses_nothing_it_wrote(tmp_path: Path) -> None:
    open_one(MatrixStore(tmp_path)).write(0, Y[:64])
    again = open_one(MatrixStore(tmp_path))
    assert again.rows_done == 64
    again.write(64, Y[64:])
    assert MatrixStore(tmp_path).adopt(again) == work.matrix_ref(Y)


@pytest.mark.parametrize("call", range(4))
def test_a_disk_that_is_full_costs_the_slice_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Any of the writes is refused; there is room again afterwards, in this process or the next."""
    growing = open_one(MatrixStore(tmp_path))
    growing.write(0, Y[:32])
    write, calls = os.pwrite, iter(range(100))

    def refuse(file: int, data: Any, place: int) -> int:
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:5000], place)

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(MeshError) as caught:
        growing.write(32, Y[32:48])
    assert caught.value.code == "disk-full"
    assert growing.rows_done == 32
    monkeypatch.undo()
    assert open_one(MatrixStore(tmp_path)).rows_done == 32
    growing.write(32, Y[32:])
    assert MatrixStore(tmp_path).adopt(growing) == work.matrix_ref(Y)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 149), st.integers(0, 299), st.integers(0, 31))
def test_a_torn_slice_is_made_again(tmp_path_factory: Any, row: int, col: int, bit: int) -> None:
    """Any bit of the entries is damaged: rows before its strip stay, and its own and later ones are made again."""
    store = MatrixStore(tmp_path_factory.mktemp("torn"))
    growing = open_one(store)
    growing.write(0, Y)
    growing.close()
    data = bytearray(growing.path.read_bytes())
    at = len(data) - Y.nbytes + (row * Y.shape[1] + col) * 4 + bit // 8
    data[at] ^= 1 << bit % 8
    growing.path.write_bytes(bytes(data))
    assert open_one(store).rows_done == row // 16 * 16


def test_entries_without_their_leaves_do_not_count(tmp_path: Path) -> None:
    """The process dies between the two writes of a slice."""
    store = MatrixStore(tmp_path)
    growing = open_one(store)
    growing.write(0, Y[:32])
    growing.close()
    with growing.path.open("r+b") as file:
        file.seek(64 + 2 * 32)
        file.write(bytes(2 * 32))  # the second row of strips, two panels
    assert open_one(store).rows_done == 16


def test_another_matrix_under_the_same_name_begins_anew(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    open_one(store).write(0, Y[:16])
    other = store.growth.open(NAME, DType.INT32, 150, 299)
    assert other.rows_done == 0
    assert open_one(store).rows_done == 0


def test_only_the_next_whole_strips_are_taken(tmp_path: Path) -> None:
    growing = open_one(MatrixStore(tmp_path))
    for first, rows in ((16, Y[:16]), (0, Y[:15]), (0, Y[:0]), (0, Y[:16, :-1]), (0, np.vstack([Y, Y]))):
        with pytest.raises(ValueError, match="do not follow"):
            growing.write(first, rows)
    with pytest.raises(ValueError, match="rows are missing"):
        growing.finish()


def test_an_operand_out_of_range_is_refused_and_a_spoiled_one_made_again(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    growing = store.growth.open(NAME, DType.INT7, 32, 100)
    with pytest.raises(work.InvalidMatrix):
        growing.write(0, np.full((32, 100), 64, np.int8))
    growing.write(0, np.full((32, 100), 63, np.int8))
    growing.close()
    data = growing.path.read_bytes()
    growing.path.write_bytes(data[:-1] + b"\x7f")
    assert store.growth.open(NAME, DType.INT7, 32, 100).rows_done in (0, 16)


def test_what_was_stored_is_found_again_by_its_name(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    assert store.growth.find_adopted(NAME) is None
    growing = open_one(store)
    growing.write(0, Y)
    ref = store.adopt(growing)
    assert MatrixStore(tmp_path).growth.find_adopted(NAME) == store.growth.find_adopted(NAME) == ref
    store.growth.drop(NAME)
    assert store.growth.find_adopted(NAME) is None
    assert store.has(ref.matrix_id)
    assert list((tmp_path / "growing").iterdir()) == []


def test_limits(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path, max_bytes=1000)
    with pytest.raises(MeshError) as caught:
        open_one(store)
    assert caught.value.code == "store-full"
    with pytest.raises(work.InvalidMatrix):
        store.growth.open(NAME, DType.INT32, 0, 4)
    with pytest.raises(ValueError, match="not a valid file name"):
        store.growth.open("../x", DType.INT32, 1, 1)


def test_a_whole_row_of_strips_is_opened_with_one_path(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    ref = store.put(Y)
    row = store.open_row(ref.matrix_id, 4, 2)
    assert row is not None
    assert row.strips == work.compute_strip(Y, 4) + work.compute_strip(Y, 5)
    assert row.path == work.StripTree(work.compute_leaves(Y)).compute_range_path(4, 2)
    assert store.open_row(ref.matrix_id, 19, 2) is None
    assert store.open_row(work.matrix_id(np.ones((1, 1), np.int32)), 0, 1) is None
