"""The strips of a matrix, 16 rows x 1024 bytes each, and the hash tree over them (protocol, section 2)."""

import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray

from inos.primitives.errors import InosError
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import (
    MAX_DEPTH,
    MAX_ROWS,
    PANEL_BYTES,
    STRIP_BYTES,
    STRIP_ROWS,
    DType,
    compute_file_length,
    is_file_shape,
)
from inos.primitives.merkle import compute_path
from inos.primitives.units import HASH_BYTES, Hash
from inos.work.stopping import check_stop

ENTRY_MIN: Final = -64
ENTRY_MAX: Final = 63
"""Entries of an operand are -64 .. 63 (protocol, section 2)."""
NUMPY_TYPES: Final[dict[DType, np.dtype[Any]]] = {
    DType.INT7: np.dtype(np.int8),
    DType.INT32: np.dtype("<i4"),
    DType.BYTES: np.dtype(np.uint8),
}
"""The entries on disk and on the wire."""
PIECE_STRIPS: Final = 64
"""The stop event is looked at after this many strips: 1 MiB, which take well under a millisecond."""
PIECE_NODES: Final = 4096


class InvalidMatrix(InosError):
    """The protocol does not allow the matrix, the strip, or the pair of matrices."""


def compute_grid(dtype: DType, rows: int, cols: int) -> tuple[int, int]:
    """Return (strips, panels): ceil(rows / 16) and ceil(row bytes / 1024)."""
    return -(-rows // STRIP_ROWS), -(-compute_row_bytes(dtype, cols) // PANEL_BYTES)


def compute_row_bytes(dtype: DType, cols: int) -> int:
    """Return how many bytes a row takes; the rows of a file are all full, the last one up with zeros."""
    match dtype:
        case DType.INT7:
            return cols
        case DType.INT32:
            return 4 * cols
        case DType.BYTES:
            return PANEL_BYTES
        case _:
            assert_never(dtype)


def check_shape(dtype: DType, rows: int, cols: int) -> None:
    """Check that the protocol allows a matrix of this shape.

    Raises:
        InvalidMatrix: "bad-shape".
    """
    match dtype:
        case DType.INT7:
            _check_sides("an operand", rows, cols, MAX_DEPTH)
        case DType.INT32:
            _check_sides("a result", rows, cols, MAX_ROWS)
        case DType.BYTES:
            if not is_file_shape(rows, cols):
                raise InvalidMatrix(
                    "bad-shape",
                    f"a file has 1 to {MAX_ROWS} rows, the last one of 1 to {PANEL_BYTES} bytes, or one row of no"
                    f" bytes, not {rows} rows and {cols} bytes in the last one",
                )
        case _:
            assert_never(dtype)


def _check_sides(kind: str, rows: int, cols: int, max_cols: int) -> None:
    if not (1 <= rows <= MAX_ROWS and 1 <= cols <= max_cols):
        raise InvalidMatrix(
            "bad-shape", f"{kind} has 1 to {MAX_ROWS} rows and 1 to {max_cols} columns, not {rows} x {cols}"
        )


def check_entries(piece: NDArray[np.int8], top: int, left: int) -> None:
    """Check that all entries are in [-64, 63]; `top`, `left` is the piece's place in its matrix.

    Raises:
        InvalidMatrix: "entry-out-of-range", with the place of the first one.
    """
    if piece.size == 0 or (piece.min() >= ENTRY_MIN and piece.max() <= ENTRY_MAX):
        return
    row, col = np.argwhere((piece < ENTRY_MIN) | (piece > ENTRY_MAX))[0]
    raise InvalidMatrix(
        "entry-out-of-range",
        f"the entry at row {top + row}, column {left + col} is {piece[row, col]};"
        f" entries of an operand are {ENTRY_MIN} to {ENTRY_MAX}",
    )


def get_dtype(array: NDArray[Any]) -> DType:
    """Return the protocol's data type of an array of numbers: int8 is an operand, int32 a result.

    Raises:
        InvalidMatrix: "bad-dtype", "bad-shape".
    """
    if not isinstance(array, np.ndarray) or array.dtype not in (np.int8, np.int32):
        found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise InvalidMatrix("bad-dtype", f"a matrix is an int8 (operand) or int32 (result) array, not {found}")
    if np.ma.is_masked(array):
        raise InvalidMatrix("bad-dtype", "a matrix has no masked entries", hint="fill them first: a.filled(0)")
    dtype = DType.INT7 if array.dtype == np.int8 else DType.INT32
    if array.ndim != 2:
        raise InvalidMatrix("bad-shape", f"a matrix has two dimensions, not {array.ndim}")
    check_shape(dtype, *array.shape)
    return dtype


def iterate_pieces(strips: int, panels: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first strip, last strip, first panel, last panel) of pieces of up to 64 strips, in leaf order."""
    if panels >= PIECE_STRIPS:
        for i in range(strips):
            for p in range(0, panels, PIECE_STRIPS):
                yield i, i + 1, p, min(p + PIECE_STRIPS, panels)
        return
    step = PIECE_STRIPS // panels
    for i in range(0, strips, step):
        yield i, min(i + step, strips), 0, panels


def pack_strips(array: NDArray[Any], first: int, last: int, left: int, right: int) -> NDArray[np.uint8]:
    """Return strips [first, last) x panels [left, right), zero-padded: (strips, panels, 16, 1024) bytes."""
    width = PANEL_BYTES // array.itemsize
    part = np.ascontiguousarray(array[first * STRIP_ROWS : last * STRIP_ROWS, left * width : right * width])
    if sys.byteorder == "big":
        part = part.astype(part.dtype.newbyteorder("<"))
    rows = part.view(np.uint8)
    padded = np.zeros(((last - first) * STRIP_ROWS, (right - left) * PANEL_BYTES), dtype=np.uint8)
    padded[: rows.shape[0], : rows.shape[1]] = rows
    cut = padded.reshape(last - first, STRIP_ROWS, right - left, PANEL_BYTES)
    return np.ascontiguousarray(cut.transpose(0, 2, 1, 3))


def compute_strip(array: NDArray[Any], index: int) -> bytes:
    """Return the 16 KiB of strip `index` (i * panels + p) of an int8 or int32 matrix, zero-padded, row-major.

    Raises:
        InvalidMatrix: "bad-dtype", "bad-shape", "index-outside-matrix".
    """
    strips, panels = compute_grid(get_dtype(array), *array.shape)
    check_index(index, strips * panels)
    i, p = divmod(index, panels)
    return pack_strips(array, i, i + 1, p, p + 1).tobytes()


def check_index(index: int, count: int) -> None:
    """Check that `index` is the index of one of `count` strips.

    Raises:
        InvalidMatrix: "index-outside-matrix".
    """
    if not 0 <= index < count:
        raise InvalidMatrix("index-outside-matrix", f"strip {index} is outside a matrix of {count} strips")


def compute_leaf_row(array: NDArray[Any], stop: threading.Event | None = None) -> bytearray:
    """Return the leaves of all strips, 32 bytes each, one after the other. It raises as `compute_leaves` does."""
    dtype = get_dtype(array)
    if dtype == DType.INT7 and (hashed := _hash_natively(array, stop)) is not None:
        return hashed
    width = PANEL_BYTES // array.itemsize
    leaves = bytearray()
    for first, last, left, right in iterate_pieces(*compute_grid(dtype, *array.shape)):
        check_stop(stop)
        if dtype == DType.INT7:
            part = array[first * STRIP_ROWS : last * STRIP_ROWS, left * width : right * width]
            check_entries(part, first * STRIP_ROWS, left * width)
        data = pack_strips(array, first, last, left, right).reshape(-1).data
        for at in range(0, len(data), STRIP_BYTES):
            leaves += compute_hash(Context.MATRIX_STRIP, data[at : at + STRIP_BYTES])
    return leaves


def compute_file_leaves(data: bytes | memoryview, stop: threading.Event | None = None) -> bytearray:
    """Return the leaves of a file's strips of 16,384 consecutive bytes, the last one filled up with zeros; the empty
    file has one strip.

    Raises:
        Stopped: `stop` was set.
    """
    view, leaves = memoryview(data), bytearray()
    for at in range(0, max(1, len(view)), STRIP_BYTES):
        if at % (PIECE_STRIPS * STRIP_BYTES) == 0:
            check_stop(stop)
        strip = view[at : at + STRIP_BYTES]
        is_whole = len(strip) == STRIP_BYTES
        leaves += compute_hash(Context.MATRIX_STRIP, strip if is_whole else bytes(strip).ljust(STRIP_BYTES, b"\0"))
    return leaves


def compute_stored_leaves(dtype: DType, rows: NDArray[Any]) -> bytearray:
    """Return the leaves of rows of strips as they are stored: rows x cols entries, or a file's full rows of bytes.

    Raises:
        InvalidMatrix: "bad-dtype", "bad-shape", "entry-out-of-range".
    """
    match dtype:
        case DType.INT7 | DType.INT32:
            return compute_leaf_row(rows)
        case DType.BYTES:
            return compute_file_leaves(np.ascontiguousarray(rows, np.uint8).reshape(-1).data)
        case _:
            assert_never(dtype)


def drop_padding(dtype: DType, rows: int, cols: int, stored: NDArray[Any]) -> NDArray[Any]:
    """Return a matrix as it is used, of one as it is stored: rows x cols entries, or one row of a file's bytes."""
    match dtype:
        case DType.INT7 | DType.INT32:
            return stored
        case DType.BYTES:
            return stored.reshape(-1)[: compute_file_length(rows, cols)]
        case _:
            assert_never(dtype)


def _hash_natively(array: NDArray[np.int8], stop: threading.Event | None) -> bytearray | None:
    # It is imported here because the backends import this module.
    from inos.work.backends.native.leaves import hash_leaves

    return hash_leaves(array, stop)


def _hash_parents_natively(row: bytearray) -> bytearray | None:
    from inos.work.backends.native.leaves import hash_parents

    return hash_parents(row)


def compute_leaves(array: NDArray[Any], stop: threading.Event | None = None) -> list[Hash]:
    """Return the leaf of every strip, in order i * panels + p, and check an operand's entries meanwhile.

    Raises:
        InvalidMatrix: "bad-dtype", "bad-shape", "entry-out-of-range".
        Stopped: `stop` was set.
    """
    return _cut_row(compute_leaf_row(array, stop))


def compute_matrix_path(leaves: Sequence[bytes], index: int) -> tuple[Hash, ...]:
    """Return the inclusion path of leaf `index`. Keep a `StripTree` for many paths of one matrix.

    Raises:
        InvalidMatrix: "index-outside-matrix".
    """
    check_index(index, len(leaves))
    return compute_path(Context.MATRIX_NODE, leaves, index)


class StripTree:
    """All levels of one matrix's tree, so that a path costs a few look-ups.

    Args:
        leaves: hashes of the strips, at least one; or the same as one row of bytes.
    """

    def __init__(self, leaves: Sequence[bytes] | bytearray, stop: threading.Event | None = None) -> None:
        self._levels = [leaves if isinstance(leaves, bytearray) else bytearray(b"".join(leaves))]
        if not self._levels[0] or len(self._levels[0]) % HASH_BYTES:
            raise ValueError(
                f"the leaves of a tree are hashes of {HASH_BYTES} bytes, and not {len(self._levels[0])} bytes"
            )
        while len(self._levels[-1]) > HASH_BYTES:
            check_stop(stop)
            row = self._levels[-1]
            self._levels.append(_hash_parents_natively(row) or _compute_parents(row, stop))

    @property
    def root(self) -> Hash:
        return Hash(bytes(self._levels[-1]))

    @property
    def leaves(self) -> list[Hash]:
        return _cut_row(self._levels[0])

    def compute_path(self, index: int) -> tuple[Hash, ...]:
        """Return the siblings from the leaf up, in RFC 6962's order.

        Raises:
            InvalidMatrix: "index-outside-matrix".
        """
        check_index(index, len(self._levels[0]) // HASH_BYTES)
        return self.compute_node_path(0, index)

    def compute_node_path(self, level: int, index: int) -> tuple[Hash, ...]:
        """Return the siblings from node `index` of a level up. Level 0 has the leaves."""
        path: list[Hash] = []
        for row in self._levels[level:-1]:
            at = (index ^ 1) * HASH_BYTES
            if at < len(row):
                path.append(Hash(bytes(row[at : at + HASH_BYTES])))
            index //= 2
        return tuple(path)

    def compute_range_path(self, first: int, count: int) -> tuple[Hash, ...]:
        """Return the range path of the leaves [first, first + count), as inos.primitives.merkle defines it.

        Raises:
            InvalidMatrix: "index-outside-matrix".
        """
        check_index(first, len(self._levels[0]) // HASH_BYTES)
        check_index(first + count - 1, len(self._levels[0]) // HASH_BYTES)
        path: list[Hash] = []
        low, high = first, first + count - 1
        for row in self._levels[:-1]:
            for wanted in ([low - 1] if low % 2 else []) + ([high + 1] if high % 2 == 0 else []):
                at = wanted * HASH_BYTES
                if at < len(row):
                    path.append(Hash(bytes(row[at : at + HASH_BYTES])))
            low, high = low // 2, high // 2
        return tuple(path)


def _cut_row(row: bytearray) -> list[Hash]:
    return [Hash(bytes(row[at : at + HASH_BYTES])) for at in range(0, len(row), HASH_BYTES)]


def _compute_parents(row: bytearray, stop: threading.Event | None) -> bytearray:
    """Hash neighbours in pairs; an odd last node is carried up as it is."""
    pair, parents = 2 * HASH_BYTES, bytearray()
    for at in range(0, len(row), pair):
        if at % (PIECE_NODES * pair) == 0:
            check_stop(stop)
        both = bytes(row[at : at + pair])
        parents += compute_hash(Context.MATRIX_NODE, both) if len(both) == pair else both
    return parents
