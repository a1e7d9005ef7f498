"""Makes a filler's operands of its seed, the same ones on the node and on every worker."""

import numpy as np
from numpy.typing import NDArray

from inos.primitives.hashing import compute_stream
from inos.work import Operand
from inos.workers.messages import Filler


def make_operands(filler: Filler) -> tuple[Operand, Operand]:
    """Return X (rows_x x depth) and W (rows_w x depth) of a filler, committed."""
    return (
        Operand.commit(make_array(filler.seed, "filler x", filler.rows_x, filler.depth), copy=False),
        Operand.commit(make_array(filler.seed, "filler w", filler.rows_w, filler.depth), copy=False),
    )


def make_array(seed: bytes, purpose: str, rows: int, cols: int) -> NDArray[np.int8]:
    """Return rows x cols entries: entry t, row by row, is (byte t of the seed's stream, AND 127) - 64."""
    data = compute_stream(seed, purpose, rows * cols)
    entries = (np.frombuffer(data, np.uint8) & np.uint8(0x7F)).view(np.int8) - np.int8(64)
    return entries.reshape(rows, cols)
