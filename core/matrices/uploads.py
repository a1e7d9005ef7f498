"""Users of this machine send large matrices a few rows at a time, because no request may hold gigabytes."""

from collections import OrderedDict
from typing import Any, Final

from numpy.typing import NDArray

from inos.mesh.errors import MeshError
from inos.mesh.growing import GrowingMatrix
from inos.mesh.store import MatrixStore
from inos.primitives.matrices import DType
from inos.primitives.units import MatrixId
from inos.work.strips import check_shape

MAX_OPEN: Final = 8
"""The files of this many uploads are open. Beyond it the longest unused file is closed, and opened again when rows
arrive."""
PREFIX: Final = "upload"
MAX_UPLOADS: Final = 64
"""At most this many uploads are unfinished, since anybody on this machine can begin one without a token."""
UPLOADS_PART: Final = 4
"""Unfinished uploads take at most one part in this many of the room for matrices."""
PAUSE_S: Final = 60.0
"""An upload without new rows for this long gives way to another one."""
IDLE_S: Final = 3600.0
"""An upload without new rows for this long is dropped."""


class Uploads:
    """Belongs to the thread that changes the store. Rows stay on disk, so an interrupted upload can be continued."""

    def __init__(self, store: MatrixStore) -> None:
        self._store = store
        self._open: OrderedDict[MatrixId, GrowingMatrix] = OrderedDict()

    def add(self, matrix: MatrixId, shape: tuple[DType, int, int], first: int, rows: NDArray[Any] | None) -> int:
        """Write rows from `first` on, if any, and return how many are here. The matrix is stored when all are.

        Args:
            shape: data type, rows and columns.

        Raises:
            MeshError: "rows-out-of-order": other rows come next. "wrong-matrix": all rows are here, and are another
                matrix. "too-many-uploads", "store-full", "disk-full": there is no room for these rows.
            InvalidMatrix: they are not a matrix.
        """
        if self._store.has(matrix):
            return shape[1]
        name = PREFIX + matrix.hex()
        check_shape(*shape)
        if rows is None and not self._store.growth.has(name):
            return 0  # Asking for what has not begun leaves no file.
        if rows is not None:
            self._make_room(name, rows.nbytes)
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

    def _get(self, matrix: MatrixId, shape: tuple[DType, int, int]) -> GrowingMatrix:
        growing = self._open.pop(matrix, None)
        if growing is not None and (growing.dtype, growing.rows, growing.cols) != shape:
            growing.close()
            growing = None
        self._open[matrix] = growing or self._store.growth.open(PREFIX + matrix.hex(), *shape, is_own=False)
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[matrix]

    def expire(self) -> int:
        """Drop the uploads without new rows for IDLE_S, and return how many there were."""
        old = [name for age_s, name in self._store.growth.list_idle(PREFIX) if age_s > IDLE_S]
        for name in old:
            self._drop(name)
        return len(old)

    def _make_room(self, name: str, size: int) -> None:
        """Drop the uploads that paused the longest while there are too many for more rows of this one."""
        growth, retention = self._store.growth, self._store.retention
        others = [(age_s, each) for age_s, each in growth.list_idle(PREFIX) if each != name]
        share = retention.count_room() // UPLOADS_PART
        while len(others) >= MAX_UPLOADS or growth.count_bytes(PREFIX) + size > share:
            if not others or others[0][0] < PAUSE_S:
                raise MeshError(
                    "too-many-uploads",
                    f"{len(others) + 1} unfinished uploads have {growth.count_bytes(PREFIX)} bytes; {size} more exceed"
                    f" their share of {share} bytes, or they exceed their number of {MAX_UPLOADS}",
                    hint="finish an upload first, or raise the quota (inos mesh quota)",
                )
            self._drop(others.pop(0)[1])

    def _drop(self, name: str) -> None:
        growing = self._open.pop(MatrixId(bytes.fromhex(name.removeprefix(PREFIX))), None)
        if growing is not None:
            growing.close()
        self._store.growth.drop(name)

    def _finish(self, matrix: MatrixId, growing: GrowingMatrix) -> None:
        del self._open[matrix]
        try:
            found = self._store.adopt(growing)
        finally:
            growing.close()
        self._store.growth.drop(PREFIX + matrix.hex())
        if found.id != matrix:
            raise MeshError("wrong-matrix", f"the rows sent as matrix {matrix.hex()} are {found.id.hex()}")
