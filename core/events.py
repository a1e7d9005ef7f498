"""Events from the writer to everybody who listens."""

import asyncio
from types import TracebackType
from typing import Final, TypeAlias

from inos.chain.events import MatrixAdded, MatrixWanted, TipChanged, TransactionAdded, VoteAdded

Event: TypeAlias = TipChanged | TransactionAdded | MatrixAdded | MatrixWanted | VoteAdded

QUEUE_EVENTS: Final = 1024


class Subscription:
    """One listener's bounded queue: `async with hub.subscribe() as events: async for event in events`.

    Overflow: the oldest event is dropped and counted in `missed`, so the newest tip always
    arrives. An event says that something changed; what is true now is read from the service.
    """

    def __init__(self, listeners: "set[Subscription]", limit: int) -> None:
        self._listeners = listeners
        self._queue: asyncio.Queue[Event] = asyncio.Queue(limit)
        self.missed = 0

    async def __aenter__(self) -> "Subscription":
        self._listeners.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._listeners.discard(self)

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        return await self._queue.get()

    def offer(self, event: Event) -> None:
        """Queue an event, dropping the oldest where the queue is full."""
        if self._queue.full():
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(event)


class Hub:
    """Fans events out. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: set[Subscription] = set()

    def subscribe(self, limit: int = QUEUE_EVENTS) -> Subscription:
        """A subscription that begins when it is entered."""
        return Subscription(self._listeners, limit)

    def publish(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener.offer(event)
