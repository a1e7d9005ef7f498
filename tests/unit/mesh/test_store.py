"""Tests the matrix store: its limits, what remains after a crash or on a bad disk, several threads at once."""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inos import work
from inos.mesh.errors import MeshError
from inos.mesh.files import HEAD_BYTES
from inos.mesh.runs import count_runs
from inos.mesh.store import MatrixInfo, MatrixStore
from inos.primitives.matrices import DType
from inos.primitives.units import HASH_BYTES
from inos.work import InvalidMatrix

RNG = np.random.default_rng(3)


def make_array(rows: int = 40, cols: int = 1500) -> NDArray[np.int8]:
    return RNG.integers(-64, 64, (rows, cols), np.int8)


def make_info(array: NDArray[Any]) -> MatrixInfo:
    ref = work.matrix_ref(array)
    return MatrixInfo(DType.INT7, ref.rows, ref.cols, ref.root)


def list_files(path: Path, suffix: str = "") -> list[Path]:
    return sorted(each for each in path.rglob(f"*{suffix}") if each.is_file() and each.stem != "book")


def test_putting_twice_writes_once(tmp_path: Path) -> None:
    store, array = MatrixStore(tmp_path), make_array()
    ref = store.put(array)
    (file,) = list_files(tmp_path)
    before = file.stat().st_mtime_ns
    assert store.put(array.copy()) == ref
    assert file.stat().st_mtime_ns == before
    assert store.count_bytes() == file.stat().st_size


