"""Noisy operands made panel by panel, and the sums that remove the noise (protocol, section 3, points 4 and 6)."""

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.work.matrices import Operand
from inos.work.noise import STEP, X_SHIFT, compute_noise_w, compute_noise_x, compute_permutations
from inos.work.stopping import check_stop

STEPS: Final = PANEL_BYTES // STEP
MAX_KEPT_BYTES: Final = 256 << 20
"""W' is kept whole up to this size, and made again for every tile of X above it."""
PIECE: Final = 16
"""W is prepared by pieces of this many strips: 256 KiB."""


def compute_columns(seed: bytes, panels: int) -> NDArray[np.intp]:
    """Return P_b[c mod 64] for every column c of the padded matrix: panels x 1024."""
    return compute_permutations(seed, 0, panels * STEPS).reshape(panels, PANEL_BYTES)


def compute_inverse(columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each step b and noise column q the panel's column to which q was added: panels x 1024, q fastest."""
    steps = columns.reshape(-1, STEPS, STEP)
    inverse = np.argsort(steps, axis=2) + STEP * np.arange(STEPS)[:, None]
    return inverse.reshape(-1, PANEL_BYTES)


def cut_panel(array: NDArray[np.int8], first: int, last: int, panel: int) -> NDArray[np.int8]:
    """Return strips [first, last) of one panel, zero-padded: rows x 1024."""
    rows = (last - first) * STRIP_ROWS
    part = array[first * STRIP_ROWS : last * STRIP_ROWS, panel * PANEL_BYTES : (panel + 1) * PANEL_BYTES]
    if part.shape == (rows, PANEL_BYTES):
        return part
    padded = np.zeros((rows, PANEL_BYTES), dtype=np.int8)
    padded[: part.shape[0], : part.shape[1]] = part
    return padded


def sum_columns(part: NDArray[Any], inverse: NDArray[np.intp]) -> NDArray[np.int32]:
    """Add up columns that share a noise column: rows x 1024 become rows x 64."""
    near = np.ascontiguousarray(part)  # Gathering from rows 64 KiB apart costs ten times as much.
    sums: NDArray[np.int32] = near[:, inverse].reshape(len(part), STEPS, STEP).sum(axis=1, dtype=np.int32)
    return sums


def cut_steps(panel: NDArray[Any]) -> NDArray[np.float32]:
    """Return rows x 1024 as float32 by steps, each contiguous: 16 x rows x 64."""
    steps = np.empty((STEPS, len(panel), STEP), dtype=np.float32)
    steps[:] = panel.reshape(len(panel), STEPS, STEP).transpose(1, 0, 2)
    return steps


class PreparedW:
    """W under one anchor, for any number of X."""

    def __init__(self, w: Operand, seed_w: bytes, stop: threading.Event | None) -> None:
        self._w = w
        self._seed = seed_w
        self._columns = compute_columns(seed_w, w.panels)
        self.inverse = compute_inverse(self._columns)
        self._kept: NDArray[np.int8] | None = None
        self._sums: tuple[bytes, NDArray[np.int32]] | None = None
        if w.strips * w.panels * STRIP_ROWS * PANEL_BYTES <= MAX_KEPT_BYTES:
            self._kept = self._make_all(stop)

    def compute_rows(self, first: int, last: int) -> NDArray[np.int8]:
        """Return F_L of strips [first, last): rows x 64."""
        return compute_noise_w(self._seed, first * STRIP_ROWS, last * STRIP_ROWS)

    def compute_panel(self, first: int, last: int, panel: int) -> NDArray[np.float32]:
        """Return W' of strips [first, last) by steps: 16 x rows x 64."""
        return cut_steps(self._get_noisy(first, last, panel))

    def compute_sums(self, seed_x: bytes, inverse: NDArray[np.intp], stop: threading.Event | None) -> NDArray[np.int32]:
        """Return sums of columns of W' that share a column of X's noise: padded n x 64. It keeps the last X's."""
        kept = self._sums
        if kept is not None and kept[0] == seed_x:
            return kept[1]
        sums = np.zeros((self._w.strips * STRIP_ROWS, STEP), dtype=np.int32)
        for first in range(0, self._w.strips, PIECE):
            last = min(first + PIECE, self._w.strips)
            for panel in range(self._w.panels):
                check_stop(stop)
                noisy = self._get_noisy(first, last, panel)
                sums[first * STRIP_ROWS : last * STRIP_ROWS] += sum_columns(noisy, inverse[panel])
        self._sums = (seed_x, sums)
        return sums

    def _get_noisy(self, first: int, last: int, panel: int) -> NDArray[np.int8]:
        if self._kept is None:
            return self._make(self.compute_rows(first, last), first, last, panel)
        return self._kept[panel, first * STRIP_ROWS : last * STRIP_ROWS]

    def _make(self, rows: NDArray[np.int8], first: int, last: int, panel: int) -> NDArray[np.int8]:
        noisy: NDArray[np.int8] = cut_panel(self._w.array, first, last, panel) + rows[:, self._columns[panel]]
        return noisy

    def _make_all(self, stop: threading.Event | None) -> NDArray[np.int8]:
        # It goes panel by panel, so that a piece is contiguous: rows 64 KiB apart would page in far more memory.
        kept = np.empty((self._w.panels, self._w.strips * STRIP_ROWS, PANEL_BYTES), dtype=np.int8)
        for first in range(0, self._w.strips, PIECE):
            last = min(first + PIECE, self._w.strips)
            rows = self.compute_rows(first, last)
            for panel in range(self._w.panels):
                check_stop(stop)
                kept[panel, first * STRIP_ROWS : last * STRIP_ROWS] = self._make(rows, first, last, panel)
        return kept


class NoisyX:
    """X under one seed. X's entries are added up by `inverse_w`, the columns of W's noise."""

    def __init__(self, x: Operand, seed_x: bytes, inverse_w: NDArray[np.intp]) -> None:
        self.x = x
        self.seed = seed_x
        self.columns = compute_columns(seed_x, x.panels)
        self.inverse = compute_inverse(self.columns)
        self.inverse_w = inverse_w

    def open(self, first: int, last: int) -> "TileX":
        return TileX(self, first, last)


class TileX:
    """Strips [first, last) of X: its panels in order, and the sums that remove the noise."""

    def __init__(self, whole: NoisyX, first: int, last: int) -> None:
        self._whole = whole
        self._first, self._last = first, last
        rows = compute_noise_x(whole.seed, first * STRIP_ROWS, last * STRIP_ROWS)
        self._rows = rows + np.uint8(X_SHIFT)
        self._sums = np.zeros((len(rows), STEP), dtype=np.int32)

    def compute_panel(self, panel: int) -> NDArray[np.float32]:
        """Return X' by steps, 16 x rows x 64; the caller asks for every panel once."""
        part = cut_panel(self._whole.x.array, self._first, self._last, panel)
        self._sums += sum_columns(part, self._whole.inverse_w[panel])
        return cut_steps(np.add(part, self._rows[:, self._whole.columns[panel]], dtype=np.int16))

    def get_factor(self) -> NDArray[np.float64]:
        """Return [sums of X | 64 + E_L], rows x 128, once all panels were made."""
        return np.concatenate([self._sums, self._rows], axis=1, dtype=np.float64)
