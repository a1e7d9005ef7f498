"""Matrices leave the store as they entered it, whole or in strips, in any order."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from numpy.typing import NDArray

from inos import work
from inos.mesh.errors import MeshError
from inos.mesh.eviction import Candidate, choose_victims
from inos.mesh.runs import count_runs
from inos.mesh.store import MatrixInfo, MatrixStore
from inos.primitives.matrices import STRIP_BYTES, DType, MatrixRef
from inos.primitives.units import MatrixId


@st.composite
def matrices(draw: st.DrawFn) -> NDArray[Any]:
    """Operands, results and files of one to a few strips, rarely a whole number of them; files also of two runs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(1, 50))
    match draw(st.sampled_from(DType)):
        case DType.INT7:
            return rng.integers(-64, 64, (rows, draw(st.integers(1, 2500))), np.int8)
        case DType.INT32:
            return rng.integers(-(2**31), 2**31, (rows, draw(st.integers(1, 700))), np.int32)
        case DType.BYTES:
            length = draw(st.integers(0, 3000) | st.sampled_from((16_384, 32_768, 1 << 20, (1 << 20) + 1)))
            return rng.integers(0, 256, length, np.uint8)


def put(store: MatrixStore, array: NDArray[Any]) -> MatrixRef:
    return store.put_bytes(array.data) if array.dtype == np.uint8 else store.put(array)


def make_ref(array: NDArray[Any]) -> MatrixRef:
    return work.compute_file_ref(array.data) if array.dtype == np.uint8 else work.matrix_ref(array)


def make_info(array: NDArray[Any]) -> MatrixInfo:
    ref = make_ref(array)
    dtype = {np.int8: DType.INT7, np.int32: DType.INT32, np.uint8: DType.BYTES}[array.dtype.type]
    return MatrixInfo(dtype, ref.rows, ref.cols, ref.root)


def compute_strip(array: NDArray[Any], index: int) -> bytes:
    if array.dtype == np.uint8:
        return array[index * STRIP_BYTES : (index + 1) * STRIP_BYTES].tobytes().ljust(STRIP_BYTES, b"\0")
    return work.compute_strip(array, index)


@settings(max_examples=30)
@given(matrices())
def test_round_trip(array: NDArray[Any]) -> None:
    with TemporaryDirectory() as folder:
        store = MatrixStore(Path(folder))
        ref = put(store, array)
        assert ref == make_ref(array)
        for one in (store, MatrixStore(Path(folder))):
            found = one.get(ref.matrix_id)
            assert found is not None
            assert found.dtype == array.dtype
            assert np.array_equal(found, array)
            assert one.info(ref.matrix_id) == make_info(array)
            assert one.list_ids() == [ref.matrix_id]
            assert one.count_bytes() == sum(path.stat().st_size for path in Path(folder).rglob("*.matrix"))
            strips = one.get_strips(ref.matrix_id, 0, 10_000)
            assert len(strips) == make_info(array).strips
            for index, (strip, path) in enumerate(strips):
                assert strip == compute_strip(array, index)
                work.check_strip(ref, make_info(array).dtype, index, strip, path)
            assert np.array_equal(work.assemble(ref, make_info(array).dtype, [strip for strip, _ in strips]), array)


