"""Subscriptions of one socket: what they are, how many, and what becomes of readers that are too slow."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from itertools import count
from typing import Any, Final, Protocol

import msgspec
import structlog
from pydantic import BaseModel

from inos.chain.events import TransactionAdded
from inos.primitives.errors import InosError
from inos.primitives.units import TxId
from inos.rpc import errors
from inos.rpc.errors import RpcError, make_error_object, make_not_found
from inos.rpc.ports import EventStream, NodePort
from inos.rpc.subscriptions.follower import Follower, Step

log: Final = structlog.get_logger("rpc")

MAX_SUBSCRIPTIONS: Final = 16
"""Of one socket."""


Send = Callable[[str], Awaitable[None]]
"""Writes one message; ConnectionError where the other side is gone, or does not take it."""


News = tuple[int, BaseModel]
"""Height and what is told."""


class Topic(Protocol):
    """What a subscription is about; see inos.rpc.subscriptions.topics."""

    @property
    def name(self) -> str: ...

    @property
    def node(self) -> NodePort: ...

    @property
    def every_s(self) -> float | None:
        """Look again after so many seconds without an event."""

    def on_step(self, step: Step) -> Iterable[News]: ...

    def on_transaction(self, tx_id: TxId) -> Iterable[News]:
        """The pool took a transaction."""

    def on_look(self) -> Iterable[News]:
        """Asked at the beginning, and whenever all steps are made."""


class Session:
    """The subscriptions of one socket; each is a task of `group`, which ends with the socket."""

    def __init__(self, send: Send, group: asyncio.TaskGroup) -> None:
        self._send = send
        self._group = group
        self._running: dict[str, asyncio.Task[None] | None] = {}
        self._ids = count(1)

    def reserve(self) -> str:
        """An id for a subscription that begins soon.

        Raises:
            RpcError: "too-many-subscriptions".
        """
        if len(self._running) >= MAX_SUBSCRIPTIONS:
            raise RpcError(
                errors.BUSY,
                "too-many-subscriptions",
                f"this connection has {MAX_SUBSCRIPTIONS} subscriptions already",
                hint="end one with unsubscribe, or open another connection",
            )
        name = f"s{next(self._ids)}"
        self._running[name] = None
        return name

    def begin(self, name: str, topic: Topic, follower: Follower) -> None:
        if name in self._running:
            self._running[name] = self._group.create_task(self._run(name, topic, follower))

    def end(self, name: str) -> None:
        """Raises RpcError "subscription-unknown"."""
        if name not in self._running:
            raise make_not_found("subscription", name[:32], hint="it may have ended with an error")
        task = self._running.pop(name)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        for task in self._running.values():
            if task is not None:
                task.cancel()
        self._running.clear()

    async def _run(self, name: str, topic: Topic, follower: Follower) -> None:
        """Tell what happens until cancelled; the last word is an error where it ends by itself."""
        try:
            await _follow(topic, follower, lambda news: self._tell(name, topic, news))
        except ConnectionError as error:
            log.debug("subscriber gone", error=str(error))
        except InosError as error:
            await self._tell_end(name, topic, error)
        except Exception as error:
            # The boundary: whatever went wrong is logged, and nothing of it leaks.
            log.error("subscription failed", topic=topic.name, exc_info=error)
            failed = RpcError(errors.INTERNAL_ERROR, "internal-error", "the subscription failed inside the node")
            await self._tell_end(name, topic, failed)
        finally:
            self._running.pop(name, None)

    async def _tell(self, name: str, topic: Topic, news: News) -> None:
        height, data = news
        await self._send(encode_notification(name, topic.name, height, data.model_dump_json().encode()))

    async def _tell_end(self, name: str, topic: Topic, error: InosError) -> None:
        height = topic.node.ledger.tip.header.height
        with suppress(ConnectionError):
            await self._send(encode_notification(name, topic.name, height, b"null", make_error_object(error)))


class Visit:
    """What one request asked of its session: it begins only once the answer, which names it, is sent.

    Args:
        is_authorized: whether the connection was opened with the node's token.
    """

    def __init__(self, session: Session, is_authorized: bool) -> None:
        self.is_authorized = is_authorized
        self._session = session
        self._opened: list[tuple[str, Topic, Follower]] = []

    def open(self, topic: Topic, follower: Follower) -> str:
        name = self._session.reserve()
        self._opened.append((name, topic, follower))
        return name

    def close(self, name: str) -> None:
        self._session.end(name)

    def begin(self) -> None:
        for one in self._opened:
            self._session.begin(*one)
        self._opened.clear()


def encode_notification(name: str, topic: str, height: int, data: bytes, error: Any = None) -> str:
    """inos.rpc.subscriptions.notifications.Notification as it goes over the wire; `data` is JSON already."""
    params = {
        "subscription": name,
        "topic": topic,
        "height": height,
        "data": msgspec.Raw(data),
        "error": error,
    }
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "subscription", "params": params}).decode()


async def _follow(topic: Topic, follower: Follower, tell: Callable[[News], Awaitable[None]]) -> None:
    """Steps up to the tip, then a look, then wait; each piece of news is taken before the next is made."""
    node: NodePort = topic.node
    async with node.subscribe() as events:
        while True:
            while (step := follower.step()) is not None:
                for news in topic.on_step(step):
                    await tell(news)
                await asyncio.sleep(0)
            for news in topic.on_look():
                await tell(news)
            event = await _wait(events, topic.every_s)
            if isinstance(event, TransactionAdded):
                for news in topic.on_transaction(event.tx_id):
                    await tell(news)


async def _wait(events: EventStream, limit_s: float | None) -> object:
    try:
        async with asyncio.timeout(limit_s):
            return await anext(events)
    except TimeoutError:
        return None
