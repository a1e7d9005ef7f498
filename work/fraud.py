"""Show that one 16 x 16 tile of a claimed product is wrong, and check that in O(k) (protocol, section 5)."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import PANEL_BYTES, STRIP_BYTES, STRIP_ROWS, DType, MatrixRef, StripRow
from inos.primitives.merkle import compute_root_from_range
from inos.work.matrices import check_ref
from inos.work.strips import InvalidMatrix, compute_grid

RESULT_COLS: Final = PANEL_BYTES // 4
"""One strip of Y has this many of its columns."""
TILES_PER_STRIP: Final = RESULT_COLS // STRIP_ROWS


class Tile(Struct, frozen=True):
    """Tile (i, j) of Y with the data it depends on: row i of X's strips, row j of W's, and its own strip of Y."""

    i: int
    j: int
    x: StripRow
    w: StripRow
    y: StripRow


Places: TypeAlias = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
OpenRow: TypeAlias = Callable[[MatrixRef, int, int], StripRow]
"""It returns strips [first, first + count) of a matrix, with their range path."""


def open_tile(x: MatrixRef, w: MatrixRef, y: MatrixRef, i: int, j: int, open_row: OpenRow) -> Tile:
    """Return tile (i, j) of the claimed product `y` with its proof, from matrices that `open_row` reads.

    Raises:
        InvalidMatrix: "index-outside-matrix".
    """
    places = _compute_places(x, w, y, i, j)
    rows = (open_row(ref, first, count) for ref, (first, count) in zip((x, w, y), places, strict=True))
    return Tile(i, j, *rows)


def is_tile_wrong(x: MatrixRef, w: MatrixRef, y: MatrixRef, tile: Tile) -> bool:
    """Return True if the tile shows that Y is not X * W^T: an entry differs, or its strip is not zero beyond Y.

    The bytes of X and W that count are those in their trees: nobody can commit to other bytes later.

    Raises:
        InvalidMatrix: "bad-shape", "bad-matrix-id", "index-outside-matrix", "bad-strip-size", "bad-path-length",
            "bad-path": then the tile shows nothing about Y.
    """
    place_x, place_w, place_y = _compute_places(x, w, y, tile.i, tile.j)
    _check_row(y, DType.INT32, place_y, tile.y)
    _check_row(x, DType.INT7, place_x, tile.x)
    _check_row(w, DType.INT7, place_w, tile.w)
    cells = np.frombuffer(tile.y.strips, dtype="<i4").reshape(STRIP_ROWS, RESULT_COLS)
    left = tile.j % TILES_PER_STRIP * STRIP_ROWS
    if not np.array_equal(cells[:, left : left + STRIP_ROWS], _multiply(tile.x.strips, tile.w.strips)):
        return True
    rows, cols = y.rows - tile.i * STRIP_ROWS, y.cols - tile.j // TILES_PER_STRIP * RESULT_COLS
    return bool(cells[rows:].any() or cells[:, cols:].any())


def _compute_places(x: MatrixRef, w: MatrixRef, y: MatrixRef, i: int, j: int) -> Places:
    """Return (first strip, number of strips) of the tile's data in X, W and Y."""
    (strips_x, panels), (strips_w, _) = (compute_grid(DType.INT7, ref.rows, ref.cols) for ref in (x, w))
    if not (0 <= i < strips_x and 0 <= j < strips_w):
        raise InvalidMatrix(
            "index-outside-matrix", f"tile ({i}, {j}) is outside a product of {strips_x} x {strips_w} tiles"
        )
    panels_y = compute_grid(DType.INT32, y.rows, y.cols)[1]
    return (i * panels, panels), (j * panels, panels), (i * panels_y + j // TILES_PER_STRIP, 1)


def _check_row(ref: MatrixRef, dtype: DType, place: tuple[int, int], row: StripRow) -> None:
    check_ref(ref, dtype)
    first, count = place
    if len(row.strips) != count * STRIP_BYTES:
        raise InvalidMatrix("bad-strip-size", f"{count} strips have {count * STRIP_BYTES} bytes, not {len(row.strips)}")
    strips, panels = compute_grid(dtype, ref.rows, ref.cols)
    cut = (memoryview(row.strips)[at : at + STRIP_BYTES] for at in range(0, len(row.strips), STRIP_BYTES))
    leaves = [compute_hash(Context.MATRIX_STRIP, strip) for strip in cut]
    try:
        root = compute_root_from_range(Context.MATRIX_NODE, leaves, first, strips * panels, row.path)
    except ValueError as error:
        raise InvalidMatrix("bad-path-length", f"strips of matrix {ref.id.hex()}: {error}") from error
    if root != ref.root:
        raise InvalidMatrix(
            "bad-path", f"strips {first} to {first + count} and their path do not lead to the root of {ref.id.hex()}"
        )


def _multiply(x: bytes, w: bytes) -> NDArray[np.int32]:
    """Return the 16 x 16 product of two rows of strips, for any int8 entries.

    It is exact: within a panel sums are at most 2^7 * 2^7 * 2^10 = 2^24, so float32 holds them; the sum over 64
    panels is at most 2^30.
    """
    left, right = (np.frombuffer(strips, np.int8).reshape(-1, STRIP_ROWS, PANEL_BYTES) for strips in (x, w))
    parts = np.matmul(left.astype(np.float32), right.astype(np.float32).transpose(0, 2, 1))
    product: NDArray[np.int32] = parts.astype(np.int32).sum(axis=0, dtype=np.int32)
    return product