@settings(max_examples=25)
@given(matrices(), st.data())
def test_runs_in_any_order_with_spoiled_ones_between_and_a_restart(array: NDArray[Any], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        source, store = MatrixStore(Path(folder, "a")), MatrixStore(Path(folder, "b"))
        matrix = put(source, array).matrix_id
        info = make_info(array)
        count = count_runs(info)
        store.arrivals.begin(info)
        left = set(range(count))
        for index in data.draw(st.permutations(range(count))):
            run = source.get_run(matrix, index)
            assert run is not None
            at = data.draw(st.integers(0, len(run.data) - 1))
            flipped = run.data[at] ^ 1 << data.draw(st.integers(0, 7))
            with pytest.raises(work.InvalidMatrix):
                store.arrivals.add_run(matrix, index, run.data[:at] + bytes([flipped]) + run.data[at + 1 :], run.path)
            with pytest.raises(work.InvalidMatrix):
                store.arrivals.add_run(matrix, index, run.data[:-STRIP_BYTES], run.path)
            if run.path:
                with pytest.raises(work.InvalidMatrix):
                    store.arrivals.add_run(matrix, index, run.data, run.path[:-1])
            assert not store.has(matrix)
            if data.draw(st.booleans()):
                store = MatrixStore(Path(folder, "b"))  # as after a kill: nothing that came is lost
                store.arrivals.begin(info)
            assert store.arrivals.list_missing(matrix, 10_000) == sorted(left)
            left.discard(index)
            assert store.arrivals.add_run(matrix, index, run.data, run.path) is (not left)
        assert store.arrivals.list_missing(matrix, 10) == []
        found = store.get(matrix)
        assert found is not None
        assert np.array_equal(found, array)
        assert store.get_strips(matrix, 0, 10_000) == source.get_strips(matrix, 0, 10_000)
        names = [path.name for path in Path(folder, "b").rglob("*") if path.is_file()]
        assert names == [f"{matrix.hex()}.matrix"]


STEPS = ("put", "ask", "pin", "unpin", "need", "free")


class _Model(Struct):
    """Return a matrix as the store should have it."""

    demand: float = 0.0
    used: int = 0


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["put", "ask", "pin", "unpin", "need", "free"]), st.integers(0, 7)), max_size=40)
)
def test_what_gives_way_is_the_least_wanted_and_never_what_is_kept(steps: list[tuple[str, int]]) -> None:
    """Compare the store with a simple model, with space for four of eight matrices."""
    rng = np.random.default_rng(1)
    arrays = [rng.integers(-64, 64, (16, 1024), np.int8) for _ in range(8)]
    ids = [work.matrix_id(array) for array in arrays]
    size = make_info(arrays[0]).file_bytes
    now = [0]
    with TemporaryDirectory() as folder:
        store = MatrixStore(Path(folder), max_bytes=4 * size, reserve=0, now_ms=lambda: now[0])
        held: dict[int, _Model] = {}
        pins: set[int] = set()
        needed: set[int] = set()
        store.retention.set_needed(())
        for what, which in steps:
            now[0] += 1
            match what:
                case "put":
                    free = [at for at in held if at not in pins | needed]
                    if which not in held and len(held) == 4 and not free:
                        with pytest.raises(MeshError):
                            store.put(arrays[which])
                        continue
                    if which not in held and len(held) == 4:
                        del held[min(free, key=lambda at: (held[at].demand, held[at].used))]
                    store.put(arrays[which])
                    model = held.setdefault(which, _Model())
                    model.demand, model.used = model.demand + 1, now[0]
                case "ask":
                    assert (store.get_run(ids[which], 0) is not None) == (which in held)
                    if which in held:
                        held[which].demand, held[which].used = held[which].demand + 1, now[0]
                case "pin":
                    store.retention.pin(ids[which])
                    pins.add(which)
                case "unpin":
                    assert store.retention.unpin(ids[which]) == (which in pins)
                    pins.discard(which)
                case "need" | "free":
                    (needed.add if what == "need" else needed.discard)(which)
                    store.retention.set_needed([ids[at] for at in needed])
            assert store.list_ids() == sorted(ids[at] for at in held)
            assert store.count_bytes() == len(held) * size
        assert MatrixStore(Path(folder)).list_ids() == store.list_ids()


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5), st.booleans()), max_size=12), st.integers(0, 300))
def test_victims_suffice_are_free_and_none_is_too_many(rows: list[tuple[int, int, bool]], needed: int) -> None:
    candidates = [
        Candidate(MatrixId(bytes([number]) * 32), size, float(demand), number, is_kept)
        for number, (size, demand, is_kept) in enumerate(rows)
    ]
    by_id = {each.id: each for each in candidates}
    free = [each for each in candidates if not each.is_kept]
    victims = choose_victims(candidates, needed)
    if victims is None:
        assert sum(each.bytes for each in free) < needed
        return
    chosen = [by_id[id] for id in victims]
    total = sum(each.bytes for each in chosen)
    assert not any(each.is_kept for each in chosen)
    assert total >= needed
    assert all(total - each.bytes < needed for each in chosen)
