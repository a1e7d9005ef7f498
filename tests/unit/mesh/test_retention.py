"""Tests what the store keeps and deletes, what it does about a bad disk, and what survives a killed process."""

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inos import work
from inos.mesh.demand import HALF_LIFE_MS, MAX_DEMAND, Demand
from inos.mesh.errors import MeshError
from inos.mesh.runs import count_runs
from inos.mesh.store import MatrixInfo, MatrixStore
from inos.primitives.matrices import DType
from inos.primitives.units import MatrixId
from support.disks import fill_disk, small_disk


def make_array(seed: int, rows: int = 16, cols: int = 1024) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-64, 64, (rows, cols), np.int8)


def make_info(array: NDArray[Any]) -> MatrixInfo:
    ref = work.matrix_ref(array)
    return MatrixInfo(DType.INT7, ref.rows, ref.cols, ref.root)


SIZE = make_info(make_array(0)).file_bytes


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


def open_store(path: Path, matrices: int | None = None, clock: Clock | None = None) -> MatrixStore:
    store = MatrixStore(
        path, max_bytes=None if matrices is None else matrices * SIZE, reserve=0, now_ms=clock or Clock()
    )
    store.retention.set_needed(())
    return store


def get_code(call: Any) -> str:
    with pytest.raises(MeshError) as caught:
        call()
    return caught.value.code


def test_demand_halves_and_is_bounded() -> None:
    demand = Demand().add(0, 8.0)
    assert [demand.get(n * HALF_LIFE_MS) for n in range(4)] == [8.0, 4.0, 2.0, 1.0]
    assert demand.get(-5) == 8.0
    assert demand.add(HALF_LIFE_MS).get(HALF_LIFE_MS) == 5.0
    assert Demand().add(0, 1e9).get(0) == MAX_DEMAND


def test_nothing_gives_way_before_the_needs_are_known(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path, max_bytes=SIZE, reserve=0)
    kept = store.put(make_array(1)).matrix_id
    assert get_code(lambda: store.put(make_array(2))) == "store-full"
    assert not store.drop(kept)
    store.retention.set_needed(())
    store.put(make_array(2))
    assert not store.has(kept)


