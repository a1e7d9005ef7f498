"""A small product with a wrong entry, and the challenges that prove it."""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, MatrixRef, StripRow
from inos.primitives.transactions import Challenge, JobMode
from inos.primitives.units import JobId, Nano
from inos.work import matrix_ref
from inos.work.fraud import open_tile
from inos.work.strips import StripTree, compute_leaf_row, compute_strip
from support.consensus_lab import PARAMS, Lab

WIDE_PARAMS: Final = msgspec.structs.replace(PARAMS, max_block_bytes=400_000)
"""The lab's parameters, with blocks that a challenge fits into."""
_RANDOM: Final = np.random.default_rng(5)
X: Final = _RANDOM.integers(-64, 64, (40, 1100), dtype=np.int8)
"""3 x 2 strips, of which the last ones are padded in both directions."""
W: Final = _RANDOM.integers(-64, 64, (300, 1100), dtype=np.int8)
Y: Final = (X.astype(np.int64) @ W.astype(np.int64).T).astype(np.int32)
WRONG_ROW, WRONG_COL = 37, 290
WRONG_I, WRONG_J = 2, 18
BAD_Y: Final = Y.copy()
BAD_Y[WRONG_ROW, WRONG_COL] += 1
X_REF, W_REF, Y_REF, BAD_REF = (matrix_ref(array) for array in (X, W, Y, BAD_Y))
_ARRAYS: Final[dict[bytes, NDArray[Any]]] = {X_REF.id: X, W_REF.id: W, Y_REF.id: Y, BAD_REF.id: BAD_Y}


def open_row(ref: MatrixRef, first: int, count: int) -> StripRow:
    """Return inos.work.fraud.OpenRow for the matrices of this module."""
    return open_array_row(_ARRAYS[ref.id], first, count)


def open_array_row(array: NDArray[Any], first: int, count: int) -> StripRow:
    """Return strips of any matrix with their range path."""
    strips = b"".join(compute_strip(array, index) for index in range(first, first + count))
    return StripRow(strips, StripTree(compute_leaf_row(array)).compute_range_path(first, count))


def make_challenge(job: JobId, i: int = WRONG_I, j: int = WRONG_J, y: MatrixRef = BAD_REF) -> Challenge:
    """Return a challenge of tile (i, j) of the result `y`; by default it is the wrong tile."""
    tile = open_tile(X_REF, W_REF, y, i, j, open_row)
    return Challenge(job, i, j, tile.x, tile.w, tile.y)


def make_optimistic(height: int, **changes: Any) -> dict[str, Any]:
    """The arguments with which `make_post` posts an optimistic job for this module's product."""
    return {"x": X_REF, "w": W_REF, "mode": JobMode.OPTIMISTIC, "bond": 1001, "deadline": height + 19} | changes


def widen(lab: Lab) -> None:
    """Give the lab blocks that a challenge fits into, and the worker enough for a bond."""
    lab.params = WIDE_PARAMS


PANELS: Final = -(-X.shape[1] // PANEL_BYTES)
BOND: Final = Nano(1001)
