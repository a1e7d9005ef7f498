"""The background tasks of a node form one group, so that none fails unseen and none outlives the node."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final

import structlog

log: Final = structlog.get_logger("node")


class Tasks:
    """Wraps a TaskGroup, so that an exit stack can enter it.

    A task that fails cancels the code that entered the group, and leaving the group raises the task's error. A single
    error is raised as it is, so that callers can catch it by its type.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> "Tasks":
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, at)
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._group.create_task(work, name=name)


async def cancel_within(task: asyncio.Task[None], limit_s: float) -> None:
    """Cancel a task and wait until it has ended, at most `limit_s` seconds."""
    task.cancel()
    _, running = await asyncio.wait({task}, timeout=limit_s)
    if running:
        log.warning("a task did not end in time", task=task.get_name(), seconds=limit_s)
