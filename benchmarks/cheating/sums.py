"""The partial sums that a miner could keep: X * W' after every step."""

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.work import Operand, compute_seed_w
from inos.work.noise import STEP, compute_noise_w, compute_permutations

STEPS = PANEL_BYTES // STEP


def compute_sums(x: Operand, w: Operand, anchor: bytes) -> NDArray[np.int32]:
    """Return the sums for operands of one panel with whole strips, as x strips x w strips x 16 steps x 16 x 16."""
    seed = compute_seed_w(anchor, w.ref.id)
    columns = compute_permutations(seed, 0, STEPS).reshape(-1)
    noisy = w.array + compute_noise_w(seed, 0, w.ref.rows)[:, columns]
    total = np.zeros((x.ref.rows, w.ref.rows), dtype=np.float32)
    sums = np.empty((x.strips, w.strips, STEPS, STRIP_ROWS, STRIP_ROWS), dtype=np.int32)
    for step in range(STEPS):
        part = np.s_[:, step * STEP : (step + 1) * STEP]
        # 1024 products of 64 * 128 are below 2^24, so float32 holds them exactly.
        total += x.array[part].astype(np.float32) @ noisy[part].astype(np.float32).T
        blocks = total.reshape(x.strips, STRIP_ROWS, w.strips, STRIP_ROWS)
        sums[:, :, step] = blocks.transpose(0, 2, 1, 3)
    return sums
