"""The exact product that the interpreter uses if its caller mines none: blocks of int7 operands by float32 BLAS."""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

ROWS: Final = 1024
DEPTH: Final = 2048
"""64 * 64 * 2048 = 2^23: so many terms are exact in float32. Tiles of these sizes keep temporaries below 32 MiB."""


class Multiply(Protocol):
    """Makes, mines or checks one product."""

    def __call__(self, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int) -> NDArray[np.int32]:
        """Return Y_b = X_b * W_b^T below each other, for `blocks` equal blocks of rows of X and of W.

        Args:
            x, w: row-major int8 with entries in -64 .. 63 and the same number of columns, at most 65,536.
        """


def multiply(x: NDArray[np.int8], w: NDArray[np.int8], blocks: int) -> NDArray[np.int32]:
    """Return the products of all blocks, exactly."""
    depth = x.shape[1]
    out = np.zeros((blocks, len(x) // blocks, len(w) // blocks), dtype=np.int32)
    left, right = x.reshape(blocks, -1, depth), w.reshape(blocks, -1, depth)
    rows, cols = left.shape[1], right.shape[1]
    if rows <= ROWS and cols <= ROWS and depth <= DEPTH:
        together = max(1, ROWS * DEPTH // max(rows * depth, cols * depth, rows * cols))
        for first in range(0, blocks, together):
            part = slice(first, first + together)
            out[part] = _multiply_tile(left[part], right[part])
    else:
        for x_block, w_block, y_block in zip(left, right, out, strict=True):
            _multiply_in_tiles(x_block, w_block, y_block)
    return out.reshape(len(x), -1)


def _multiply_in_tiles(x: NDArray[np.int8], w: NDArray[np.int8], y: NDArray[np.int32]) -> None:
    for top in range(0, len(x), ROWS):
        for side in range(0, len(w), ROWS):
            tile = y[top : top + ROWS, side : side + ROWS]
            for left in range(0, x.shape[1], DEPTH):
                part = slice(left, left + DEPTH)
                tile += _multiply_tile(x[top : top + ROWS, part], w[side : side + ROWS, part])


def _multiply_tile(x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32]:
    product = x.astype(np.float32) @ w.astype(np.float32).swapaxes(-1, -2)
    return product.astype(np.int32)