def test_what_was_asked_for_long_ago_gives_way_to_what_was_asked_for_lately(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(tmp_path, 2, clock)
    old, new = store.put(make_array(1)).matrix_id, store.put(make_array(2)).matrix_id
    for _ in range(5):
        store.get_run(old, 0)
    clock.now += 4 * HALF_LIFE_MS
    store.get_run(new, 0)
    store.put(make_array(3))
    assert (store.has(old), store.has(new)) == (False, True)


def test_what_was_settled_lately_gives_way_after_all_others(tmp_path: Path) -> None:
    store = open_store(tmp_path, 3)
    ids = [store.put(make_array(n)).matrix_id for n in range(3)]
    for _ in range(9):
        store.get_run(ids[1], 0)
    store.retention.set_needed([ids[2]], [ids[0]])
    assert [store.retention.is_promised(matrix) for matrix in ids] == [True, False, True]
    store.put(make_array(3))
    assert store.list_ids() == sorted([ids[0], ids[2], make_info(make_array(3)).id])
    store.retention.set_needed([ids[2], make_info(make_array(3)).id], [ids[0]])
    store.put(make_array(4))
    assert not store.has(ids[0])
    assert store.has(ids[2])


def test_what_comes_from_others_pushes_out_nothing_that_was_given_a_moment_ago(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(tmp_path, 2, clock)
    given = [store.put(make_array(n)).matrix_id for n in range(2)]
    assert get_code(lambda: store.arrivals.begin(make_info(make_array(2)))) == "store-full"
    assert store.list_ids() == sorted(given)
    store.put(make_array(3))  # a matrix put here pushes them out, and so does one that the chain needs
    needed = make_info(make_array(4))
    store.retention.set_needed([needed.id])
    store.arrivals.begin(needed)
    assert len(store.list_ids()) == 1
    store.retention.set_needed([])
    clock.now += HALF_LIFE_MS
    source, late = MatrixStore(tmp_path / "source"), make_info(make_array(2))
    source.put(make_array(2))
    store.arrivals.begin(late)
    assert len(store.retention.list_entries()) == 3, "nothing of it is here yet"
    run = source.get_run(late.id, 0)
    assert run is not None
    assert store.arrivals.add_run(late.id, 0, run.data, run.path)
    assert len(store.retention.list_entries()) == 2


def test_pins_quota_and_demand_survive_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(tmp_path, 3, clock)
    ids = [store.put(make_array(n)).matrix_id for n in range(3)]
    store.retention.pin(ids[0])
    store.retention.pin(MatrixId(bytes(32)))
    store.get_run(ids[1], 0)
    store.retention.set_quota(2 * SIZE)
    assert store.list_ids() == sorted(ids[:2])
    store.close()
    again = open_store(tmp_path, 3, clock)
    assert again.retention.list_pins() == [ids[0], bytes(32)]
    assert again.retention.get_demand(ids[1]) == 2.0
    assert again.get_status().quota == 2 * SIZE
    again.put(make_array(9))
    assert again.has(ids[0])
    assert not again.has(ids[1])
    assert again.list_missing() == [(bytes(32), None)]
    assert again.retention.unpin(ids[0])
    assert not again.retention.unpin(ids[0])
    again.retention.set_quota(None)
    assert again.get_status().quota == 3 * SIZE


@pytest.mark.parametrize("how", ["gone", "spoiled", "cut"])
def test_pins_survive_a_spoiled_book(tmp_path: Path, how: str) -> None:
    store = open_store(tmp_path)
    ids = [store.put(make_array(n)).matrix_id for n in range(3)]
    for matrix in ids:
        store.retention.pin(matrix)
    book = tmp_path / "book"
    data = book.read_bytes()
    if how == "gone":
        book.unlink()
    else:
        book.write_bytes(b"?" * len(data) if how == "spoiled" else data[:-9])
    assert open_store(tmp_path).retention.list_pins() == ids[:2]  # all but the last one, at the worst


def test_a_quota_below_what_is_kept_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ids = [store.put(make_array(n)).matrix_id for n in range(2)]
    store.retention.pin(ids[0])
    store.retention.set_needed([ids[1]])
    assert get_code(lambda: store.retention.set_quota(SIZE)) == "store-full"
    assert store.get_status().quota is None
    assert store.list_ids() == sorted(ids)


def test_a_download_that_does_not_fit_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path, 2)
    small = store.put(make_array(1)).matrix_id
    assert get_code(lambda: store.arrivals.begin(make_info(make_array(2, 64)))) == "store-full"
    assert store.has(small)


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    array = make_array(1, 1024, 1024)
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        store = open_store(disk)
        kept = store.put(make_array(2, 16, 1024))
        filler = fill_disk(disk)
        os.truncate(filler, filler.stat().st_size - (256 << 10))
        before = sorted(path for path in disk.rglob("*") if path.is_file())
        with pytest.raises(MeshError) as refused:
            store.put(array)
        assert refused.value.code in ("store-full", "disk-full")
        assert sorted(path for path in disk.rglob("*") if path.is_file()) == before
        assert store.get(kept.id) is not None
        filler.unlink()
        assert store.has(store.put(array).id)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, store = MatrixStore(tmp_path / "a"), open_store(tmp_path / "b")
    kept = store.put(make_array(1)).matrix_id
    ref = source.put(make_array(2, 128, 16384))
    info = source.info(ref.matrix_id)
    assert info is not None

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store.retention.pin(info.id)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse)
        assert get_code(lambda: store.arrivals.begin(info)) == "disk-full"
        patch.setattr(os, "fsync", refuse)
        assert get_code(lambda: store.put(make_array(3))) == "disk-full"
    assert store.count_bytes() == SIZE
    assert store.list_ids() == [kept]
    store.arrivals.begin(info)
    runs = [source.get_run(info.id, index) for index in range(count_runs(info))]
    assert len(runs) == 2
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        assert get_code(lambda: store.arrivals.add_run(info.id, 0, runs[0].data, runs[0].path)) == "disk-full"  # type: ignore[union-attr]
    assert store.arrivals.list_missing(info.id, 9) == [0, 1]
    assert not store.arrivals.add_run(info.id, 1, runs[1].data, runs[1].path)  # type: ignore[union-attr]
    assert store.arrivals.add_run(info.id, 0, runs[0].data, runs[0].path)  # type: ignore[union-attr]
    assert store.has(kept)


