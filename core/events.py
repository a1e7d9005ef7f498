"""The event bus delivers events from the writer to every subscriber."""

import asyncio
import contextlib
from types import TracebackType
from typing import Final, TypeAlias

from inos.chain.events import BlockEarly, MatrixAdded, MatrixWanted, TipChanged, TransactionAdded, VoteAdded

Event: TypeAlias = TipChanged | BlockEarly | TransactionAdded | MatrixAdded | MatrixWanted | VoteAdded

QUEUE_EVENTS: Final = 1024


class Subscription:
    """Queues one subscriber's events: `async with bus.subscribe() as events: async for event in events`.

    When the queue is full, the oldest event is dropped and counted in `missed`, so the newest tip always arrives. An
    event says that something changed; what is true now is read from the ledger and the pool.
    """

    def __init__(self, subscribers: "set[Subscription]", limit: int) -> None:
        self._subscribers = subscribers
        self._queue: asyncio.Queue[Event] = asyncio.Queue(limit)
        self.missed = 0

    async def __aenter__(self) -> "Subscription":
        self._subscribers.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._subscribers.discard(self)

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        return await self._queue.get()

    async def wait_for(self, *kinds: type[Event], limit_s: float) -> None:
        """Wait for the next event of one of these kinds, and drop others; return at the latest after `limit_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not isinstance(await anext(self), kinds):
                    pass

    def offer(self, event: Event) -> None:
        """Queue an event; the oldest one is dropped when the queue is full."""
        if self._queue.full():
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(event)


class EventBus:
    """Delivers every event to every subscriber. It belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._subscribers: set[Subscription] = set()

    def subscribe(self, limit: int = QUEUE_EVENTS) -> Subscription:
        """Return a subscription, which begins when it is entered."""
        return Subscription(self._subscribers, limit)

    def publish(self, event: Event) -> None:
        """Queue an event for every subscriber."""
        for subscriber in tuple(self._subscribers):
            subscriber.offer(event)
