"""The native backend: a slice cut into tasks, a task into tiles that stay in the cache, each one call of C."""

import threading
from typing import Final

from work.backends.base import Drawn, OnWin, Slice
from work.backends.native.job import Job
from work.backends.native.library import Kernel, find_kernels, find_obstacle
from work.backends.native.prepared import PreparedW
from work.backends.native.running import run_all
from work.backends.native.tiles import plan_tasks
from work.matrices import Operand
from work.stopping import Stopped

PREFIX: Final = "native-"


class NativeBackend:
    """One compiled kernel, under the name of what it needs: "native-avx2"."""

    def __init__(self, kernel_name: str) -> None:
        self._kernel_name = kernel_name
        self.name = PREFIX + kernel_name

    def get_obstacle(self) -> str:
        return find_obstacle(self._kernel_name)

    def _get_kernel(self) -> Kernel:
        return find_kernels()[self._kernel_name]

    def prepare(self, w: Operand, seed_w: bytes, *, threads: int, stop: threading.Event | None) -> PreparedW:
        prepared = PreparedW(self._get_kernel(), w, seed_w)
        prepared.pack_all(threads, stop)
        return prepared

    def multiply(self, piece: Slice, prepared: PreparedW, on_win: OnWin, stop: threading.Event | None) -> Drawn:
        return self.run(piece, prepared, on_win, stop, is_bare=False)

    def run(
        self, piece: Slice, prepared: PreparedW, on_win: OnWin, stop: threading.Event | None, *, is_bare: bool
    ) -> Drawn:
        """`multiply`, or where `is_bare` the same kernel without fold, hashes and peeling.

        The bare product is that of the noisy operands; benchmarks measure with it what mining costs.
        """
        job = Job(self._get_kernel(), piece, prepared, on_win, is_bare=is_bare)
        try:
            if not is_bare:
                job.sum_w(stop)
            run_all(job.run, plan_tasks(piece, job.tile_rows), piece.threads, stop, job.flag)
        except Stopped:
            return Drawn(None, job.tickets)
        return Drawn(job.product, job.tickets)
