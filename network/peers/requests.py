"""This module numbers the requests to one peer and holds the answers that this node waits for."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.wire.base import Reply
from inos.network.wire.control import NotFound
from inos.network.wire.limits import MAX_WAITING_REQUESTS

MAX_OPEN = MAX_WAITING_REQUESTS // 2
"""This is fewer than the other side lets wait, so that an honest node never exceeds that limit."""

MAX_LATE = 1024
"""The answers to at most so many requests that were given up are told from unrequested ones."""


class PendingRequest:
    """Waits for the answers to one open request."""

    def __init__(self, request: int, kind: type[Reply], replies: int) -> None:
        self.request = request
        self.kind = kind
        self.left = replies
        """So many answers have not come."""
        self._queue: asyncio.Queue[Reply | None] = asyncio.Queue(replies + 1)

    async def next(self, limit_s: float) -> Reply:
        """Return the next answer.

        Raises:
            RequestFailed: "timeout", "peer-gone".
        """
        try:
            async with asyncio.timeout(limit_s):
                reply = await self._queue.get()
        except TimeoutError:
            raise RequestFailed("timeout", f"the peer sent no {self.kind.__name__} within {limit_s:g} s") from None
        if reply is None:
            raise RequestFailed("peer-gone", "the link ended before the peer answered")
        return reply

    def deliver(self, reply: Reply) -> None:
        """Take an answer from the reader.

        Raises:
            Misbehaviour: "wrong-answer", "too-many-answers".
        """
        if not isinstance(reply, self.kind | NotFound):
            raise Misbehaviour(
                "wrong-answer", f"the peer sent a {type(reply).__name__} where a {self.kind.__name__} was requested"
            )
        if self.left <= 0:
            raise Misbehaviour(
                "too-many-answers", f"the peer sent more {self.kind.__name__} answers than were requested"
            )
        self.left -= 1
        self._queue.put_nowait(reply)

    def fail(self) -> None:
        """Note that the link has ended."""
        if not self._queue.full():
            self._queue.put_nowait(None)


class OpenRequests:
    """Holds all open requests to one peer, and those that this node has given up."""

    def __init__(self) -> None:
        self._open: dict[int, PendingRequest] = {}
        self._late: OrderedDict[int, tuple[type[Reply], int]] = OrderedDict()
        """The kind of the answers to requests that were given up, and how many of them may still come."""
        self._next = 0
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def open(self, kind: type[Reply], replies: int = 1) -> Iterator[PendingRequest]:
        """Number a request; when the block ends, answers still on their way are ignored.

        Raises:
            RequestFailed: "peer-gone", "too-many-open".
        """
        if self._is_closed:
            raise RequestFailed("peer-gone", "the link has ended")
        if len(self._open) >= MAX_OPEN:
            raise RequestFailed("too-many-open", f"{MAX_OPEN} requests to this peer are open already")
        self._next = (self._next + 1) & 0xFFFF_FFFF
        pending = PendingRequest(self._next, kind, replies)
        self._open[pending.request] = pending
        try:
            yield pending
        finally:
            del self._open[pending.request]
            if pending.left > 0:
                self._late[pending.request] = kind, pending.left
                if len(self._late) > MAX_LATE:
                    self._late.popitem(last=False)

    def deliver(self, reply: Reply) -> None:
        """Pass an answer to the task that waits for it.

        Raises:
            Misbehaviour: "unsolicited", or what PendingRequest.deliver raises.
        """
        pending = self._open.get(reply.request)
        if pending is not None:
            pending.deliver(reply)
        elif not self._take_late(reply):
            raise Misbehaviour("unsolicited", f"the peer sent a {type(reply).__name__} that was not requested", 20)

    def _take_late(self, reply: Reply) -> bool:
        """Return True if the reply answers a request that was given up; each such answer may come once."""
        kind, left = self._late.pop(reply.request, (NotFound, 0))
        if left > 1:
            self._late[reply.request] = kind, left - 1
        return left > 0 and isinstance(reply, kind | NotFound)

    def expects(self, kind: type[Reply]) -> bool:
        """Return True if a reply of this kind may come, so that its pieces are worth keeping."""
        return any(pending.kind is kind for pending in self._open.values()) or any(
            late is kind for late, _ in self._late.values()
        )

    def close(self) -> None:
        """Fail all open requests."""
        self._is_closed = True
        for pending in self._open.values():
            pending.fail()
