"""Matrices uploaded a few rows at a time: resumed after an interruption, refused out of order or under a wrong id."""

from pathlib import Path

import numpy as np
import pytest

from inos import work
from inos.core.matrices.uploads import MAX_OPEN, Uploads
from inos.mesh.errors import MeshError
from inos.mesh.store import MatrixStore
from inos.primitives.units import MatrixId

X = np.random.default_rng(2).integers(-64, 64, (40, 70), dtype=np.int8)
SHAPE = (1, 40, 70)
ID = work.matrix_id(X)


def test_rows_add_up_and_the_matrix_is_served(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    uploads = Uploads(store)
    assert uploads.add(ID, SHAPE, 0, None) == 0
    assert uploads.add(ID, SHAPE, 0, X[:32]) == 32
    assert not store.has(ID)
    assert Uploads(MatrixStore(tmp_path)).add(ID, SHAPE, 0, None) == 32  # as after a restart
    assert uploads.add(ID, SHAPE, 32, X[32:]) == 40
    found = store.get(ID)
    assert found is not None
    assert np.array_equal(found, X)
    assert uploads.add(ID, SHAPE, 0, X[:16]) == 40
    assert list((tmp_path / "growing").iterdir()) == []


def test_rows_out_of_order_are_refused_with_the_next_one(tmp_path: Path) -> None:
    uploads = Uploads(MatrixStore(tmp_path))
    uploads.add(ID, SHAPE, 0, X[:16])
    for first, rows in ((0, X[:16]), (32, X[32:]), (16, X[16:20])):
        with pytest.raises(MeshError) as caught:
            uploads.add(ID, SHAPE, first, rows)
        assert caught.value.code == "rows-out-of-order"
        assert "the next row is 16" in caught.value.hint


def test_other_rows_than_the_id_says_are_not_that_matrix(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    with pytest.raises(MeshError) as caught:
        Uploads(store).add(ID, SHAPE, 0, np.flipud(X))
    assert caught.value.code == "wrong-matrix"
    assert not store.has(ID)
    assert list((tmp_path / "growing").iterdir()) == []


def test_few_files_are_open_at_a_time_and_none_is_lost(tmp_path: Path) -> None:
    uploads = Uploads(MatrixStore(tmp_path))
    ids = [MatrixId(bytes([n]) * 32) for n in range(2 * MAX_OPEN)]
    for matrix in ids:
        uploads.add(matrix, SHAPE, 0, X[:16])
    assert [uploads.add(matrix, SHAPE, 0, None) for matrix in ids] == [16] * len(ids)
    assert len(uploads._open) == MAX_OPEN
