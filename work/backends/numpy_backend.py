"""The reference backend: float32 products of one step each, folded in int32, in tiles that fit a cache."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from primitives.matrices import STRIP_ROWS
from work.backends.base import Drawn, OnWin, Slice
from work.backends.numpy_noise import NoisyX, PreparedW
from work.backends.numpy_tickets import draw_tile
from work.matrices import Operand
from work.stopping import Stopped, check_stop

TILE: Final = 256
"""Rows and columns of Y handled at once: 256 KiB of accumulators."""
TASKS_PER_THREAD: Final = 2


class NumpyBackend:
    """Runs wherever numpy does. Noise, products and folds release the GIL, so threads help."""

    name = "numpy"

    def get_obstacle(self) -> str:
        return ""

    def prepare(self, w: Operand, seed_w: bytes, *, threads: int, stop: threading.Event | None) -> PreparedW:
        check_stop(stop)
        return PreparedW(w, seed_w, stop)

    def multiply(self, piece: Slice, prepared: PreparedW, on_win: OnWin, stop: threading.Event | None) -> Drawn:
        job = _Job(piece, prepared, on_win, stop)
        try:
            job.prepare()
            tasks = plan_tasks(piece)
            if piece.threads == 1 or len(tasks) == 1:
                for task in tasks:
                    job.run(*task)
            else:
                with ThreadPoolExecutor(min(piece.threads, len(tasks)), thread_name_prefix="mine") as pool:
                    for future in [pool.submit(job.run, *task) for task in tasks]:
                        future.result()
        except Stopped:
            return Drawn(None, job.tickets)
        return Drawn(job.product, job.tickets)


def plan_tasks(piece: Slice) -> list[tuple[int, int, int, int]]:
    """(first, last) strips of X and of W for each task: tiles of X, W cut up too where they are few."""
    step = TILE // STRIP_ROWS
    tops = range(piece.first, piece.last, step)
    lefts = max(1, -(-piece.threads * TASKS_PER_THREAD // len(tops))) if piece.threads > 1 else 1
    width = -(-piece.w.strips // lefts)
    width = -(-width // step) * step
    return [
        (top, min(top + step, piece.last), left, min(left + width, piece.w.strips))
        for top in tops
        for left in range(0, piece.w.strips, width)
    ]


class _Job:
    """One slice in progress; tasks run in several threads and write disjoint parts of the product."""

    def __init__(self, piece: Slice, prepared: PreparedW, on_win: OnWin, stop: threading.Event | None) -> None:
        self._piece = piece
        self._w = prepared
        self._on_win = on_win
        self._stop = stop
        self._lock = threading.Lock()
        self._failed = threading.Event()
        self.tickets = 0

    def prepare(self) -> None:
        """What all tasks share: the output and the column sums of W'."""
        piece = self._piece
        self._x = NoisyX(piece.x, piece.seed_x, self._w.inverse)
        self._sums = self._w.compute_sums(piece.seed_x, self._x.inverse, self._stop)
        self._top = piece.first * STRIP_ROWS
        rows = min(piece.last * STRIP_ROWS, piece.x.ref.rows) - self._top
        self.product: NDArray[np.int32] = np.empty((rows, piece.w.ref.rows), dtype=np.int32)

    def run(self, top: int, bottom: int, left: int, right: int) -> None:
        """Tickets and product of X strips [top, bottom) by W strips [left, right)."""
        step = TILE // STRIP_ROWS
        tile_x = self._x.open(top, bottom)
        for panel in range(self._piece.x.panels):
            noisy_x = tile_x.compute_panel(panel)
            for j in range(left, right, step):
                self._check()
                last = min(j + step, right)
                self._draw(noisy_x, top, j, last, panel)
        for j in range(left, right, step):
            self._check()
            self._peel(tile_x.get_factor(), top, j, min(j + step, right))

    def _check(self) -> None:
        check_stop(self._stop)
        check_stop(self._failed)

    def _draw(self, noisy_x: NDArray[np.float32], top: int, j: int, last: int, panel: int) -> None:
        acc, wins = draw_tile(noisy_x, self._w.compute_panel(j, last, panel), self._piece.seed_x, self._piece.target)
        for a, b, digest in wins:
            self._on_win(top + a, j + b, panel, digest)
        with self._lock:
            self.tickets += (acc.shape[0] // STRIP_ROWS) * (acc.shape[1] // STRIP_ROWS)
        out = self._get_part(top, acc.shape[0], j, last)
        noisy = acc[: out.shape[0], : out.shape[1]]
        if panel == 0:
            out[:] = noisy
        else:
            out += noisy

    def _peel(self, factor: NDArray[np.float64], top: int, j: int, last: int) -> None:
        """Y = X'W'^T - X F^T - (64 + E) W'^T: both corrections as one product of depth 128, exact in float64."""
        out = self._get_part(top, factor.shape[0], j, last)
        rows = slice(j * STRIP_ROWS, last * STRIP_ROWS)
        other = np.concatenate([self._w.compute_rows(j, last), self._sums[rows]], axis=1, dtype=np.float64)
        correction = (factor @ other.T)[: out.shape[0], : out.shape[1]]
        np.subtract(out, correction, out=out, casting="unsafe")

    def _get_part(self, top: int, height: int, j: int, last: int) -> NDArray[np.int32]:
        first = top * STRIP_ROWS - self._top
        return self.product[first : first + height, j * STRIP_ROWS : last * STRIP_ROWS]
