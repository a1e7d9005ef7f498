"""Multiplies slices in a thread of its own, and finds the tickets worth telling."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.blocks import compute_anchor
from inos.work import Lottery, Operand, StopSignal
from inos.workers.messages import NewTemplate, Share, make_header

MEASURE_SIDE: Final = 512
MEASURE_S: Final = 0.3


class Drawn(Struct, frozen=True, eq=False):
    """One slice's outcome."""

    is_complete: bool
    """False if it was stopped."""
    tickets: int
    found: tuple[Share, ...]
    """The tickets at most at the target."""


class Multiplier:
    """Runs one slice at a time.

    A nonce serves any strips of one product under one template, since all of their tickets differ; W's noise is then
    drawn once. Strips that were drawn under it before need another one.

    Args:
        prefix: the upper half of all nonces.
    """

    def __init__(self, backend: str, threads: int, prefix: int) -> None:
        self._backend = backend
        self._threads = threads
        self._nonce = prefix << 32
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._stop: threading.Event = StopSignal()
        self._lottery: Lottery | None = None
        self._key: tuple[int, bytes, bytes, int] | None = None
        self._used: set[int] = set()
        self.speed = 0.0
        """Tickets per second, smoothed; 0 before the first slice."""

    def interrupt(self) -> None:
        """End the slice in progress soon; what it has found is reported."""
        self._stop.set()

    async def draw(
        self,
        x: Operand,
        w: Operand,
        template: NewTemplate,
        target: int,
        strips: tuple[int, int],
        *,
        out: NDArray[np.int32] | None = None,
    ) -> Drawn:
        """Multiply strips [first, last) of X by W, and find tickets at most at `target`.

        Args:
            out: contiguous memory for the rows; without it they are not needed.
        """
        lottery = self._open_lottery(x, w, template, target, strips)
        nonce, found, stop = self._nonce, list[Share](), StopSignal()
        self._stop = stop

        def add(i: int, j: int, p: int, digest: bytes) -> None:
            found.append(Share(nonce, i, j, p, digest))

        began = time.monotonic()
        run = partial(lottery.draw, x, *strips, add, stop=stop, needs_rows=out is not None, out=out)
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(self._pool, run)
        finally:
            stop.set()
        is_complete = drawn.product is not None
        if is_complete:
            speed = drawn.tickets / max(time.monotonic() - began, 1e-6)
            self.speed = speed if self.speed == 0 else 0.7 * self.speed + 0.3 * speed
        return Drawn(is_complete, drawn.tickets, tuple(found))

    def close(self) -> None:
        """Stop, and end the thread."""
        self._stop.set()
        self._pool.shutdown(wait=True)

    def _open_lottery(
        self, x: Operand, w: Operand, template: NewTemplate, target: int, strips: tuple[int, int]
    ) -> Lottery:
        key, wanted = (template.number, x.ref.id, w.ref.id, target), set(range(*strips))
        if self._lottery is None or self._key != key or self._used & wanted:
            self._nonce += 1
            anchor = compute_anchor(make_header(template.header, self._nonce))
            self._lottery = Lottery(w, anchor, target, backend=self._backend, threads=self._threads)
            self._key, self._used = key, set()
        self._used |= wanted
        return self._lottery


def measure_speed(backend: str, threads: int) -> int:
    """Return the tickets per second of a small product, measured for MEASURE_S seconds."""
    random = np.random.default_rng(1)
    sides = (random.integers(-64, 64, (MEASURE_SIDE, 1024), dtype=np.int8) for _ in range(2))
    x, w = (Operand.commit(side) for side in sides)
    lottery, tickets, began = Lottery(w, bytes(32), 0, backend=backend, threads=threads), 0, time.monotonic()
    lottery.draw(x, 0, 1, _ignore)  # The first call makes threads and tables.
    began = time.monotonic()
    while (passed := time.monotonic() - began) < MEASURE_S:
        tickets += lottery.draw(x, 0, x.strips, _ignore).tickets
    return int(tickets / max(passed, 1e-6))


def _ignore(i: int, j: int, p: int, digest: bytes) -> None:
    """Ignore a ticket of a measurement."""
