"""Provides threads that run each call at once, on the event loop."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from inos.core.threads import Threads

T = TypeVar("T")


class InlineThreads(Threads):
    """Stands in for the executors of a node."""

    def __init__(self) -> None:
        """Start nothing."""

    async def write(self, call: Callable[[], T]) -> T:
        return call()

    store = check = execute = write

    async def complete(self, work: Coroutine[Any, Any, T]) -> T:
        return await work

    def close(self) -> None:
        """Do nothing, because nothing was started."""
