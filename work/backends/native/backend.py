"""The native backend: it cuts a slice into slabs of panels, and threads share the strips of each."""

import threading
from collections.abc import Callable
from typing import Final

from inos.work.backends.base import Drawn, OnWin, Slice
from inos.work.backends.native.job import Job
from inos.work.backends.native.library import Kernel, find_kernels, find_obstacle, load
from inos.work.backends.native.prepared import PreparedW
from inos.work.backends.native.products import SmallProducts
from inos.work.backends.native.running import Flag, run_all
from inos.work.matrices import Operand
from inos.work.stopping import Stopped

PREFIX: Final = "native-"


class NativeBackend:
    """One compiled kernel, named by the instructions that it needs: "native-avx2"."""

    def __init__(self, kernel_name: str) -> None:
        self._kernel_name = kernel_name
        self.name = PREFIX + kernel_name

    def get_obstacle(self) -> str:
        return find_obstacle(self._kernel_name)

    def _get_kernel(self) -> Kernel:
        return find_kernels()[self._kernel_name]

    def prepare(self, w: Operand, seed_w: bytes, *, threads: int, stop: threading.Event | None) -> PreparedW:
        return PreparedW(self._get_kernel(), w, seed_w)

    def multiply(self, piece: Slice, prepared: PreparedW, on_win: OnWin, stop: threading.Event | None) -> Drawn:
        return self._run(Job(self._get_kernel(), piece, prepared, on_win), stop)

    def make_small_products(self, anchor: bytes, target: int) -> SmallProducts | None:
        """Return what makes small products in one call each; None if the kernels were compiled before they could."""
        loaded = load()
        if loaded is None or not hasattr(loaded[1], "inos_run_products"):
            return None
        return SmallProducts(self._get_kernel(), anchor, target)

    def multiply_bare(self, piece: Slice) -> Drawn:
        """Do the same without noise, folds and hashes, for benchmarks that compare mining with it.

        Its product is that of W and X + 64, whose bytes are the unsigned ones the kernels multiply.
        """
        prepared = PreparedW(self._get_kernel(), piece.w, piece.seed_w)
        return self._run(Job(self._get_kernel(), piece, prepared, lambda *_: None, is_bare=True), None)

    def find_limit(self) -> Callable[[int, int], int] | None:
        """Return a call that multiplies in registers alone, for benchmarks; None if this kernel has no such loop.

        It takes a number of rounds and of threads, and returns how many multiplications each thread made.
        """
        loaded = load()
        if loaded is None or not hasattr(loaded[1], "inos_run_limit"):
            return None
        lib, number = loaded[1], self._get_kernel().number
        per_round = int(lib.inos_run_limit(number, 1))

        def limit(rounds: int, threads: int) -> int:
            run_all(lambda: lib.inos_run_limit(number, rounds), threads, None, Flag())
            return per_round * rounds

        return limit if per_round else None

    def _run(self, job: Job, stop: threading.Event | None) -> Drawn:
        try:
            job.run(stop)
        except Stopped:
            return Drawn(None, job.tickets)
        return Drawn(job.product, job.tickets)