def test_what_began_to_come_and_was_given_up_goes_after_a_day(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    infos = [make_info(make_array(n, 128, 16384)) for n in range(4)]
    for info in infos:
        store.arrivals.begin(info)
    store.retention.set_needed([infos[0].id])
    store.retention.pin(infos[1].id)
    assert store.retention.drop_stale() == 0
    old = time.time() - 25 * 3600
    for info in infos[:3]:
        (part,) = tmp_path.rglob(f"{info.id.hex()}.part")
        os.utime(part, (old, old))
    assert store.retention.drop_stale() == 1
    assert {each.id for each in store.retention.list_entries()} == {infos[n].id for n in (0, 1, 3)}
    assert [id for id, _ in store.list_missing()] == [infos[0].id, infos[1].id]


def test_room_is_left_to_the_chain(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    store = MatrixStore(tmp_path, reserve=free.f_bavail * free.f_frsize + (1 << 40))
    store.retention.set_needed(())
    assert get_code(lambda: store.put(make_array(1))) == "disk-full"
    assert store.list_ids() == []


@pytest.mark.parametrize("keep", [0.4, 0.99])
def test_a_file_shorter_than_its_shape_is_mended_run_by_run(tmp_path: Path, keep: float) -> None:
    array = make_array(1, 1024, 4096)
    source, store = MatrixStore(tmp_path / "a"), open_store(tmp_path / "b")
    ref, info = source.put(array), make_info(array)
    store.put(array)
    (file,) = (tmp_path / "b").rglob("*.matrix")
    os.truncate(file, int(info.file_bytes * keep))
    store = open_store(tmp_path / "b")
    assert not store.has(ref.matrix_id)
    assert store.list_missing() == [(info.id, info)]
    store.arrivals.begin(info)
    missing = store.arrivals.list_missing(info.id, 99)
    assert 0 < len(missing) < count_runs(info)
    for index in missing:
        run = source.get_run(info.id, index)
        assert run is not None
        store.arrivals.add_run(info.id, index, run.data, run.path)
    assert np.array_equal(store.get(info.id), array)  # type: ignore[arg-type]
    assert store.list_missing() == []


def scrub_all(store: MatrixStore) -> None:
    rounds = store.scrubber.rounds
    while store.scrubber.rounds == rounds:
        store.scrubber.step()


@pytest.mark.parametrize("where", ["entries", "leaves", "head", "cut", "gone"])
def test_the_scrubber_finds_what_the_disk_spoils_and_no_more_is_fetched_than_that(tmp_path: Path, where: str) -> None:
    arrays = [make_array(n, 512, 8192) for n in range(3)]
    source, store = MatrixStore(tmp_path / "a"), open_store(tmp_path / "b")
    infos = [make_info(array) for array in arrays]
    for array in arrays:
        source.put(array)
        store.put(array)
    scrub_all(store)
    assert store.get_status().damaged == 0
    assert store.get_status().scrubbed_bytes == sum(array.nbytes for array in arrays)
    bad = infos[1]
    (file,) = (tmp_path / "b").rglob(f"{bad.id.hex()}.matrix")
    with file.open("r+b") as opened:
        place = {"entries": bad.file_bytes - 1, "leaves": 64 + 32 * 70, "head": 3, "cut": 0, "gone": 0}[where]
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 1]))
    if where == "cut":
        os.truncate(file, bad.file_bytes - 5)
    elif where == "gone":
        file.unlink()
    scrub_all(store)
    assert store.get_status().damaged == 1
    assert sorted(store.list_ids()) == sorted(info.id for info in infos if info is not bad)
    store.arrivals.begin(bad)
    missing = store.arrivals.list_missing(bad.id, 99)
    assert len(missing) == {"entries": 1, "leaves": 1, "head": 0, "cut": 1, "gone": count_runs(bad)}[where]
    for index in missing:
        run = source.get_run(bad.id, index)
        assert run is not None
        store.arrivals.add_run(bad.id, index, run.data, run.path)
    assert np.array_equal(store.get(bad.id), arrays[1])  # type: ignore[arg-type]
    scrub_all(store)
    assert store.get_status().damaged == 1


WRITER = """
import sys
from pathlib import Path
import numpy as np
from inos.mesh.runs import count_runs
from inos.mesh.store import MatrixStore
source, store = MatrixStore(Path(sys.argv[1])), MatrixStore(Path(sys.argv[2]))
(id,) = source.list_ids()
info = source.info(id)
print("begin", flush=True)
seed = 0
while True:
    store.arrivals.begin(info)
    for index in store.arrivals.list_missing(id, 10**6):
        run = source.get_run(id, index)
        store.arrivals.add_run(id, index, run.data, run.path)
        store.put(np.random.default_rng(seed).integers(-64, 64, (256, 4096), np.int8))
        seed += 1
    store.retention.pin(id)
    print("whole", flush=True)
"""


