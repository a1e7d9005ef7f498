"""Matrices uploaded a few rows at a time: resumed after an interruption, refused out of order or under a wrong id."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from inos import work
from inos.core.matrices.uploads import MAX_OPEN, MAX_UPLOADS, Uploads
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


def make_older(folder: Path, matrix: MatrixId, age_s: float) -> None:
    """Make an upload look as if its last rows came `age_s` seconds ago."""
    then = time.time() - age_s
    os.utime(folder / "growing" / f"upload{matrix.hex()}", (then, then))


def name(number: int) -> MatrixId:
    return MatrixId(number.to_bytes(32, "big"))


def test_rows_of_unfinished_uploads_count_and_the_shape_alone_takes_and_evicts_nothing(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path, max_bytes=20 << 20, reserve=0)
    kept = store.put(np.zeros((1024, 8192), np.int8)).matrix_id
    before = store.count_bytes()
    uploads = Uploads(store)
    uploads.add(name(1), (2, 2**12, 2**10), 0, None)  # 16 MiB, which would need the room of `kept`.
    assert store.has(kept)
    assert store.count_bytes() - before < 200_000
    rows = np.zeros((256, 2**10), np.int32)
    uploads.add(name(1), (2, 2**12, 2**10), 0, rows)
    assert rows.nbytes <= store.count_bytes() - before < rows.nbytes + 300_000
    assert MatrixStore(tmp_path, max_bytes=20 << 20).count_bytes() - before >= rows.nbytes


def test_unfinished_uploads_have_a_share_and_the_one_that_paused_gives_way(tmp_path: Path) -> None:
    """Thirty unfinished uploads once took 504 MB that no status showed and nothing cleaned up."""
    store = MatrixStore(tmp_path, max_bytes=16 << 20, reserve=0)
    uploads, rows, shape = Uploads(store), np.zeros((256, 2**10), np.int32), (2, 2**12, 2**10)
    for number in range(3):
        uploads.add(name(number), shape, 0, rows)
    with pytest.raises(MeshError) as caught:
        uploads.add(name(3), shape, 0, rows)
    assert caught.value.code == "too-many-uploads"
    make_older(tmp_path, name(1), 61)
    assert uploads.add(name(3), shape, 0, rows) == 256
    assert [uploads.add(name(number), shape, 0, None) for number in range(4)] == [256, 0, 256, 256]
    assert store.count_bytes() <= 16 << 20


def test_uploads_are_bounded_in_number_and_expire(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    uploads = Uploads(store)
    for number in range(MAX_UPLOADS):
        uploads.add(name(number), SHAPE, 0, X[:16])
    assert uploads.add(name(MAX_UPLOADS), SHAPE, 0, None) == 0
    with pytest.raises(MeshError) as caught:
        uploads.add(name(MAX_UPLOADS), SHAPE, 0, X[:16])
    assert caught.value.code == "too-many-uploads"
    for number in range(MAX_UPLOADS):
        make_older(tmp_path, name(number), 3601)
    assert uploads.expire() == MAX_UPLOADS
    assert store.count_bytes() == 0
    assert list((tmp_path / "growing").iterdir()) == []
    assert uploads.add(name(MAX_UPLOADS), SHAPE, 0, X[:16]) == 16
