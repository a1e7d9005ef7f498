"""Slices are multiplied in a thread: the kernels release the GIL, so the event loop runs meanwhile."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from inos import work
from inos.primitives.units import Anchor, Target
from inos.work import Mined, Operand, StopSignal


class MineStrips(Protocol):
    """This is the signature of inos.work.mine_strips, or of what replaces it in a test."""

    def __call__(
        self,
        x: Operand,
        w: Operand,
        anchor: Anchor,
        target: Target,
        first: int,
        last: int,
        *,
        backend: str,
        threads: int | None,
        stop: threading.Event | None,
        needs_rows: bool,
    ) -> Mined: ...


class Engine:
    """Runs one multiplication at a time. `close` returns within the 50 ms that the kernels promise."""

    def __init__(self, backend: str, threads: int | None, mine: MineStrips | None = None) -> None:
        self._backend = backend
        self._threads = threads
        self._mine: MineStrips = work.mine_strips if mine is None else mine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="miner")
        self._stop: threading.Event = StopSignal()

    def interrupt(self) -> None:
        """Give up the slice in progress, if there is one. Its rows and tickets are lost."""
        self._stop.set()

    async def mine(
        self, x: Operand, w: Operand, anchor: Anchor, target: Target, first: int, last: int, *, needs_rows: bool
    ) -> Mined:
        """Multiply strips [first, last) of `x` with `w`, and draw tickets under `anchor`."""
        stop = self._stop = StopSignal()
        call = partial(
            self._mine,
            *(x, w, anchor, target, first, last),
            backend=self._backend,
            threads=self._threads,
            stop=stop,
            needs_rows=needs_rows,
        )
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        finally:
            stop.set()

    def close(self) -> None:
        """Stop the slice in progress and end the thread."""
        self._stop.set()
        self._thread.shutdown(wait=True)
