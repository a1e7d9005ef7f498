"""The reference backend: float32 products of one step each, folded in int32, by tiles that fit a cache."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_ROWS
from inos.work.backends.base import Drawn, OnWin, Slice
from inos.work.backends.blas import is_controllable, single_threaded_blas
from inos.work.backends.numpy_noise import NoisyX, PreparedW
from inos.work.backends.numpy_tickets import Scratch
from inos.work.matrices import Operand
from inos.work.stopping import Stopped, check_stop

TILE: Final = 256
"""A tile has this many rows and columns of Y: 256 KiB of accumulators."""
TASKS_PER_THREAD: Final = 2


class Task(NamedTuple):
    """X strips [top, bottom) by W strips [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


class NumpyBackend:
    """Runs wherever numpy does. Noise, products and folds release the GIL, so several threads are faster."""

    name = "numpy"

    def get_obstacle(self) -> str:
        return ""

    def prepare(self, w: Operand, seed_w: bytes, *, threads: int, stop: threading.Event | None) -> PreparedW:
        check_stop(stop)
        return PreparedW(w, seed_w, stop)

    def multiply(self, piece: Slice, prepared: PreparedW, on_win: OnWin, stop: threading.Event | None) -> Drawn:
        job = _Job(piece, prepared, on_win, stop)
        try:
            with single_threaded_blas():
                job.prepare()
                self._run(job, plan_tasks(piece), piece.threads)
        except Stopped:
            return Drawn(None, job.tickets)
        return Drawn(job.product, job.tickets)

    def _run(self, job: "_Job", tasks: Sequence[Task], threads: int) -> None:
        if threads == 1 or len(tasks) == 1 or not is_controllable():
            job.run_all(iter(tasks))
            return
        shared = iter(tasks)
        workers = min(threads, len(tasks))
        with ThreadPoolExecutor(workers, thread_name_prefix="mine") as pool:
            try:
                for future in [pool.submit(job.run_all, shared) for _ in range(workers)]:
                    future.result()
            except BaseException:  # This includes Ctrl-C: the threads end before the pool is left.
                job.is_given_up.set()
                raise


def plan_tasks(piece: Slice) -> list[Task]:
    """Return tasks of one tile of X by all of W each, or by parts of W if there are fewer tiles than threads."""
    step = TILE // STRIP_ROWS
    tops = range(piece.first, piece.last, step)
    lefts = max(1, -(-piece.threads * TASKS_PER_THREAD // len(tops))) if piece.threads > 1 else 1
    width = -(-piece.w.strips // lefts)
    width = -(-width // step) * step
    return [
        Task(top, min(top + step, piece.last), left, min(left + width, piece.w.strips))
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
        self._local = threading.local()
        self.is_given_up = threading.Event()
        self.tickets = 0

    def prepare(self) -> None:
        """Make what all tasks share: the output and the column sums of W'."""
        piece = self._piece
        self._x = NoisyX(piece.x, piece.seed_x, self._w.inverse)
        self._sums = self._w.compute_sums(piece.seed_x, self._x.inverse, self._stop)
        self._top = piece.first * STRIP_ROWS
        rows = min(piece.last * STRIP_ROWS, piece.x.ref.rows) - self._top
        self.product: NDArray[np.int32] = np.empty((rows, piece.w.ref.rows), dtype=np.int32)

    def run_all(self, tasks: Iterator[Task]) -> None:
        """Run tasks until none is left; several threads may share one iterator."""
        while True:
            with self._lock:
                task = next(tasks, None)
            if task is None:
                return
            self._check()
            self._run(task)

    def _run(self, task: Task) -> None:
        tile_x = self._x.open(task.top, task.bottom)
        columns = [
            (j, min(j + TILE // STRIP_ROWS, task.right)) for j in range(task.left, task.right, TILE // STRIP_ROWS)
        ]
        for panel in range(self._piece.x.panels):
            noisy_x = tile_x.compute_panel(panel)
            for left, right in columns:
                self._check()
                self._draw(noisy_x, task.top, left, right, panel)
        factor = tile_x.get_factor()
        for left, right in columns:
            self._check()
            self._peel(factor, task.top, left, right)

    def _get_scratch(self) -> Scratch:
        scratch: Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = Scratch(TILE)
        return scratch

    def _check(self) -> None:
        check_stop(self._stop)
        check_stop(self.is_given_up)

    def _draw(self, noisy_x: NDArray[np.float32], top: int, left: int, right: int, panel: int) -> None:
        noisy_w = self._w.compute_panel(left, right, panel)
        acc, wins = self._get_scratch().draw(noisy_x, noisy_w, self._piece.seed_x, self._piece.target)
        for a, b, digest in wins:
            self._on_win(top + a, left + b, panel, digest)
        with self._lock:
            self.tickets += (acc.shape[0] // STRIP_ROWS) * (acc.shape[1] // STRIP_ROWS)
        out = self._get_part(top, acc.shape[0], left, right)
        noisy = acc[: out.shape[0], : out.shape[1]]
        if panel == 0:
            out[:] = noisy
        else:
            out += noisy

    def _peel(self, factor: NDArray[np.float64], top: int, left: int, right: int) -> None:
        """Compute Y = X'W'^T - X F^T - (64 + E) W'^T, both corrections in one exact float64 product of depth 128."""
        out = self._get_part(top, factor.shape[0], left, right)
        rows = slice(left * STRIP_ROWS, right * STRIP_ROWS)
        other = np.concatenate([self._w.compute_rows(left, right), self._sums[rows]], axis=1, dtype=np.float64)
        correction = (factor @ other.T)[: out.shape[0], : out.shape[1]]
        np.subtract(out, correction, out=out, casting="unsafe")

    def _get_part(self, top: int, height: int, left: int, right: int) -> NDArray[np.int32]:
        first = top * STRIP_ROWS - self._top
        return self.product[first : first + height, left * STRIP_ROWS : right * STRIP_ROWS]
