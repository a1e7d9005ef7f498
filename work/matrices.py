"""Ids and references of matrices, committed operands, and strips checked against a reference."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self, assert_never

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import (
    PANEL_BYTES,
    STRIP_BYTES,
    STRIP_ROWS,
    DType,
    MatrixRef,
    compute_file_length,
    is_ref_consistent,
    make_matrix_ref,
)
from inos.primitives.merkle import compute_path_length, compute_root_from_path
from inos.primitives.units import Hash, MatrixId
from inos.work.stopping import check_stop
from inos.work.strips import (
    NUMPY_TYPES,
    InvalidMatrix,
    StripTree,
    check_entries,
    check_index,
    check_shape,
    compute_grid,
    compute_leaf_row,
    compute_row_bytes,
    drop_padding,
    get_dtype,
    iterate_pieces,
)


def matrix_ref(array: NDArray[Any], stop: threading.Event | None = None) -> MatrixRef:
    """Return the reference of a matrix: int8 m x k as an operand, int32 m x n as a result.

    Raises:
        InvalidMatrix: "bad-dtype", "bad-shape", "entry-out-of-range".
        Stopped: `stop` was set.
    """
    dtype = get_dtype(array)
    rows, cols = array.shape
    return make_matrix_ref(dtype, rows, cols, StripTree(compute_leaf_row(array, stop), stop).root)


def matrix_id(array: NDArray[Any]) -> MatrixId:
    """Return the content address of a matrix (protocol, section 2). It raises as `matrix_ref` does."""
    return matrix_ref(array).matrix_id


class Operand(Struct, frozen=True, eq=False):
    """An operand with its commitment: int8, entries -64..63, row-major, hashed once."""

    array: NDArray[np.int8]
    """It is m x k and read-only, and by default no caller's array shares its memory."""
    ref: MatrixRef
    tree: StripTree

    @classmethod
    def commit(cls, array: NDArray[Any], stop: threading.Event | None = None, *, copy: bool = True) -> Self:
        """Check and hash an int8 array, or a copy of it.

        Args:
            copy: without a copy the operand is right only as long as nobody writes to `array`. Leave it out for
                arrays mapped from files that never change, and for operands that do not outlive the call.

        Raises:
            InvalidMatrix: "bad-dtype", "bad-shape", "entry-out-of-range" with the first place.
            Stopped: `stop` was set.
        """
        check_stop(stop)
        if get_dtype(array) != DType.INT7:
            raise InvalidMatrix("bad-dtype", f"an operand is an int8 array, not {array.dtype}")
        given = _copy(array, stop) if copy else array  # before it is hashed: the operand is what the hash says
        tree = StripTree(compute_leaf_row(given, stop), stop)
        rows, cols = given.shape
        kept = (given if given.flags.c_contiguous else _copy(given, stop)).view(np.ndarray)
        kept.flags.writeable = False
        return cls(kept, make_matrix_ref(DType.INT7, rows, cols, tree.root), tree)

    @property
    def leaves(self) -> list[Hash]:
        return self.tree.leaves

    @property
    def strips(self) -> int:
        """Return ceil(rows / 16)."""
        return compute_grid(DType.INT7, self.ref.rows, self.ref.cols)[0]

    @property
    def panels(self) -> int:
        """Return ceil(k / 1024)."""
        return compute_grid(DType.INT7, self.ref.rows, self.ref.cols)[1]


def _copy(array: NDArray[np.int8], stop: threading.Event | None) -> NDArray[np.int8]:
    """Return a row-major copy."""
    kept = np.empty(array.shape, dtype=np.int8)
    for first, last, left, right in iterate_pieces(*compute_grid(DType.INT7, *array.shape)):
        check_stop(stop)
        part = np.s_[first * STRIP_ROWS : last * STRIP_ROWS, left * PANEL_BYTES : right * PANEL_BYTES]
        kept[part] = array[part]
    return kept


