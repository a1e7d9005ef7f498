"""Matrices that come from this machine's users a few rows at a time, since no request may hold gigabytes."""

from collections import OrderedDict
from typing import Any, Final

from numpy.typing import NDArray

from inos.mesh.errors import MeshError
from inos.mesh.growing import GrowingMatrix
from inos.mesh.store import MatrixStore
from inos.primitives.units import MatrixId

MAX_OPEN: Final = 8
"""Uploads whose files are open; another one is closed for it, and goes on where it was."""
PREFIX: Final = "upload"


class Uploads:
    """Belongs to the thread that changes the store. What came stays on disk, so an upload cut off is taken up again."""

    def __init__(self, store: MatrixStore) -> None:
        self._store = store
        self._open: OrderedDict[MatrixId, GrowingMatrix] = OrderedDict()

    def add(self, matrix: MatrixId, shape: tuple[int, int, int], first: int, rows: NDArray[Any] | None) -> int:
        """Keep rows from `first` on, if any; how many there are now. The matrix is stored once all are.

        Args:
            shape: data type, rows and columns.

        Raises:
            MeshError: "rows-out-of-order": others are due; "wrong-matrix": all are here, and are another matrix.
            InvalidMatrix: they are no matrix.
        """
        if self._store.has(matrix):
            return shape[1]
        growing = self._get(matrix, shape)
        if rows is not None:
            try:
                growing.write(first, rows)
            except ValueError as error:
                hint = f"the next row is {growing.rows_done}; send whole strips of 16 rows"
                raise MeshError("rows-out-of-order", str(error), hint=hint) from error
        done = growing.rows_done
        if growing.is_complete:
            self._finish(matrix, growing)
        return done

    def _get(self, matrix: MatrixId, shape: tuple[int, int, int]) -> GrowingMatrix:
        growing = self._open.pop(matrix, None)
        if growing is not None and (growing.dtype, growing.rows, growing.cols) != shape:
            growing.close()
            growing = None
        self._open[matrix] = growing or self._store.open_growing(PREFIX + matrix.hex(), *shape)
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[matrix]

    def _finish(self, matrix: MatrixId, growing: GrowingMatrix) -> None:
        del self._open[matrix]
        try:
            found = self._store.adopt(growing)
        finally:
            growing.close()
        self._store.drop_growing(PREFIX + matrix.hex())
        if found.id != matrix:
            raise MeshError("wrong-matrix", f"the rows sent as matrix {matrix.hex()} are {found.id.hex()}")
