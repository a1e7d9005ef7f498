"""Writes a matrix that is made a slice of rows at a time, so that its rows survive the process that wrote them.

The file has the layout of a stored matrix from the start, with another head. A slice's entries are on disk before
its leaves are, so a strip whose leaf fits its entries is complete. When the file is opened again, it is read up to
the first strip that does not fit.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.mesh.errors import explain
from inos.mesh.files import HEAD_BYTES, MatrixInfo, encode_head, sync_folder
from inos.primitives.codec import encode
from inos.primitives.matrices import STRIP_ROWS, DType
from inos.primitives.units import HASH_BYTES, ZERO_HASH
from inos.work.strips import (
    NUMPY_TYPES,
    InvalidMatrix,
    StripTree,
    check_shape,
    compute_grid,
    compute_row_bytes,
    compute_stored_leaves,
)

MAGIC: Final = b"INOSGROW"
CHECKED_STRIPS: Final = 64
"""So many strips are read back at a time."""


class GrowingMatrix:
    """Belongs to one thread at a time.

    Args:
        path: its file; made if it is missing, overwritten if it holds another matrix.
        dtype, rows, cols: as `MatrixInfo` has them.
        take_room: counts bytes before they are written, and raises MeshError if there is no room for them.

    Raises:
        InvalidMatrix: no matrix can have this shape. MeshError: "disk-full", "disk-refuses".
    """

    def __init__(self, path: Path, dtype: DType, rows: int, cols: int, take_room: Callable[[int], None]) -> None:
        check_shape(dtype, rows, cols)
        self.path = path
        self._take_room = take_room
        self.dtype, self.rows, self.cols = dtype, rows, cols
        strips, self._panels = compute_grid(dtype, rows, cols)
        self._row_bytes = compute_row_bytes(dtype, cols)
        self._data_at = HEAD_BYTES + strips * self._panels * HASH_BYTES
        self.file_bytes = self._data_at + rows * self._row_bytes
        head = (MAGIC + encode((dtype, rows, cols))).ljust(HEAD_BYTES, b"\0")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            if os.pread(self._file, HEAD_BYTES, 0) != head or os.fstat(self._file).st_size != self.file_bytes:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, head, 0)
                os.ftruncate(self._file, self.file_bytes)
        except OSError as error:
            raise explain(error, self.path) from error
        self.rows_done = self._count_rows()

    @property
    def is_complete(self) -> bool:
        return self.rows_done == self.rows

    def write(self, first: int, rows: NDArray[Any]) -> None:
        """Write the next rows, which end with a strip or with the matrix; they are on disk when this returns.

        Args:
            rows: n x cols entries, or n x 1024 bytes of a file, the last row filled up with zeros.

        Raises:
            ValueError: they are not the next ones, or end within a strip. InvalidMatrix: an operand's entry is out
                of range, or a file is not zero behind its end. MeshError: "disk-full", "disk-refuses"; then they
                count as not written.
        """
        last = first + len(rows)
        is_whole = last == self.rows or last % STRIP_ROWS == 0
        is_wide = rows.shape[1] * rows.itemsize == self._row_bytes
        if first != self.rows_done or not len(rows) or last > self.rows or not is_whole or not is_wide:
            raise ValueError(f"rows {first} to {last} do not follow {self.rows_done} of {self.rows} x {self.cols}")
        if self.dtype == DType.BYTES and last == self.rows and rows[-1, self.cols :].any():
            raise InvalidMatrix("nonzero-padding", f"the last row is not zero behind its {self.cols} bytes")
        native = self._to_native(rows)
        data = native.astype(NUMPY_TYPES[self.dtype], copy=False)
        leaves = compute_stored_leaves(self.dtype, native)
        self._take_room(data.nbytes + len(leaves))
        try:
            _write(self._file, data.tobytes(), self._data_at + first * self._row_bytes)
            os.fdatasync(self._file)
            _write(self._file, bytes(leaves), self._get_leaf_offset(first // STRIP_ROWS))
            os.fdatasync(self._file)
        except OSError as error:
            raise explain(error, self.path) from error
        self.rows_done = last

    def finish(self) -> tuple[MatrixInfo, Path]:
        """Turn the file into that of a stored matrix, ready to be renamed; no call but `close` may follow.

        Raises:
            ValueError: rows are missing. MeshError: "disk-full", "disk-refuses".
        """
        if not self.is_complete:
            raise ValueError(f"{self.rows - self.rows_done} of {self.rows} rows are missing")
        leaves = bytearray(self._read_leaves(0, -(-self.rows // STRIP_ROWS)))
        info = MatrixInfo(self.dtype, self.rows, self.cols, StripTree(leaves).root)
        try:
            os.pwrite(self._file, encode_head(info), 0)
            os.fsync(self._file)
            sync_folder(self.path.parent)
        except OSError as error:
            raise explain(error, self.path) from error
        self.close()
        return info, self.path

    def close(self) -> None:
        """Close the file; it can be opened again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _count_rows(self) -> int:
        """Count the rows, from the first one on, whose strips fit their leaves."""
        strips = -(-self.rows // STRIP_ROWS)
        stored = NUMPY_TYPES[self.dtype]
        shape = (self.rows, self._row_bytes // stored.itemsize)
        mapped = np.memmap(self.path, stored, "r", self._data_at, shape)
        for first in range(0, strips, CHECKED_STRIPS):
            last = min(first + CHECKED_STRIPS, strips)
            whole = self._count_whole(self._read_leaves(first, last), mapped[first * STRIP_ROWS : last * STRIP_ROWS])
            if whole < last - first:
                return (first + whole) * STRIP_ROWS
        return self.rows

    def _count_whole(self, leaves: bytes, rows: NDArray[Any]) -> int:
        """Count how many of these rows of strips, from the first one on, have the leaves that were written for them."""
        line = self._panels * HASH_BYTES
        kept = [leaves[at : at + line] for at in range(0, len(leaves), line)]
        written = next((at for at, one in enumerate(kept) if one[:HASH_BYTES] == ZERO_HASH), len(kept))
        if not written:
            return 0
        try:
            found = compute_stored_leaves(self.dtype, self._to_native(rows[: written * STRIP_ROWS]))
        except InvalidMatrix:  # An operand has an entry out of range, so no leaf was ever made for it.
            return 0
        return next((at for at in range(written) if found[at * line : (at + 1) * line] != kept[at]), written)

    def _read_leaves(self, first: int, last: int) -> bytes:
        return os.pread(self._file, (last - first) * self._panels * HASH_BYTES, self._get_leaf_offset(first))

    def _get_leaf_offset(self, strip_row: int) -> int:
        return HEAD_BYTES + strip_row * self._panels * HASH_BYTES

    def _to_native(self, rows: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(rows, NUMPY_TYPES[self.dtype].newbyteorder("="))


def _write(file: int, data: bytes, offset: int) -> None:
    """Write all of `data`; one call of the system may write a part."""
    left = memoryview(data)
    while left:
        count = os.pwrite(file, left, offset)
        left, offset = left[count:], offset + count