def test_a_killed_process_leaves_every_file_whole_or_to_be_gone_on_with(tmp_path: Path) -> None:
    array = make_array(1, 2048, 8192)
    ref = MatrixStore(tmp_path / "a").put(array)
    here = -1
    for wait_s in (0.02, 0.05, 0.08, 0.11, None):
        arguments = [sys.executable, "-c", WRITER, str(tmp_path / "a"), str(tmp_path / "b")]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begin\n"
            if wait_s is None:
                assert process.stdout.readline() == "whole\n"
            else:
                time.sleep(wait_s)  # so that the kill comes at any point of the work
            process.send_signal(signal.SIGKILL)
        store = open_store(tmp_path / "b")
        info = make_info(array)
        store.arrivals.begin(info)
        whole = count_runs(info) - len(store.arrivals.list_missing(info.id, 999))
        assert whole >= here  # what came once is not lost
        here = whole
        for matrix in store.list_ids():
            assert store.get(matrix) is not None
        assert store.get_status().damaged == 0
        files = [path for path in (tmp_path / "b").rglob("*") if path.is_file() and path.stem != "book"]
        assert {path.suffix for path in files} <= {".matrix", ".part"}
        assert whole << 20 <= store.count_bytes() <= sum(path.stat().st_size for path in files)
    assert here == count_runs(info)
    assert store.retention.list_pins() in ([], [ref.matrix_id])


def test_a_matrix_that_nobody_needs_takes_room_only_as_its_runs_arrive(tmp_path: Path) -> None:
    """Anybody can name a matrix of 8 GiB that does not exist, for which room was once reserved for a day."""
    store = MatrixStore(tmp_path, max_bytes=1 << 30, reserve=0)
    never = MatrixInfo(1, 2**12, 2**16, bytes(32))
    store.arrivals.begin(never)
    (part,) = tmp_path.rglob("*.part")
    assert store.count_bytes() == 0
    assert part.stat().st_blocks * 512 < 1 << 20
    array = make_array(5, 128, 16384)
    source, info = MatrixStore(tmp_path / "source"), make_info(array)
    source.put(array)
    store.arrivals.begin(info)
    run = source.get_run(info.id, 0)
    assert run is not None
    for _ in range(3):  # Repeating a run counts nothing again.
        store.arrivals.add_run(info.id, 0, run.data, run.path)
    assert len(run.data) < store.count_bytes() < len(run.data) + 5000
    assert not store.arrivals.add_run(info.id, 0, run.data, run.path)
    last = source.get_run(info.id, 1)
    assert last is not None
    assert store.arrivals.add_run(info.id, 1, last.data, last.path)
    assert store.count_bytes() == info.file_bytes


def test_copies_for_others_that_an_earlier_run_left_incomplete_are_deleted(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    lent, own = (make_info(make_array(n, 128, 16384)) for n in range(2))
    for info in (lent, own):
        store.arrivals.begin(info)
    store.retention.set_lent(lent.id)
    store.close()
    again = open_store(tmp_path)
    again.retention.set_needed([])
    assert again.retention.drop_stale() == 1
    assert [each.id for each in again.retention.list_entries()] == [own.id]


def test_what_is_needed_takes_all_of_its_room_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    info = make_info(make_array(1, 128, 16384))
    store.arrivals.begin(info)
    assert store.count_bytes() == 0
    store.retention.set_needed([info.id])
    store.arrivals.begin(info)
    assert store.count_bytes() == info.file_bytes
    assert store.drop(info.id) is False
    store.retention.set_needed([])
    assert store.drop(info.id)
    assert store.count_bytes() == 0


def test_dropping_a_matrix_waits_for_a_read_of_it(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    matrix = store.put(make_array(1)).matrix_id
    store.retention.set_needed([])
    inventory = store._inventory
    with ThreadPoolExecutor(1) as other:
        with inventory.keep_busy(matrix):
            assert not store.drop(matrix)
            dropping = other.submit(store.drop, matrix, 60.0)
        assert dropping.result(timeout=60)
    assert not store.has(matrix)


def test_a_matrix_whose_read_does_not_end_is_not_dropped(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    matrix = store.put(make_array(1)).matrix_id
    store.retention.set_needed([])
    with ThreadPoolExecutor(1) as other, store._inventory.keep_busy(matrix):
        assert not other.submit(store.drop, matrix, 0.01).result(timeout=60)
    assert store.has(matrix)
