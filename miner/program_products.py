"""Draws lottery tickets from the products of a program under the templates of the moment.

The program runs in a thread. Before a product it asks the event loop for a new draw if the last one is old, was won, or
is not on the tip any more.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from inos.miner.lottery import Draw
from inos.primitives.errors import InosError
from inos.programs.mining import MiningProduct
from inos.programs.types import Array
from inos.work import Win
from inos.work.stopping import Stopped

log: Final = structlog.get_logger("miner")

LOOK_S: Final = 0.1
"""A thread that waits for the event loop looks this often whether the miner was stopped."""
NO_TEMPLATE: Final = bytes(32), 0
"""An anchor and a target under which no ticket wins."""
T = TypeVar("T")


class ProgramProducts:
    """Implements inos.programs.Multiply. It is made on the event loop and called in another thread.

    Args:
        renew: returns a draw on the current tip; it is told the tickets since it was called last.
        submit: builds the block of a win.
        renew_s: a draw is used this long.
        inputs: the program's bound inputs.
        stop: is set when the miner is to stop.
    """

    def __init__(
        self,
        renew: Callable[[int], Coroutine[Any, Any, Draw]],
        submit: Callable[[Draw, Win], Coroutine[Any, Any, None]],
        renew_s: float,
        inputs: Sequence[Array],
        *,
        backend: str,
        threads: int | None,
        stop: threading.Event,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._renew = renew
        self._submit = submit
        self._renew_s = renew_s
        self._stop = stop
        self._mining = MiningProduct(*NO_TEMPLATE, inputs, backend=backend, threads=threads, stop=stop)
        self._draw: Draw | None = None
        self._counted = 0
        self._began = time.monotonic()

    def set_stale(self) -> None:
        """Ask for a new draw before the next product, because the tip moved."""
        self._draw = None

    def finish(self) -> int:
        """Return the tickets since the last draw."""
        counted = self._mining.tickets - self._counted
        self._counted, self._began = self._mining.tickets, time.monotonic()
        return counted

    def __call__(self, x: NDArray[np.int8], w: NDArray[np.int8], blocks: int) -> NDArray[np.int32]:
        """Return the products of all blocks; see inos.programs.Multiply.

        Raises:
            Stopped: the miner was told to stop.
        """
        draw = self._draw
        if draw is None or time.monotonic() - self._began >= self._renew_s:
            draw = self._draw = self._make_draw()
        product = self._mining(x, w, blocks)
        if self._mining.wins:
            win = self._mining.wins[0]
            self._mining.wins.clear()
            self._draw = None
            if draw is not None:
                self._wait(self._submit(draw, win))
        return product

    def _make_draw(self) -> Draw | None:
        """Return a new draw. Without one the program goes on, and its tickets win nothing until the next product."""
        try:
            draw = self._wait(self._renew(self.finish()))
        except Stopped:
            raise
        except InosError as error:
            log.warning("program goes on without a template", code=error.code, error=error.message)
            self._mining.set_template(*NO_TEMPLATE)
            return None
        self._mining.set_template(draw.anchor, draw.target)
        return draw

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop, and wait for it as long as the miner is not stopped."""
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        while True:
            try:
                return future.result(LOOK_S)
            except TimeoutError:
                if future.done():
                    return future.result()  # It ended just now, or raised this error itself.
                if self._stop.is_set():
                    future.cancel()
                    raise Stopped from None
