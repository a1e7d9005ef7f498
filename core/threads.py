"""Where blocking work runs: one writer thread, one for matrix files, a few for checks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from inos.core.errors import NodeError

T = TypeVar("T")

CHECK_THREADS: Final = 2
MAX_WAITING: Final = 256
SLOT_S: Final = 30.0
"""How long a caller waits for its turn before it is told that the node is busy."""


class Threads:
    """The node's executors behind one bounded door."""

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="matrices")
        self._checkers = ThreadPoolExecutor(CHECK_THREADS, thread_name_prefix="check")
        self._slots = asyncio.Semaphore(MAX_WAITING)

    async def write(self, call: Callable[[], T]) -> T:
        """Run a change of chain or pool, one at a time, in order.

        Raises:
            NodeError: "busy" where no turn came in time.
        """
        return await self._run(self._writer, call)

    async def keep(self, call: Callable[[], T]) -> T:
        """Run a change of the matrix store, one at a time; else as `write`."""
        return await self._run(self._files, call)

    async def check(self, call: Callable[[], T]) -> T:
        """Run something that changes nothing; else as `write`."""
        return await self._run(self._checkers, call)

    def close(self) -> None:
        """End the threads; what they have begun is finished first, what waits is not begun."""
        for pool in (self._checkers, self._files, self._writer):
            pool.shutdown(wait=True, cancel_futures=True)

    async def _run(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(SLOT_S):
                await self._slots.acquire()
        except TimeoutError as error:
            raise NodeError("busy", f"more than {MAX_WAITING} requests are waiting", hint="try again later") from error
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call)
        finally:
            self._slots.release()
