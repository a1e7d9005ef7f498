"""Calls take turns, so that callers without the token never keep the node's owner waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from inos.core.bounded import TokenBucket
from inos.rpc import errors
from inos.rpc.errors import RpcError

WAITING_TURNS: Final = 32
"""At most this many calls without the token wait for something at once (`wait_s`, or a search in the network)."""
OWNER_WAITING_TURNS: Final = 64
CALLS_PER_S: Final = 1000.0
"""Calls without the token begin at most this often per second: about a third of a core of parsing and answering."""
CALLS_BURST: Final = 2000.0


class Turns:
    """Bounds the calls in progress.

    The token's holder has turns of its own, as many again. Calls that wait take turns of a small pool, so that they
    hold none of the others; the pool refuses what it has no turn for.

    Args:
        concurrent: this many calls are processed at once, for callers without the token and again for the holder.
        queue: at most this many calls without the token wait for a turn.
    """

    def __init__(self, concurrent: int, queue: int) -> None:
        self._common, self._owner = asyncio.Semaphore(concurrent), asyncio.Semaphore(concurrent)
        self._queue = queue
        self._waiting_left = {False: WAITING_TURNS, True: OWNER_WAITING_TURNS}
        self._calls = TokenBucket(CALLS_PER_S, CALLS_BURST, 0.0)
        self.queued = 0
        """So many calls without the token wait for a turn."""

    @property
    def is_crowded(self) -> bool:
        """The property is True if no more calls without the token may queue."""
        return self.queued >= self._queue

    @asynccontextmanager
    async def take(self, *, is_owner: bool, waits: bool) -> AsyncIterator[None]:
        """Hold a turn while the block runs.

        Args:
            is_owner: the caller has the token.
            waits: the call waits for something outside of this process.

        Raises:
            RpcError: "busy".
        """
        if not is_owner:
            await self._queue_up()
        if waits:
            if not self._waiting_left[is_owner]:
                raise _make_busy("too many calls wait for an answer of the network")
            self._waiting_left[is_owner] -= 1
            try:
                yield
            finally:
                self._waiting_left[is_owner] += 1
            return
        if is_owner:
            async with self._owner:
                yield
            return
        if self._common.locked() and self.is_crowded:
            raise _make_busy("too many calls wait for their turn")
        self.queued += 1
        try:
            await self._common.acquire()
        finally:
            self.queued -= 1
        try:
            yield
        finally:
            self._common.release()

    async def _queue_up(self) -> None:
        """Keep to CALLS_PER_S: wait until this call may begin."""
        now = asyncio.get_running_loop().time()
        if self._calls.take(now):
            return
        if self.is_crowded:
            raise _make_busy(f"more than {CALLS_PER_S:g} calls come per second")
        self.queued += 1
        try:
            await asyncio.sleep(self._calls.spend(now, 1.0))
        finally:
            self.queued -= 1


def _make_busy(reason: str) -> RpcError:
    return RpcError(errors.BUSY, "busy", reason, hint="try again in a moment, or send the node's token")
