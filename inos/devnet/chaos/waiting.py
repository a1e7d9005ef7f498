"""Polls a condition until it holds, since nodes do not report it by themselves."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

POLL_S: Final = 0.25


async def await_until(check: Callable[[], Awaitable[bool]], limit_s: float) -> float | None:
    """Return the seconds until the check is true, or None if it is not true within the limit."""
    started = time.monotonic()
    while not await check():
        if time.monotonic() - started > limit_s:
            return None
        await asyncio.sleep(POLL_S)
    return time.monotonic() - started
