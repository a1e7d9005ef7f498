"""The tickets of one tile of Y over one panel (protocol, section 3, point 5)."""

from typing import Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from primitives.matrices import STRIP_ROWS
from primitives.units import HASH_BYTES

_LEFT: Final = np.uint32(13)
_RIGHT: Final = np.uint32(32 - 13)
_STATE_BYTES: Final = 4 * STRIP_ROWS


def draw_tile(
    x: NDArray[np.float32], w: NDArray[np.float32], seed_x: bytes, target: int
) -> tuple[NDArray[np.int32], list[tuple[int, int, bytes]]]:
    """Multiply a panel step by step, fold every step, hash the states.

    Args:
        x: noisy X by steps, 16 x rows x 64; w: noisy W, 16 x cols x 64; rows and cols multiples of 16.

    Returns:
        The accumulators after the panel, rows x cols, and (i, j, digest) of the winning
        tickets, strips counted within the tile.
    """
    rows, cols = x.shape[1], w.shape[1]
    # One step is at most 254 * 128 * 64 < 2^24, so that float32 holds it exactly.
    product = np.empty((rows, cols), dtype=np.float32)
    whole = np.empty((rows, cols), dtype=np.int32)
    acc = np.zeros((rows, cols), dtype=np.int32)
    by_strip = acc.view(np.uint32).reshape(rows // STRIP_ROWS, STRIP_ROWS, cols)
    state = np.zeros((rows // STRIP_ROWS, cols), dtype=np.uint32)
    for step_x, step_w in zip(x, w, strict=True):
        np.matmul(step_x, step_w.T, out=product)
        np.copyto(whole, product, casting="unsafe")
        np.add(acc, whole, out=acc)
        fold = np.bitwise_xor.reduce(by_strip, axis=1)
        state = (state << _LEFT | state >> _RIGHT) ^ fold
    return acc, _find_wins(state, seed_x, target)


def _find_wins(state: NDArray[np.uint32], seed_x: bytes, target: int) -> list[tuple[int, int, bytes]]:
    limit = target.to_bytes(HASH_BYTES, "big")
    data = state.astype("<u4", copy=False).tobytes()
    across = state.shape[1] // STRIP_ROWS
    digests = [blake3(data[at : at + _STATE_BYTES], key=seed_x).digest() for at in range(0, len(data), _STATE_BYTES)]
    return [(*divmod(index, across), digest) for index, digest in enumerate(digests) if digest <= limit]
