"""One wrong tile is distinguished from a right one for all shapes, and nothing else is accepted as a proof."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import DType, MatrixRef, StripRow, make_matrix_ref
from inos.primitives.merkle import compute_root
from inos.work import matrix_ref
from inos.work.fraud import Tile, is_tile_wrong, open_tile
from inos.work.strips import InvalidMatrix, StripTree, compute_leaves, compute_strip
from support.tiles import BAD_REF, W_REF, X_REF, Y_REF, X, Y, open_array_row, open_row


def test_only_the_tile_with_the_wrong_entry_is_wrong() -> None:
    found = [
        (i, j)
        for i in range(3)
        for j in range(19)
        if is_tile_wrong(X_REF, W_REF, BAD_REF, open_tile(X_REF, W_REF, BAD_REF, i, j, open_row))
    ]
    assert found == [(2, 18)]
    assert not is_tile_wrong(X_REF, W_REF, Y_REF, open_tile(X_REF, W_REF, Y_REF, 2, 18, open_row))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 63, 1024, 1025, 2100]), st.data())
def test_any_change_of_an_entry_is_seen(m: int, n: int, k: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x, w = (rng.integers(-64, 64, (rows, k), dtype=np.int8) for rows in (m, n))
    y = (x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32)
    row, col = data.draw(st.integers(0, m - 1)), data.draw(st.integers(0, n - 1))
    y[row, col] ^= np.int32(1 << data.draw(st.integers(0, 30)))
    arrays = {matrix_ref(array).id: array for array in (x, w, y)}
    refs = [matrix_ref(array) for array in (x, w, y)]

    def judge(i: int, j: int) -> bool:
        return is_tile_wrong(*refs, open_tile(*refs, i, j, lambda ref, *at: open_array_row(arrays[ref.id], *at)))

    assert judge(row // 16, col // 16)
    for i, j in ((0, 0), ((m - 1) // 16, (n - 1) // 16)):
        assert judge(i, j) == ((i, j) == (row // 16, col // 16))


def test_sums_are_exact_at_the_largest_depth_and_entries() -> None:
    x = np.full((16, 65_536), -64, np.int8)
    y = np.full((16, 16), 64 * 64 * 65_536, np.int32)
    assert not is_wrong_alone(x, x, y)
    y[15, 15] -= 1
    assert is_wrong_alone(x, x, y)
    odd = np.full((16, 65_536), 63, np.int8)
    assert not is_wrong_alone(odd, odd, np.full((16, 16), 63 * 63 * 65_536, np.int32))


def is_wrong_alone(x: NDArray[Any], w: NDArray[Any], y: NDArray[Any]) -> bool:
    arrays = {matrix_ref(array).id: array for array in (x, w, y)}
    refs = [matrix_ref(array) for array in (x, w, y)]
    return is_tile_wrong(*refs, open_tile(*refs, 0, 0, lambda ref, *at: open_array_row(arrays[ref.id], *at)))


@pytest.mark.parametrize("place", [(8, 0), (15, 43), (7, 44), (0, 255)])
def test_a_result_that_is_not_zero_beyond_its_edge_is_wrong(place: tuple[int, int]) -> None:
    """A worker's tree may have any bytes beyond the matrix. Y is 40 x 300, so row 8 of strip row 2 and column 44 of
    panel 1 are beyond it.
    """
    leaves, target = compute_leaves(Y), 2 * 2 + 1
    strip = np.frombuffer(compute_strip(Y, target), "<i4").reshape(16, 256).copy()
    strip[place] = 1
    leaves[target] = compute_hash(Context.MATRIX_STRIP, strip.tobytes())
    spoiled = make_matrix_ref(DType.INT32, 40, 300, compute_root(Context.MATRIX_NODE, leaves))
    honest = open_tile(X_REF, W_REF, Y_REF, 2, 16, open_row)
    row = StripRow(strip.tobytes(), StripTree(leaves).compute_range_path(target, 1))
    assert is_tile_wrong(X_REF, W_REF, spoiled, Tile(2, 16, honest.x, honest.w, row))


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        (MatrixRef(X_REF.id, 41, X_REF.cols, X_REF.root), "bad-matrix-id"),
        (matrix_ref(np.flipud(X)), "bad-path"),
    ],
)
def test_paths_that_lead_elsewhere(ref: MatrixRef, code: str) -> None:
    tile = open_tile(X_REF, W_REF, BAD_REF, 2, 18, open_row)
    with pytest.raises(InvalidMatrix) as caught:
        is_tile_wrong(ref, W_REF, BAD_REF, tile)
    assert caught.value.code == code
