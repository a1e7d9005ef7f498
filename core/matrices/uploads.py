"""Users of this machine send large matrices a few rows at a time, because no request may hold gigabytes."""

from collections import OrderedDict
from typing import Any, Final

from numpy.typing import NDArray

from inos.mesh.errors import MeshError
from inos.mesh.growing import GrowingMatrix
from inos.mesh.store import MatrixStore
from inos.primitives.units import MatrixId

MAX_OPEN: Final = 8
"""The files of this many uploads are open. Beyond it the longest unused file is closed, and opened again when rows
arrive."""
PREFIX: Final = "upload"


class Uploads:
    """Belongs to the thread that changes the store. Rows stay on disk, so an interrupted upload can be continued."""

    def __init__(self, store: MatrixStore) -> None:
        self._store = store
        self._open: OrderedDict[MatrixId, GrowingMatrix] = OrderedDict()

    def add(self, matrix: MatrixId, shape: tuple[int, int, int], first: int, rows: NDArray[Any] | None) -> int:
        """Write rows from `first` on, if any, and return how many are here. The matrix is stored when all are.

        Args:
            shape: data type, rows and columns.

        Raises:
            MeshError: "rows-out-of-order": other rows come next. "wrong-matrix": all rows are here, and are another
                matrix.
            InvalidMatrix: they are not a matrix.
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
        self._open[matrix] = growing or self._store.growth.open(PREFIX + matrix.hex(), *shape)
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[matrix]

    def _finish(self, matrix: MatrixId, growing: GrowingMatrix) -> None:
        del self._open[matrix]
        try:
            found = self._store.adopt(growing)
        finally:
            growing.close()
        self._store.growth.drop(PREFIX + matrix.hex())
        if found.id != matrix:
            raise MeshError("wrong-matrix", f"the rows sent as matrix {matrix.hex()} are {found.id.hex()}")
