"""Kernels in threads that wait for work between calls, and are stopped soon after they are asked to."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar, assert_never

from inos.work.backends.native.library import load
from inos.work.stopping import Stopped, StopSignal

POLL_S: Final = 0.005
"""Kernels see at most this much later that a plain event was set, and at once that a StopSignal was; they look about
every 2^20 multiply-accumulates."""
LOW_NICENESS: Final = 10
"""A thread that gives way gets a tenth of a processor that another thread of the machine wants for itself."""
MAX_THREADS: Final = 256
"""The largest number of threads of all calls together; a call that finds them busy waits for its turn."""


def get_default_threads() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


Item = TypeVar("Item")
Result = TypeVar("Result")


class _Local(threading.local):
    is_one_of_many = False
    """True in a thread of `run_each`: the others have work of their own, so it shares its own with none."""


_local = _Local()


class Flag:
    """An int in C's memory that running kernels look at."""

    def __init__(self) -> None:
        ffi, _ = load() or (None, None)
        assert ffi is not None, "only backends that can run are run"
        self.pointer: Any = ffi.new("int *")

    def set(self) -> None:
        self.pointer[0] = 1

    def check(self) -> None:
        """Raise `Stopped` if the flag is set."""
        if self.pointer[0]:
            raise Stopped


class MiningPriority(StrEnum):
    """How the threads that mine share the processors with all other threads of the machine."""

    IDLE = "idle"
    """They run while nothing else wants to. One that is put off holding the interpreter's lock puts off the process."""
    LOW = "low"
    """They get a tenth of a processor that another thread wants."""
    NORMAL = "normal"
    """They get the same share as every other thread."""


_priority = MiningPriority.LOW
"""It belongs to the process, as the threads do, which all products of the process share."""


def set_mining_priority(priority: MiningPriority) -> None:
    """Choose how work that gives way shares the processors; threads that mine already keep what they have.

    Only Linux knows a priority of one thread; elsewhere nothing changes.
    """
    global _priority
    _priority = priority


@cache
def _get_pool(*, gives_way: bool) -> ThreadPoolExecutor:
    """Return the threads, which start when first needed and are kept: starting them costs as much as a small
    product.

    Args:
        gives_way: the threads leave the processors to the rest of the process when it needs them.
    """
    initializer = _lower_priority if gives_way else None
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="kernel", initializer=initializer)


def _lower_priority() -> None:
    """Lower the priority of this thread alone, which only Linux allows."""
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    match _priority:
        case MiningPriority.IDLE:
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        case MiningPriority.LOW:
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + LOW_NICENESS)
        case MiningPriority.NORMAL:
            pass
        case _:
            assert_never(_priority)


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_get_pool.cache_clear)


def run_all(work: Callable[[], None], threads: int, stop: threading.Event | None, flag: Flag) -> None:
    """Call `work` in `threads` threads at once, which share the work among themselves.

    Work that can be stopped takes long, such as mining: it gives way to all other work of the process.

    Raises:
        Stopped: `stop` was set; the flag too, so that kernels returned early.
    """
    if stop is None and (threads == 1 or _local.is_one_of_many):
        work()  # Handing it to another thread takes longer than a small matrix.
        flag.check()
        return
    with stop.calling(flag.set) if isinstance(stop, StopSignal) else nullcontext():
        _run_in_pool(work, threads, stop, flag)
    flag.check()


def _run_in_pool(work: Callable[[], None], threads: int, stop: threading.Event | None, flag: Flag) -> None:
    """Call `work` in threads of the pool, and return when all have returned."""
    pool = _get_pool(gives_way=stop is not None)
    poll_s = None if stop is None or isinstance(stop, StopSignal) else POLL_S
    futures = {pool.submit(work) for _ in range(threads if stop is not None else threads - 1)}
    try:
        if stop is None:
            work()  # The calling thread is one of them: waking another one takes as long as hashing a megabyte.
        waiting = futures
        while waiting:
            if stop is not None and stop.is_set():
                flag.set()
            done, waiting = wait(waiting, poll_s, FIRST_EXCEPTION)
            for future in done:
                future.result()
    except BaseException:  # Ctrl-C too
        flag.set()
        raise
    finally:
        wait(futures)  # they write into the caller's memory


def run_each(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield the results of a function that shares its work by `run_all`, in order, with one thread for each item."""

    def run(item: Item) -> Result:
        _local.is_one_of_many = True
        return function(item)

    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="product") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(run, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
