"""Blocking work runs in threads: one writer thread, one thread for matrix files, a few for checks, two that execute
blocks before the writer does: one that arrived, and one to be mined."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog

from inos.core.errors import NodeError
from inos.primitives.errors import InosError

log: Final = structlog.get_logger("node")

T = TypeVar("T")

CHECK_THREADS: Final = 2
EXECUTE_THREADS: Final = 2
"""One executes blocks that arrived, the other makes templates; their services call one at a time."""
MAX_WAITING: Final = 256
SLOT_S: Final = 30.0
"""A caller waits this long for its turn before it is told that the node is busy."""


class Threads:
    """Runs calls in the node's executors, with one bound on how many calls wait for them."""

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="matrices")
        self._checkers = ThreadPoolExecutor(CHECK_THREADS, thread_name_prefix="check")
        self._executors = ThreadPoolExecutor(EXECUTE_THREADS, thread_name_prefix="execute")
        self._slots = asyncio.Semaphore(MAX_WAITING)
        self._places = asyncio.Semaphore(MAX_WAITING)
        self._works: set[asyncio.Task[Any]] = set()
        """References that keep the tasks of `complete` alive; each has a place."""

    async def write(self, call: Callable[[], T]) -> T:
        """Run a change of chain or pool in the writer thread: one at a time, in order.

        Raises:
            NodeError: "busy" if no turn came in time.
        """
        return await self._run(self._writer, call)

    async def store(self, call: Callable[[], T]) -> T:
        """Run a change of the matrix store in its thread, one at a time. It raises the errors of `write`."""
        return await self._run(self._files, call)

    async def check(self, call: Callable[[], T]) -> T:
        """Run something that changes nothing. It raises the errors of `write`."""
        return await self._run(self._checkers, call)

    async def execute(self, call: Callable[[], T]) -> T:
        """Execute a block, which may take seconds, without changing anything. It raises the errors of `write`."""
        return await self._run(self._executors, call)

    async def complete(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that changes something and then tells of it, to its end even if the caller is cancelled.

        A peer's session may end while a thread connects the peer's block; others must hear of that block all the same.
        What such a work refuses then, nobody is told; what fails it is logged. At most `MAX_WAITING` works are begun at
        a time, so that peers that send and leave leave no more behind; other callers wait. A work inside of a work is a
        part of it, and needs no place of its own.

        Raises:
            NodeError: "busy" if the work could not begin in time.
        """
        if asyncio.current_task() in self._works:
            return await work
        try:
            await _wait_turn(self._places)
        except BaseException:
            work.close()
            raise
        task = asyncio.get_running_loop().create_task(work)
        self._works.add(task)
        task.add_done_callback(self._leave)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_outcome)
            raise

    def close(self) -> None:
        """End the threads. Calls that run are finished first, calls that wait are dropped."""
        for pool in (self._executors, self._checkers, self._files, self._writer):
            pool.shutdown(wait=True, cancel_futures=True)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._works.discard(task)
        self._places.release()

    async def _run(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        await _wait_turn(self._slots)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call)
        finally:
            self._slots.release()


async def _wait_turn(places: asyncio.Semaphore) -> None:
    try:
        async with asyncio.timeout(SLOT_S):
            await places.acquire()
    except TimeoutError as error:
        raise NodeError("busy", f"more than {MAX_WAITING} requests are waiting", hint="try again later") from error


def _log_outcome(task: asyncio.Task[Any]) -> None:
    """Log why a work failed that nobody waits for any more."""
    if task.cancelled() or (error := task.exception()) is None:
        return
    if isinstance(error, InosError):
        log.debug("a work was refused after its caller left", code=error.code)
    else:
        log.error("a work failed after its caller left", exc_info=error)
