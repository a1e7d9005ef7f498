"""One ticket computed in numpy from its two strips: the reference (protocol, section 3)."""

from typing import Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.primitives.units import Hash
from inos.work.noise import STEP, X_SHIFT, compute_noise_w, compute_noise_x, compute_permutations

STEPS: Final = PANEL_BYTES // STEP
ROTATION: Final = 13


def compute_ticket(x_strip: bytes, w_strip: bytes, seed_x: bytes, seed_w: bytes, place: tuple[int, int, int]) -> Hash:
    """Return the digest of ticket (i, j, p), computed from strip (i, p) of X and (j, p) of W."""
    i, j, p = place
    first, last = p * STEPS, (p + 1) * STEPS
    rows_x = compute_noise_x(seed_x, i * STRIP_ROWS, (i + 1) * STRIP_ROWS) + np.uint8(X_SHIFT)
    rows_w = compute_noise_w(seed_w, j * STRIP_ROWS, (j + 1) * STRIP_ROWS)
    left = _add_noise(x_strip, rows_x, compute_permutations(seed_x, first, last))
    right = _add_noise(w_strip, rows_w, compute_permutations(seed_w, first, last))
    # One step is at most 254 * 128 * 64 < 2^24, so that float32 holds it exactly.
    steps = np.matmul(left, right.transpose(0, 2, 1)).astype(np.int32)
    folds = np.bitwise_xor.reduce(np.cumsum(steps, axis=0, dtype=np.int32), axis=1).view(np.uint32)
    state = np.zeros(STRIP_ROWS, dtype=np.uint32)
    for fold in folds:
        state = (state << np.uint32(ROTATION) | state >> np.uint32(32 - ROTATION)) ^ fold
    return Hash(blake3(state.astype("<u4").tobytes(), key=seed_x).digest())


def _add_noise(
    strip: bytes, rows: NDArray[np.uint8] | NDArray[np.int8], perms: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return the noisy strip by steps: 16 steps x 16 rows x 64 columns."""
    cells = np.frombuffer(strip, dtype=np.int8).reshape(STRIP_ROWS, STEPS, STEP)
    noise = rows[:, perms]
    return np.add(cells, noise, dtype=np.float32).transpose(1, 0, 2)
