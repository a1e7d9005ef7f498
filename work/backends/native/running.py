"""Kernels in threads, in pieces, stopped soon after they are asked to."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, Final, TypeVar

from work.backends.native.library import load
from work.stopping import Stopped

POLL_S: Final = 0.01
"""How long it takes at most until kernels see that `stop` was set; they look between pieces of about a millisecond."""

Item = TypeVar("Item")


def get_default_threads() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Flag:
    """An int in C's memory that running kernels look at."""

    def __init__(self) -> None:
        ffi, _ = load() or (None, None)
        assert ffi is not None, "only backends that can run are run"
        self.pointer: Any = ffi.new("int *")

    def set(self) -> None:
        self.pointer[0] = 1

    def check(self) -> None:
        """Raise `Stopped` where it is set."""
        if self.pointer[0]:
            raise Stopped


def run_all(
    work: Callable[[Item], None], items: Iterable[Item], threads: int, stop: threading.Event | None, flag: Flag
) -> None:
    """Call `work` on every item, in up to `threads` threads. Several take from one iterator.

    Raises:
        Stopped: `stop` was set; the flag too, so that kernels returned early.
    """
    shared, lock = iter(items), threading.Lock()
    if stop is None and threads == 1:
        _drain(work, shared, lock, flag)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="kernel") as pool:
        try:
            futures = {pool.submit(_drain, work, shared, lock, flag) for _ in range(threads)}
            while futures:
                done, futures = wait(futures, None if stop is None else POLL_S, FIRST_EXCEPTION)
                if stop is not None and stop.is_set():
                    flag.set()
                for future in done:
                    future.result()
        except BaseException:  # Ctrl-C too: the threads are to end before the pool is left
            flag.set()
            raise
    flag.check()


def _drain(work: Callable[[Item], None], shared: Iterator[Item], lock: threading.Lock, flag: Flag) -> None:
    while True:
        flag.check()
        with lock:
            item = next(shared, None)
        if item is None:
            return
        work(item)
