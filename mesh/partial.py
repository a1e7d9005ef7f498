"""A matrix on its way: verified strips put in their places."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesh.files import MatrixInfo
from primitives.hashing import Context, compute_hash
from primitives.matrices import PANEL_BYTES, STRIP_ROWS, MatrixRef
from primitives.units import Hash
from work.matrices import check_strip
from work.strips import NUMPY_TYPES, compute_grid


class Partial:
    """In memory until it is complete; an interrupted download begins again."""

    def __init__(self, info: MatrixInfo) -> None:
        self.info = info
        self.array: NDArray[Any] = np.zeros((info.rows, info.cols), NUMPY_TYPES[info.dtype])
        self._ref = MatrixRef(info.id, info.rows, info.cols, info.root)
        self._leaves: dict[int, Hash] = {}

    @property
    def is_complete(self) -> bool:
        return len(self._leaves) == self.info.strips

    @property
    def leaves(self) -> list[Hash]:
        return [self._leaves[index] for index in range(self.info.strips)]

    def list_missing(self, limit: int) -> list[int]:
        """At most `limit` indices, lowest first."""
        missing: list[int] = []
        for index in range(self.info.strips):
            if len(missing) >= limit:
                break
            if index not in self._leaves:
                missing.append(index)
        return missing

    def add(self, index: int, strip: bytes, path: Sequence[bytes]) -> None:
        """Verify a strip and put it in its place.

        Raises:
            InvalidMatrix: it is not strip `index` of this matrix.
        """
        check_strip(self._ref, self.info.dtype, index, strip, path)
        row, panel = divmod(index, compute_grid(self.info.dtype, self.info.rows, self.info.cols)[1])
        width = PANEL_BYTES // self.array.itemsize
        cut = np.frombuffer(strip, NUMPY_TYPES[self.info.dtype]).reshape(STRIP_ROWS, width)
        place = self.array[row * STRIP_ROWS : (row + 1) * STRIP_ROWS, panel * width : (panel + 1) * width]
        place[:] = cut[: place.shape[0], : place.shape[1]]
        self._leaves[index] = compute_hash(Context.MATRIX_STRIP, strip)
