"""What goes into the matrix store comes out of it, whole or in strips, in any order."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import work
from mesh.store import MatrixInfo, MatrixStore
from primitives.matrices import DTYPE_INT7, DTYPE_INT32


@st.composite
def matrices(draw: st.DrawFn) -> NDArray[Any]:
    """Operands and results from one strip to a few, seldom a whole number of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(1, 50))
    if draw(st.booleans()):
        return rng.integers(-64, 64, (rows, draw(st.integers(1, 2500))), np.int8)
    return rng.integers(-(2**31), 2**31, (rows, draw(st.integers(1, 700))), np.int32)


def make_info(array: NDArray[Any]) -> MatrixInfo:
    ref = work.matrix_ref(array)
    return MatrixInfo(DTYPE_INT7 if array.dtype == np.int8 else DTYPE_INT32, ref.rows, ref.cols, ref.root)


@settings(max_examples=30)
@given(matrices())
def test_round_trip(array: NDArray[Any]) -> None:
    with TemporaryDirectory() as folder:
        store = MatrixStore(Path(folder))
        ref = store.put(array)
        assert ref == work.matrix_ref(array)
        for one in (store, MatrixStore(Path(folder))):
            found = one.get(ref.matrix_id)
            assert found is not None
            assert found.dtype == array.dtype
            assert np.array_equal(found, array)
            assert one.info(ref.matrix_id) == make_info(array)
            assert one.list_ids() == [ref.matrix_id]
            assert one.total_bytes == sum(path.stat().st_size for path in Path(folder).rglob("*.matrix"))
            strips = one.get_strips(ref.matrix_id, 0, 10_000)
            assert len(strips) == make_info(array).strips
            for index, (strip, path) in enumerate(strips):
                assert strip == work.compute_strip(array, index)
                work.check_strip(ref, make_info(array).dtype, index, strip, path)


@settings(max_examples=30)
@given(matrices(), st.data())
def test_strips_in_any_order_with_spoiled_ones_between(array: NDArray[Any], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        source, store = MatrixStore(Path(folder, "a")), MatrixStore(Path(folder, "b"))
        matrix = source.put(array).matrix_id
        info = make_info(array)
        strips = source.get_strips(matrix, 0, info.strips)
        order = data.draw(st.permutations(range(info.strips)))
        store.begin(info)
        left = set(range(info.strips))
        for index in order:
            strip, path = strips[index]
            flipped = data.draw(st.integers(0, len(strip) - 1))
            spoiled = (
                strip[:flipped] + bytes([strip[flipped] ^ 1 << data.draw(st.integers(0, 7))]) + strip[flipped + 1 :]
            )
            with pytest.raises(work.InvalidMatrix):
                store.add_strip(matrix, index, spoiled, path)
            if path:
                with pytest.raises(work.InvalidMatrix):
                    store.add_strip(matrix, index, strip, path[:-1])
            assert not store.has(matrix)
            assert store.missing_strips(matrix, 10_000) == sorted(left)
            left.discard(index)
            assert store.add_strip(matrix, index, strip, path) is (not left)
        assert store.missing_strips(matrix, 10) == []
        found = store.get(matrix)
        assert found is not None
        assert np.array_equal(found, array)
        assert store.get_strips(matrix, 0, info.strips) == strips
