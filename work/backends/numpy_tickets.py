"""The tickets of one tile of Y over one panel (protocol, section 3, point 5)."""

from typing import Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_ROWS
from inos.primitives.units import HASH_BYTES

_LEFT: Final = np.uint32(13)
_RIGHT: Final = np.uint32(32 - 13)
_STATE_BYTES: Final = 4 * STRIP_ROWS


class Scratch:
    """The memory of one thread, for tiles of up to `size` rows and columns. It is made once and stays in the cache."""

    def __init__(self, size: int) -> None:
        self._product = np.empty(size * size, dtype=np.float32)
        self._whole = np.empty(size * size, dtype=np.int32)
        self._acc = np.empty(size * size, dtype=np.int32)
        self._states = np.empty((3, size // STRIP_ROWS * size), dtype=np.uint32)

    def draw(
        self, x: NDArray[np.float32], w: NDArray[np.float32], seed_x: bytes, target: int
    ) -> tuple[NDArray[np.int32], list[tuple[int, int, bytes]]]:
        """Multiply a panel step by step, fold every step, hash the states.

        Args:
            x: noisy X by steps, 16 x rows x 64; w: noisy W, 16 x cols x 64; rows and cols multiples of 16.

        Returns:
            The accumulators after the panel, rows x cols, valid until the next call; and
            (i, j, digest) of the winning tickets, strips counted within the tile.
        """
        rows, cols = x.shape[1], w.shape[1]
        shape, strips = (rows, cols), rows // STRIP_ROWS
        product = self._product[: rows * cols].reshape(shape)
        whole, acc = (memory[: rows * cols].reshape(shape) for memory in (self._whole, self._acc))
        state, fold, spare = (memory[: strips * cols].reshape(strips, cols) for memory in self._states)
        by_strip = acc.view(np.uint32).reshape(strips, STRIP_ROWS, cols)
        acc.fill(0)
        state.fill(0)
        for step_x, step_w in zip(x, w, strict=True):
            # One step is at most 254 * 128 * 64 < 2^24, so that float32 holds it exactly.
            np.matmul(step_x, step_w.T, out=product)
            np.copyto(whole, product, casting="unsafe")
            np.add(acc, whole, out=acc)
            np.bitwise_xor.reduce(by_strip, axis=1, out=fold)
            np.left_shift(state, _LEFT, out=spare)
            np.right_shift(state, _RIGHT, out=state)
            np.bitwise_or(state, spare, out=state)
            np.bitwise_xor(state, fold, out=state)
        return acc, _find_wins(state, seed_x, target)


def _find_wins(state: NDArray[np.uint32], seed_x: bytes, target: int) -> list[tuple[int, int, bytes]]:
    limit = target.to_bytes(HASH_BYTES, "big")
    data = state.astype("<u4", copy=False).tobytes()
    across = state.shape[1] // STRIP_ROWS
    digests = [blake3(data[at : at + _STATE_BYTES], key=seed_x).digest() for at in range(0, len(data), _STATE_BYTES)]
    return [(*divmod(index, across), digest) for index, digest in enumerate(digests) if digest <= limit]