def test_what_is_read_cannot_be_written_to(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    found = store.get(store.put(make_array()).matrix_id)
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


@pytest.mark.parametrize(
    "array",
    [np.full((2, 2), 64, np.int8), np.zeros((2, 2), np.int16), np.zeros(4, np.int8), np.zeros((0, 4), np.int8)],
    ids=["out of range", "another type", "one dimension", "no rows"],
)
def test_what_is_no_matrix_leaves_nothing(tmp_path: Path, array: NDArray[Any]) -> None:
    store = MatrixStore(tmp_path)
    with pytest.raises(InvalidMatrix):
        store.put(array)
    assert list_files(tmp_path) == []
    assert store.count_bytes() == 0


def test_unknown_matrix(tmp_path: Path) -> None:
    store, unknown = MatrixStore(tmp_path), work.matrix_id(make_array())
    assert store.get(unknown) is None
    assert store.info(unknown) is None
    assert not store.has(unknown)
    assert store.get_strips(unknown, 0, 1) == []
    assert store.arrivals.list_missing(unknown, 5) == []
    assert store.get_run(unknown, 0) is None
    with pytest.raises(MeshError) as caught:
        store.arrivals.add_run(unknown, 0, bytes(16384), ())
    assert caught.value.code == "unknown-matrix"


def test_strips_outside_the_matrix(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    matrix = store.put(make_array(40, 1500)).matrix_id
    assert len(store.get_strips(matrix, 0, 100)) == 6
    assert len(store.get_strips(matrix, 5, 100)) == 1
    assert store.get_strips(matrix, 6, 1) == []
    assert store.get_strips(matrix, -1, 1) == []


def test_full_store_refuses_and_stays_as_it_was(tmp_path: Path) -> None:
    first, second = make_array(), make_array()
    room = make_info(first).file_bytes
    store = MatrixStore(tmp_path, max_bytes=room + 100)
    store.put(first)
    for action in (lambda: store.put(second), lambda: store.arrivals.begin(make_info(second))):
        with pytest.raises(MeshError) as caught:
            action()
        assert caught.value.code == "store-full"
    assert store.count_bytes() == room
    assert len(list_files(tmp_path)) == 1


def test_impossible_matrices_are_not_begun(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    for dtype, rows, cols in ((1, 0, 5), (1, 5, 2**16 + 1), (2, 2**20 + 1, 1), (3, 2, 0), (3, 1, 1025)):
        with pytest.raises(InvalidMatrix):
            store.arrivals.begin(MatrixInfo(DType(dtype), rows, cols, bytes(32)))
    assert store.count_bytes() == 0


def test_crash_while_writing_leaves_no_half_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = make_array()

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    store = MatrixStore(tmp_path)
    monkeypatch.setattr("inos.mesh.files.os.fsync", fail)
    with pytest.raises(MeshError) as caught:
        store.put(array)
    assert caught.value.code == "disk-refuses"
    assert store.count_bytes() == 0
    assert list_files(tmp_path) == []
    monkeypatch.undo()
    ref = store.put(array)
    left = list_files(tmp_path)[0].with_suffix(".matrix.abcd.new")
    left.write_bytes(b"half")
    again = MatrixStore(tmp_path)
    assert again.has(ref.matrix_id)
    assert not left.exists()


@pytest.mark.parametrize("how", ["head", "other name", "empty"])
def test_file_that_is_no_matrix_is_set_aside(tmp_path: Path, how: str) -> None:
    matrix = MatrixStore(tmp_path).put(make_array()).matrix_id
    (file,) = list_files(tmp_path, ".matrix")
    data = file.read_bytes()
    match how:
        case "head":
            file.write_bytes(data[:12] + b"\xff" + data[13:])
        case "other name":
            file = file.replace(file.with_name(f"{bytes(32).hex()}.matrix"))
        case "empty":
            file.write_bytes(b"")
    store = MatrixStore(tmp_path)
    assert not store.has(matrix)
    assert store.list_ids() == []
    assert list_files(tmp_path) == [file.with_suffix(".damaged")]
    assert store.count_bytes() == 0


@pytest.mark.parametrize("at", [70, -1], ids=["leaves", "entries"])
def test_flipped_bit_on_disk_counts_as_missing(tmp_path: Path, at: int) -> None:
    """Otherwise a right result would look wrong, and peers would be sent spoiled strips."""
    array = make_array()
    for ask in ("get", "strips"):
        matrix = MatrixStore(tmp_path).put(array).matrix_id
        (file,) = list_files(tmp_path, ".matrix")
        data = bytearray(file.read_bytes())
        data[at] ^= 1
        file.write_bytes(data)
        store = MatrixStore(tmp_path)
        assert store.has(matrix)
        if ask == "get" and at > 0:
            found = store.get(matrix)  # the entries are sound
            assert found is not None
            assert np.array_equal(found, array)
        elif ask == "get":
            assert store.get(matrix) is None
        if ask == "strips" or at > 0:
            assert store.get_strips(matrix, 5, 1) == []
        assert not store.has(matrix)
        assert store.list_missing() == [(matrix, make_info(array))]
        store.put(array)
        assert store.list_missing() == []
        assert np.array_equal(store.get(matrix), array)  # type: ignore[arg-type]
        assert len(store.get_strips(matrix, 0, 100)) == 6


def test_deleted_file_counts_as_missing(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    first, second = store.put(make_array()).matrix_id, store.put(make_array()).matrix_id
    for file in list_files(tmp_path):
        file.unlink()
    assert store.get(first) is None
    assert store.get_strips(second, 0, 1) == []
    assert store.list_ids() == []


def test_many_threads(tmp_path: Path) -> None:
    """Several threads store and read the same matrices at once."""
    arrays = [make_array(320, 8192) for _ in range(4)]
    source, store = MatrixStore(tmp_path / "a"), MatrixStore(tmp_path / "b")
    infos = [make_info(array) for array in arrays]
    for array in arrays:
        source.put(array)
    failures: list[BaseException] = []

    def work_on(number: int) -> None:
        rng = np.random.default_rng(number)
        try:
            for which in rng.permutation(4):
                if number == 0:
                    store.put(arrays[which])
                    continue
                info = infos[which]
                store.arrivals.begin(info)
                for index in rng.permutation(count_runs(info)):
                    run = source.get_run(info.id, int(index))
                    assert run is not None
                    if store.has(info.id):
                        break
                    store.arrivals.begin(info)
                    store.arrivals.add_run(info.id, int(index), run.data, run.path)
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=work_on, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    for array, info in zip(arrays, infos, strict=True):
        assert np.array_equal(store.get(info.id), array)  # type: ignore[arg-type]
    assert store.count_bytes() == sum(each.stat().st_size for each in list_files(tmp_path / "b", ".matrix"))


def list_cuts(info: MatrixInfo, size: int) -> list[int]:
    """Return one length of each class: in and at the end of the head, the leaves, the first run, the whole file."""
    leaves = HEAD_BYTES + info.strips * HASH_BYTES
    return [0, 1, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 5, leaves - 1, leaves, leaves + 7, size // 2, size - 1]


@pytest.mark.parametrize("when", ["at the start", "while running", "after it was read"])
@pytest.mark.parametrize("how", ["get", "strips", "row", "run", "scrub", "copy"])
def test_a_file_of_another_length_is_missing_and_comes_back(tmp_path: Path, when: str, how: str) -> None:
    array = make_array(1040, 1500)
    info = make_info(array)
    for cut in range(10):
        store = MatrixStore(tmp_path / f"{cut}")
        assert store.put(array).matrix_id == info.id
        (file,) = list_files(tmp_path / f"{cut}", ".matrix")
        if when == "after it was read":
            assert store.get(info.id) is not None
            assert len(store.get_strips(info.id, 0, 2)) == 2
        length = list_cuts(info, file.stat().st_size)[cut]
        os.truncate(file, length)
        if when == "at the start":
            store = MatrixStore(tmp_path / f"{cut}")
        assert not use(store, info, how, tmp_path / f"{cut}-copy"), length
        assert not store.has(info.id), length
        assert list_files(tmp_path / f"{cut}-copy") == []
        store.put(array)
        assert np.array_equal(store.get(info.id), array)  # type: ignore[arg-type]
        assert use(store, info, how, tmp_path / f"{cut}-copy"), length


def use(store: MatrixStore, info: MatrixInfo, how: str, folder: Path) -> object:
    """Use a stored matrix up to its end; return something false if it is not there."""
    last = info.strips - 1
    match how:
        case "get":
            return store.get(info.id) is not None
        case "strips":
            return store.get_strips(info.id, last, 1)
        case "row":
            return store.open_row(info.id, last, 1)
        case "run":
            return store.get_run(info.id, count_runs(info) - 1)
        case "scrub":
            for _ in range(2 * count_runs(info) + 2):
                store.scrubber.step()
            return store.has(info.id)
        case _:
            folder.mkdir(exist_ok=True)
            return store.copy_file(info.id, folder)
