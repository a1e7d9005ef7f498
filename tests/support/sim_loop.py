"""An event loop with virtual time: if nothing is ready, the time jumps to the next timer.

It has no sockets, threads or waiting. Tasks hash by their number, so sets of them (asyncio.TaskGroup has one) are
iterated in the same order in every run.
"""

import asyncio
from asyncio import base_events
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class NothingLeft(RuntimeError):
    """All tasks wait and no timer runs: the simulated program is deadlocked."""


class _NumberedTask(asyncio.Task):  # type: ignore[type-arg]
    _count = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _NumberedTask._count += 1
        self._number = _NumberedTask._count
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class _Jump:
    """A replacement for the selector of a real loop."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise NothingLeft("nothing is ready and nothing is scheduled")
        self._loop.now += timeout
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """Return the seconds since the loop was made."""

    def __init__(self) -> None:
        super().__init__()
        _NumberedTask._count = 0
        self.now = 0.0
        self._selector = _Jump(self)
        self.set_task_factory(lambda loop, coro, **more: _NumberedTask(coro, loop=loop, **more))

    def time(self) -> float:
        return self.now

    def run_in_executor(self, *_: Any) -> Any:
        raise RuntimeError("a thread has no place on a virtual clock: hand in an inline variant")

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Do what `asyncio.run` does, on a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtually(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on a virtual clock. It starts no thread and opens no socket."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_virtually(test(*args, **kwargs))

    return run
