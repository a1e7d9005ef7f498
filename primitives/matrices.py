"""References to matrices, and the seal and witness that prove a header's winning ticket."""

from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.units import U32_MAX, Hash, JobId, MatrixId

STRIP_ROWS: Final = 16
PANEL_BYTES: Final = 1024
STRIP_BYTES: Final = STRIP_ROWS * PANEL_BYTES
MAX_ROWS: Final = 2**20
MAX_FILE_BYTES: Final = MAX_ROWS * PANEL_BYTES
"""A file has at most this many bytes: 1 GiB."""
MAX_DEPTH: Final = 2**16
"""This is the largest k, the columns of an operand (protocol, section 2)."""
MAX_PATH: Final = 26
"""A matrix of 2^20 rows and 2^16 int7 columns has 2^22 strips; int32 results have up to 2^28 strips."""
MAX_RESULT_PATH: Final = 28

Hash32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
U32 = Annotated[int, Meta(ge=0, le=U32_MAX)]


class DType(IntEnum):
    """The data type of a matrix; its value is part of the matrix's id (protocol, section 2)."""

    INT7 = 1
    """An operand: entries -64 .. 63 of one byte."""
    INT32 = 2
    """A result: little-endian entries of four bytes."""
    BYTES = 3
    """A file: any bytes in rows of 1024, of which the last one has as many as the matrix has columns. It is never an
    operand."""


class MatrixRef(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A matrix by content: its id, dimensions and the root of its strip tree.

    The data type is not stored: the field that holds a reference decides it
    (operands are int7, results int32, files bytes), and the id binds it.
    """

    id: Hash32
    rows: U32
    cols: U32
    root: Hash32

    @property
    def matrix_id(self) -> MatrixId:
        return MatrixId(self.id)


class Product(Struct, frozen=True):
    """A delivered result: Y is said to be X * W^T, for a job."""

    job: JobId
    x: MatrixRef
    w: MatrixRef
    y: MatrixRef


class Seal(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """The winning ticket (i, j, p) of the product of x and w, and its digest."""

    x: MatrixRef
    w: MatrixRef
    i: U32
    j: U32
    p: U32
    digest: Hash32


class Witness(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """Two raw strips (16 rows x 1024 int8, row-major) with their paths, leaf's sibling first."""

    x_strip: Annotated[bytes, Meta(min_length=STRIP_BYTES, max_length=STRIP_BYTES)]
    x_path: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_PATH)]
    w_strip: Annotated[bytes, Meta(min_length=STRIP_BYTES, max_length=STRIP_BYTES)]
    w_path: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_PATH)]


MAX_PANELS: Final = MAX_DEPTH // PANEL_BYTES


class StripRow(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Neighbouring strips of one row of strips, one after the other, with their range path (inos.primitives.merkle)."""

    strips: Annotated[bytes, Meta(min_length=STRIP_BYTES, max_length=MAX_PANELS * STRIP_BYTES)]
    path: Annotated[tuple[Hash32, ...], Meta(max_length=2 * MAX_RESULT_PATH)]


MAX_WITNESS_BYTES: Final = 2 * (STRIP_BYTES + MAX_PATH * 34) + 32


def compute_matrix_id(dtype: DType, rows: int, cols: int, root: bytes) -> MatrixId:
    """Return H("matrix", dtype u8 || rows u32 || cols u32 || root), little-endian (protocol, section 2)."""
    head = dtype.to_bytes(1, "little") + rows.to_bytes(4, "little") + cols.to_bytes(4, "little")
    return MatrixId(compute_hash(Context.MATRIX, head + root))


def make_matrix_ref(dtype: DType, rows: int, cols: int, root: Hash) -> MatrixRef:
    """Return a reference whose id fits its dimensions and root."""
    return MatrixRef(compute_matrix_id(dtype, rows, cols, root), rows, cols, root)


def is_ref_consistent(ref: MatrixRef, dtype: DType) -> bool:
    """Return True if the id is the hash of the reference's other fields, for this data type."""
    return ref.id == compute_matrix_id(dtype, ref.rows, ref.cols, ref.root)


def compute_file_shape(length: int) -> tuple[int, int]:
    """Return (rows, cols) of a file of this many bytes: rows of 1024 bytes, and the bytes in the last one.

    The empty file has one row and no columns, so the shape binds the length.
    """
    rows = max(1, -(-length // PANEL_BYTES))
    return rows, length - (rows - 1) * PANEL_BYTES


def compute_file_length(rows: int, cols: int) -> int:
    """Return how many bytes a file of this shape has."""
    return (rows - 1) * PANEL_BYTES + cols


def is_file_shape(rows: int, cols: int) -> bool:
    """Return True if a file can have this shape: 1 to 2^20 rows of 1024 bytes, and 1 to 1024 bytes in the last one;
    no bytes only in a single row, which is the empty file."""
    return 1 <= rows <= MAX_ROWS and (1 <= cols <= PANEL_BYTES or (rows, cols) == (1, 0))


def compute_tickets(rows_x: int, rows_w: int, depth: int) -> int:
    """Return the tickets in a product, ceil(m/16) * ceil(n/16) * ceil(k/1024) (protocol, section 5)."""
    return -(-rows_x // STRIP_ROWS) * -(-rows_w // STRIP_ROWS) * -(-depth // PANEL_BYTES)
