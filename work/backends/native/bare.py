"""Exact products by the kernels, without noise and tickets, to check results that others mined."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_ROWS, MatrixRef
from inos.primitives.units import HASH_BYTES
from inos.work.backends.base import Slice
from inos.work.backends.native.backend import NativeBackend
from inos.work.backends.native.library import find_best
from inos.work.backends.native.running import get_default_threads
from inos.work.matrices import Operand
from inos.work.strips import StripTree

SHIFT: Final = 64
"""The kernels multiply bytes of X + 64, which have no sign."""
MAX_THREADS: Final = 8
"""So many threads take at most 64 MiB beside operands and product."""
_NOTHING: Final = bytes(HASH_BYTES)


def multiply_bare(x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32] | None:
    """Return X * W^T, or None if no kernel here is faster than numpy.

    Args:
        x, w: row-major int8 with entries in -64 .. 63, which is not checked, and the same number of columns.
    """
    product = multiply_lowered(x, w)
    if product is not None:
        product -= SHIFT * w.sum(axis=1, dtype=np.int32)
    return product


def multiply_lowered(x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32] | None:
    """Return (X + 64) * W^T of such operands, or None. It takes no pass over the product after the kernel's."""
    kernel = find_best()
    if kernel is None:
        return None
    strips, threads = -(-len(x) // STRIP_ROWS), min(MAX_THREADS, get_default_threads())
    piece = Slice(_describe(x), _describe(w), _NOTHING, _NOTHING, 0, 0, strips, threads)
    product = NativeBackend(kernel.name).multiply_bare(piece).product
    assert product is not None, "nothing stops it"
    return product


def _describe(array: NDArray[np.int8]) -> Operand:
    """Return an operand without its hashes, which only tickets need."""
    return Operand(array, MatrixRef(_NOTHING, len(array), array.shape[1], _NOTHING), StripTree([_NOTHING], None))
