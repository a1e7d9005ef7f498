"""Tests files in the matrix store: what is read back, what a bad disk spoils, and how runs repair it."""

import os
from pathlib import Path

import numpy as np
import pytest

from inos import work
from inos.mesh.files import MatrixInfo
from inos.mesh.runs import count_runs
from inos.mesh.store import MatrixStore
from inos.primitives.matrices import PANEL_BYTES, DType, compute_file_shape
from inos.primitives.units import MatrixId

LENGTHS = (0, 1, 1023, 1024, 20_000, (1 << 20) + 5000)


def make_data(length: int) -> bytes:
    return np.random.default_rng(length).bytes(length)


def make_info(data: bytes) -> MatrixInfo:
    ref = work.compute_file_ref(data)
    return MatrixInfo(DType.BYTES, ref.rows, ref.cols, ref.root)


def get_file(folder: Path, id: MatrixId) -> Path:
    return folder / id.hex()[:2] / f"{id.hex()}.matrix"


def repair(store: MatrixStore, source: MatrixStore, info: MatrixInfo) -> list[int]:
    """Bring the missing runs from another store, and return which ones."""
    store.arrivals.begin(info)
    missing = store.arrivals.list_missing(info.id, 100)
    for index in missing:
        run = source.get_run(info.id, index)
        assert run is not None
        store.arrivals.add_run(info.id, index, run.data, run.path)
    return missing


@pytest.mark.parametrize("length", LENGTHS)
def test_a_file_is_read_back_in_every_way(tmp_path: Path, length: int) -> None:
    data = make_data(length)
    info = make_info(data)
    store = MatrixStore(tmp_path / "a")
    assert store.put_bytes(data) == store.put_bytes(memoryview(data))
    assert get_file(tmp_path / "a", info.id).stat().st_size == info.file_bytes == store.count_bytes()
    for each in (store, MatrixStore(tmp_path / "a")):
        assert each.info(info.id) == info
        assert each.get_bytes(info.id) == data
        array = each.get(info.id)
        assert array is not None
        assert (array.dtype, array.shape, array.flags.writeable) == (np.uint8, (length,), False)
        assert each.open_row(info.id, info.strips - 1, 1) is not None
        (tmp_path / "copy").mkdir(exist_ok=True)
        assert each.copy_file(info.id, tmp_path / "copy") == info.file_bytes
    for _ in range(2 * count_runs(info) + 2):
        store.scrubber.step()
    assert store.scrubber.rounds >= 1
    assert store.get_status().damaged == 0
    assert MatrixStore(tmp_path / "copy").get_bytes(info.id) == data
    other = MatrixStore(tmp_path / "b")
    assert repair(other, store, info) == list(range(count_runs(info)))
    assert other.get_bytes(info.id) == data
    assert get_file(tmp_path / "b", info.id).read_bytes() == get_file(tmp_path / "a", info.id).read_bytes()


@pytest.mark.parametrize("how", ["get", "strips", "run", "scrub"])
@pytest.mark.parametrize("at", ["last byte", "padding", "cut"])
def test_a_spoiled_file_counts_as_missing_and_its_last_run_is_fetched_again(tmp_path: Path, how: str, at: str) -> None:
    data = make_data((1 << 20) + 5000)
    info = make_info(data)
    source, store = MatrixStore(tmp_path / "a"), MatrixStore(tmp_path / "b")
    source.put_bytes(data)
    store.put_bytes(data)
    path = get_file(tmp_path / "b", info.id)
    padding = -len(data) % PANEL_BYTES
    assert padding > 0
    if at == "cut":
        os.truncate(path, info.file_bytes - padding - 1)
    else:
        spoiled = bytearray(path.read_bytes())
        spoiled[-1 if at == "padding" else -padding - 1] ^= 1
        path.write_bytes(spoiled)
    store = MatrixStore(tmp_path / "b")
    match how:
        case "get":
            assert store.get_bytes(info.id) is None
        case "strips":
            assert store.get_strips(info.id, info.strips - 1, 1) == []
        case "run":
            assert store.get_run(info.id, 1) is None
        case _:
            for _ in range(5):
                store.scrubber.step()
    assert not store.has(info.id)
    assert store.list_missing() == [(info.id, info)]
    assert repair(store, source, info) == [1]
    assert store.get_bytes(info.id) == data
    assert path.stat().st_size == info.file_bytes


def test_numbers_are_no_file_and_a_file_is_no_matrix_of_numbers(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    array = np.zeros((16, 1024), np.int8)
    matrix = store.put(array).matrix_id
    file = store.put_bytes(array.tobytes()).matrix_id
    assert matrix != file
    with pytest.raises(work.InvalidMatrix) as caught:
        store.get_bytes(matrix)
    assert caught.value.code == "not-bytes"
    assert store.get_bytes(MatrixId(bytes(32))) is None
    with pytest.raises(work.InvalidMatrix):
        store.put(np.zeros((16, 1024), np.uint8))


def test_a_file_grows_by_rows_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    data = make_data(40_000)
    rows, cols = compute_file_shape(len(data))
    stored = np.frombuffer(data.ljust(rows * PANEL_BYTES, b"\0"), np.uint8).reshape(rows, PANEL_BYTES)
    growing = MatrixStore(tmp_path).growth.open("one", DType.BYTES, rows, cols)
    growing.write(0, stored[:32])
    growing.close()
    store = MatrixStore(tmp_path)
    growing = store.growth.open("one", DType.BYTES, rows, cols)
    assert growing.rows_done == 32
    wrong = stored[32:].copy()
    wrong[-1, -1] = 1
    with pytest.raises(work.InvalidMatrix) as caught:
        growing.write(32, wrong)
    assert caught.value.code == "nonzero-padding"
    growing.write(32, stored[32:])
    assert store.adopt(growing) == work.compute_file_ref(data)
    assert store.get_bytes(work.compute_file_id(data)) == data


def test_the_empty_file_can_be_pinned_dropped_and_evicted(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path, max_bytes=1200)
    store.retention.set_needed(())
    empty = store.put_bytes(b"").matrix_id
    store.retention.pin(empty)
    assert not store.drop(empty)
    store.retention.unpin(empty)
    other = store.put_bytes(b"x").matrix_id
    assert store.list_ids() == [other]
    assert store.drop(other)
    assert store.count_bytes() == 0
