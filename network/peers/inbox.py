"""The notices of one peer wait here, in order and bounded in number and bytes, until they are processed."""

import asyncio
from collections import deque
from typing import Final

from inos.network.wire.base import Notice
from inos.network.wire.limits import MAX_COMPACT_BYTES, Lane, get_limit

MAX_NOTICES: Final = 256
MAX_NOTICE_BYTES: Final = 256 << 10
"""At most this many notices of this many encoded bytes wait;
the oldest are dropped, and the next ping tells the peer's tip
again."""
MAX_URGENT: Final = 16
MAX_URGENT_BYTES: Final = 2 * MAX_COMPACT_BYTES
"""The same for notices of blocks, each of which may be a whole compact block."""


class _Queue:
    """Drops its oldest notices beyond its limits."""

    def __init__(self, max_notices: int, max_bytes: int) -> None:
        self._max_notices, self._max_bytes = max_notices, max_bytes
        self._items: deque[tuple[Notice, int]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, notice: Notice, size: int) -> None:
        self._items.append((notice, size))
        self.bytes += size
        while len(self._items) > self._max_notices or self.bytes > self._max_bytes:
            self.pop()

    def pop(self) -> Notice:
        notice, size = self._items.popleft()
        self.bytes -= size
        return notice

    def clear(self) -> None:
        self._items.clear()
        self.bytes = 0


class Inbox:
    """Gives urgent notices first; others neither delay nor displace them."""

    def __init__(self) -> None:
        self._urgent = _Queue(MAX_URGENT, MAX_URGENT_BYTES)
        self._others = _Queue(MAX_NOTICES, MAX_NOTICE_BYTES)
        self._arrived = asyncio.Event()
        self.is_idle = asyncio.Event()
        """The event is set while no notice waits or is being processed."""
        self.is_idle.set()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    @property
    def bytes(self) -> int:
        """So many encoded bytes wait."""
        return self._urgent.bytes + self._others.bytes

    def add(self, notice: Notice, size: int) -> None:
        """Queue a notice of `size` encoded bytes."""
        is_urgent = get_limit(type(notice)).lane <= Lane.BLOCKS
        (self._urgent if is_urgent else self._others).add(notice, size)
        self.is_idle.clear()
        self._arrived.set()

    async def next(self) -> Notice:
        """Return the next notice when there is one; the caller has processed the one before."""
        while not len(self):
            self.is_idle.set()
            self._arrived.clear()
            await self._arrived.wait()
        return self._urgent.pop() if len(self._urgent) else self._others.pop()

    def clear(self) -> None:
        """Drop all notices."""
        self._urgent.clear()
        self._others.clear()
