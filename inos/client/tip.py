"""Waiting for the next block of a node, by one subscription that all waits of a client share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from inos.client.subscription import Subscription
from inos.primitives.errors import InosError

RETRY_S: Final = 5.0
"""A node that refuses subscriptions is asked again after this time; until then a wait ends by its limit."""


class Tip:
    """Remembers whether the tip moved since the last wait."""

    def __init__(self) -> None:
        self._moved = asyncio.Event()

    def note(self) -> None:
        """End the wait that is under way, or the next one."""
        self._moved.set()

    async def wait(self, limit_s: float) -> None:
        """Return when the tip has moved since the last call returned, after `limit_s` seconds at the latest."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._moved.wait()
        self._moved.clear()


class TipFollower:
    """Keeps one subscription open as long as at least one `Tip` is followed.

    Args:
        subscribe: opens a subscription to the topic heads.
    """

    def __init__(self, subscribe: Callable[[], Subscription]) -> None:
        self._subscribe = subscribe
        self._tips: set[Tip] = set()
        self._task: asyncio.Task[Any] | None = None

    @contextlib.asynccontextmanager
    async def follow(self) -> AsyncIterator[Tip]:
        """Yield a tip to wait for."""
        tip = Tip()
        self._tips.add(tip)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield tip
        finally:
            self._tips.discard(tip)
            if not self._tips:
                task, self._task = self._task, None
                task.cancel()
                await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(InosError):
                async with contextlib.aclosing(self._subscribe()) as heads:
                    async for _ in heads:
                        for tip in self._tips:
                            tip.note()
            await asyncio.sleep(RETRY_S)
