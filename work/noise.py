"""Noise, drawn from an anchor and the operands' ids (protocol, section 3, points 2 and 3)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.hashing import Context, compute_hash, compute_stream
from inos.primitives.units import Hash

STEP: Final = 64
"""A step has this many columns; it is the rank of the noise too."""
X_SHIFT: Final = 64
"""This is added to X so that X' is unsigned."""
_PERM_BYTES: Final = 4 * STEP


def compute_seed_w(anchor: bytes, w_id: bytes) -> Hash:
    """Return H("noise w", anchor || w_id)."""
    return compute_hash(Context.NOISE_W, anchor + w_id)


def compute_seed_x(seed_w: bytes, x_id: bytes) -> Hash:
    """Return H("noise x", seed_w || x_id)."""
    return compute_hash(Context.NOISE_X, seed_w + x_id)


def compute_noise_x(seed_x: bytes, first: int, last: int) -> NDArray[np.uint8]:
    """Return rows [first, last) of E_L, entries 0..127: (last - first) x 64."""
    return _draw_rows(seed_x, first, last) & np.uint8(0x7F)


def compute_noise_w(seed_w: bytes, first: int, last: int) -> NDArray[np.int8]:
    """Return rows [first, last) of F_L, entries -64..63: (last - first) x 64."""
    return (_draw_rows(seed_w, first, last) & np.uint8(0x7F)).view(np.int8) - np.int8(64)


def _draw_rows(seed: bytes, first: int, last: int) -> NDArray[np.uint8]:
    data = compute_stream(seed, "rows", STEP * (last - first), STEP * first)
    return np.frombuffer(data, dtype=np.uint8).reshape(last - first, STEP)


def compute_permutations(seed: bytes, first: int, last: int) -> NDArray[np.intp]:
    """Return the permutations of steps [first, last): (last - first) x 64, entry [b, c] is P_b[c]."""
    data = compute_stream(seed, "perm", _PERM_BYTES * (last - first), _PERM_BYTES * first)
    words = np.frombuffer(data, dtype="<u4").reshape(last - first, STEP)
    return np.argsort(words, axis=1, kind="stable")
