"""Makes the products of a program by mining them: each draws lottery tickets under the current template.

The program runs in a thread. It asks the event loop for a new draw when the last one is old or the tip moved.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos import programs, work
from inos.miner.lottery import Draw
from inos.primitives.matrices import compute_tickets
from inos.work import Operand, Win
from inos.work.stopping import Stopped, check_stop

MIN_TICKETS: Final = 4
"""A block of fewer tickets is multiplied without mining: committing its operands would take longer than its tickets are
worth (docs/decisions/0124).
"""
MAX_KEPT: Final = 256
"""The operands W of this many products are kept, so that a weight that a loop uses again is hashed once."""
LOOK_S: Final = 0.1
T = TypeVar("T")


class DrawState(Struct, frozen=True):
    """A draw, and the monotonic time from which a new one is asked for."""

    draw: Draw
    until: float


class ProgramProducts:
    """Implements inos.programs.Multiply.

    Args:
        renew: returns a draw on the current tip; it is told tickets and seconds since it was called last.
        submit: builds the block of a win.
        renew_s: a draw is used this long.
    """

    def __init__(
        self,
        renew: Callable[[int, float], Coroutine[Any, Any, Draw]],
        submit: Callable[[Draw, Win], Coroutine[Any, Any, None]],
        renew_s: float,
        backend: str,
        threads: int | None,
        stop: threading.Event,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._renew = renew
        self._submit = submit
        self._renew_s = renew_s
        self._backend = backend
        self._threads = threads
        self._stop = stop
        self._state: DrawState | None = None
        self._began = time.monotonic()
        self._operands: dict[int, tuple[NDArray[np.int8], Operand]] = {}
        self._lotteries: dict[bytes, work.Lottery] = {}
        self.tickets = 0
        """Counts the tickets since the last draw."""

    def set_stale(self) -> None:
        """Ask for a new draw at the next product, because the tip moved."""
        self._state = None

    def finish(self) -> tuple[int, float]:
        """Return the tickets and seconds since the last draw."""
        return self.tickets, time.monotonic() - self._began

    def __call__(self, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int) -> NDArray[np.int32]:
        """Return the products of all blocks; see inos.programs.Multiply.

        Raises:
            Stopped: the miner was told to stop.
        """
        rows_x, rows_w = len(x) // blocks, len(w) // blocks
        if compute_tickets(rows_x, rows_w, x.shape[1]) < MIN_TICKETS:
            check_stop(self._stop)
            return programs.multiply(x, w, blocks)
        parts = [
            self._mine(x[b * rows_x : (b + 1) * rows_x], w[b * rows_w : (b + 1) * rows_w], is_kept=blocks == 1)
            for b in range(blocks)
        ]
        return parts[0] if blocks == 1 else np.concatenate(parts)

    def _mine(self, x: NDArray[np.int8], w: NDArray[np.int8], *, is_kept: bool) -> NDArray[np.int32]:
        draw, right = self._get_draw(), self._commit(w, is_kept=is_kept)
        left = Operand.commit(x, self._stop, copy=False)
        lottery = self._lotteries.get(right.ref.id)
        if lottery is None:
            lottery = work.Lottery(right, draw.anchor, draw.target, backend=self._backend, threads=self._threads)
            if is_kept:
                self._lotteries[right.ref.id] = lottery
        mined = lottery.mine_strips(left, 0, left.strips, stop=self._stop)
        if mined.product is None:
            raise Stopped
        self.tickets += mined.tickets
        if mined.wins:
            self._wait(self._submit(draw, mined.wins[0]))
            self._state = None
        return mined.product

    def _commit(self, w: NDArray[np.int8], *, is_kept: bool) -> Operand:
        """Return W as an operand. An array that is kept here lives on, so nothing else can have its number."""
        found = self._operands.get(id(w))
        if found is not None:
            return found[1]
        operand = Operand.commit(w, self._stop, copy=False)
        if is_kept and not w.flags.writeable and len(self._operands) < MAX_KEPT:
            self._operands[id(w)] = (w, operand)
        return operand

    def _get_draw(self) -> Draw:
        state, now = self._state, time.monotonic()
        if state is None or now >= state.until:
            draw = self._wait(self._renew(self.tickets, now - self._began))
            self.tickets, self._began = 0, time.monotonic()
            self._lotteries.clear()
            state = self._state = DrawState(draw, self._began + self._renew_s)
        return state.draw

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop, and wait for it as long as the miner is not stopped."""
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        while True:
            try:
                return future.result(LOOK_S)
            except TimeoutError:
                if self._stop.is_set():
                    future.cancel()
                    raise Stopped from None