def check_strip(ref: MatrixRef, dtype: DType, index: int, strip: bytes, path: Sequence[bytes]) -> None:
    """Check that `strip` is strip `index` of the matrix `ref` of data type `dtype`.

    Raises:
        InvalidMatrix: "bad-shape", "bad-matrix-id", "index-outside-matrix", "bad-strip-size",
            "bad-path-length", "bad-path", "nonzero-padding", "entry-out-of-range".
    """
    check_ref(ref, dtype)
    strips, panels = compute_grid(dtype, ref.rows, ref.cols)
    check_index(index, strips * panels)
    if len(strip) != STRIP_BYTES:
        raise InvalidMatrix("bad-strip-size", f"a strip has {STRIP_BYTES} bytes, not {len(strip)}")
    length = compute_path_length(index, strips * panels)
    if len(path) != length:
        raise InvalidMatrix("bad-path-length", f"the path of strip {index} has {length} hashes, not {len(path)}")
    leaf = compute_hash(Context.MATRIX_STRIP, strip)
    try:
        is_there = compute_root_from_path(Context.MATRIX_NODE, leaf, index, strips * panels, path) == ref.root
    except ValueError:  # a sibling of another length than a hash
        is_there = False
    if not is_there:
        raise InvalidMatrix("bad-path", f"strip {index} and its path do not lead to the root of matrix {ref.id.hex()}")
    _check_contents(ref, dtype, divmod(index, panels), strip)


def check_ref(ref: MatrixRef, dtype: DType) -> None:
    """Check that a reference is possible and its id is the hash of its dimensions and root.

    Raises:
        InvalidMatrix: "bad-shape", "bad-matrix-id".
    """
    check_shape(dtype, ref.rows, ref.cols)
    if not is_ref_consistent(ref, dtype):
        raise InvalidMatrix(
            "bad-matrix-id", f"{ref.id.hex()} is not the id of a {ref.rows} x {ref.cols} matrix with that root"
        )


def _check_contents(ref: MatrixRef, dtype: DType, place: tuple[int, int], strip: bytes) -> None:
    """Check padding and range of an opened strip, since a tree can be built over any bytes."""
    i, p = place
    cells = np.frombuffer(strip, dtype=NUMPY_TYPES[dtype]).reshape(STRIP_ROWS, -1)
    left = p * cells.shape[1]
    match dtype:
        case DType.INT7 | DType.INT32:
            is_padded = cells[ref.rows - i * STRIP_ROWS :].any() or cells[:, ref.cols - left :].any()
        case DType.BYTES:
            is_padded = cells.reshape(-1)[compute_file_length(ref.rows, ref.cols) - i * STRIP_BYTES :].any()
        case _:
            assert_never(dtype)
    if is_padded:
        raise InvalidMatrix(
            "nonzero-padding", f"strip ({i}, {p}) is not zero beyond the matrix's {ref.rows} x {ref.cols}"
        )
    if dtype == DType.INT7:
        check_entries(cells, i * STRIP_ROWS, left)


def assemble(ref: MatrixRef, dtype: DType, strips: Mapping[int, bytes] | Sequence[bytes]) -> NDArray[Any]:
    """Return the matrix made of all its strips, which the caller has checked; a file as one row of its bytes.

    Raises:
        InvalidMatrix: "bad-shape", "strip-missing", "bad-strip-size".
    """
    check_shape(dtype, ref.rows, ref.cols)
    count, panels = compute_grid(dtype, ref.rows, ref.cols)
    stored = NUMPY_TYPES[dtype]
    width = PANEL_BYTES // stored.itemsize
    row_items = compute_row_bytes(dtype, ref.cols) // stored.itemsize
    array: NDArray[Any] = np.empty((ref.rows, row_items), dtype=stored.newbyteorder("="))
    for index in range(count * panels):
        try:
            strip = strips[index]
        except (KeyError, IndexError):
            raise InvalidMatrix("strip-missing", f"strip {index} of {count * panels} is missing") from None
        if len(strip) != STRIP_BYTES:
            raise InvalidMatrix("bad-strip-size", f"strip {index} has {len(strip)} bytes, not {STRIP_BYTES}")
        i, p = divmod(index, panels)
        part = array[i * STRIP_ROWS : (i + 1) * STRIP_ROWS, p * width : (p + 1) * width]
        part[:] = np.frombuffer(strip, dtype=stored).reshape(STRIP_ROWS, -1)[: part.shape[0], : part.shape[1]]
    return drop_padding(dtype, ref.rows, ref.cols, array)
