"""The subscriptions of one WebSocket: their number, their tasks, and their end."""

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
"""Subscriptions per WebSocket."""


Send = Callable[[str], Awaitable[None]]
"""Write one message; raise ConnectionError if the other side is gone or does not read it in time."""


Report = tuple[int, BaseModel]
"""A height, and what happened at it."""


class Topic(Protocol):
    """What a subscription reports; see inos.rpc.subscriptions.topics."""

    @property
    def name(self) -> str: ...

    @property
    def node(self) -> NodePort: ...

    @property
    def poll_s(self) -> float | None:
        """Seconds without an event after which on_idle is called again; None to wait for an event."""

    def on_step(self, step: Step) -> Iterable[Report]:
        """Handle a connected or disconnected block."""

    def on_transaction(self, tx_id: TxId) -> Iterable[Report]:
        """Handle a transaction that the pool accepted."""

    def on_idle(self) -> Iterable[Report]:
        """Handle the end of all steps; this is also called at the start."""


class Session:
    """The subscriptions of one WebSocket. Each is a task of `group`, which ends with the socket."""

    def __init__(self, send: Send, group: asyncio.TaskGroup) -> None:
        self._send = send
        self._group = group
        self._running: dict[str, asyncio.Task[None] | None] = {}
        self._ids = count(1)
        self._is_closed = False

    def reserve(self) -> str:
        """Return an id for a subscription that starts soon.

        Raises:
            RpcError: "too-many-subscriptions".
        """
        if len(self._running) >= MAX_SUBSCRIPTIONS:
            raise RpcError(
                errors.BUSY,
                "too-many-subscriptions",
                f"this connection already has {MAX_SUBSCRIPTIONS} subscriptions",
                hint="end one with unsubscribe, or open another connection",
            )
        id = f"s{next(self._ids)}"
        self._running[id] = None
        return id

    def start(self, id: str, topic: Topic, follower: Follower) -> None:
        """Start a reserved subscription, unless it or the whole session was ended meanwhile."""
        if id in self._running and not self._is_closed:
            self._running[id] = self._group.create_task(self._run(id, topic, follower))

    def end(self, id: str) -> None:
        """End a subscription; raise RpcError "subscription-unknown" if there is none."""
        if id not in self._running:
            raise make_not_found("subscription", id[:32], hint="it may have ended with an error")
        task = self._running.pop(id)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """End all subscriptions, and start none whose request is still being answered."""
        self._is_closed = True
        for task in self._running.values():
            if task is not None:
                task.cancel()
        self._running.clear()

    async def _run(self, id: str, topic: Topic, follower: Follower) -> None:
        """Send notifications until cancelled; if an error ends the subscription, it is the last notification."""
        try:
            await _follow(topic, follower, lambda report: self._notify(id, topic, report))
        except ConnectionError as error:
            log.debug("subscriber disconnected", error=str(error))
        except InosError as error:
            await self._notify_error(id, topic, error)
        except Exception as error:
            # This is the boundary: any error is logged, and the caller is told no details of it.
            log.error("subscription failed", topic=topic.name, exc_info=error)
            failed = RpcError(errors.INTERNAL_ERROR, "internal-error", "the subscription failed inside the node")
            await self._notify_error(id, topic, failed)
        finally:
            self._running.pop(id, None)

    async def _notify(self, id: str, topic: Topic, report: Report) -> None:
        height, data = report
        await self._send(encode_notification(id, topic.name, height, data.model_dump_json().encode()))

    async def _notify_error(self, id: str, topic: Topic, error: InosError) -> None:
        height = topic.node.ledger.tip.header.height
        with suppress(ConnectionError):
            await self._send(encode_notification(id, topic.name, height, b"null", make_error_object(error)))


class SessionRequest:
    """One request's access to the subscriptions of its WebSocket.

    A new subscription starts only after the answer is sent, because the answer has its id.

    Args:
        is_authorized: whether the connection was opened with the node's token.
    """

    def __init__(self, session: Session, is_authorized: bool) -> None:
        self.is_authorized = is_authorized
        self._session = session
        self._reserved: list[tuple[str, Topic, Follower]] = []

    def subscribe(self, topic: Topic, follower: Follower) -> str:
        """Return the id of a subscription that `start` will start."""
        id = self._session.reserve()
        self._reserved.append((id, topic, follower))
        return id

    def unsubscribe(self, id: str) -> None:
        """End a subscription; raise RpcError "subscription-unknown" if there is none."""
        self._session.end(id)

    def start(self) -> None:
        """Start the subscriptions of this request; its answer is sent."""
        for each in self._reserved:
            self._session.start(*each)
        self._reserved.clear()


def encode_notification(id: str, topic: str, height: int, data: bytes, error: Any = None) -> str:
    """Return a notification as JSON; `data` is JSON already."""
    params = {
        "subscription": id,
        "topic": topic,
        "height": height,
        "data": msgspec.Raw(data),
        "error": error,
    }
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "subscription", "params": params}).decode()


async def _follow(topic: Topic, follower: Follower, notify: Callable[[Report], Awaitable[None]]) -> None:
    """Step to the tip, call on_idle, wait for an event, and repeat. Each report is sent before the next is made."""
    node: NodePort = topic.node
    async with node.events.subscribe() as events:
        while True:
            while (step := follower.step()) is not None:
                for report in topic.on_step(step):
                    await notify(report)
                await asyncio.sleep(0)
            for report in topic.on_idle():
                await notify(report)
            event = await _wait(events, topic.poll_s)
            if isinstance(event, TransactionAdded):
                for report in topic.on_transaction(event.tx_id):
                    await notify(report)


async def _wait(events: EventStream, limit_s: float | None) -> object:
    try:
        async with asyncio.timeout(limit_s):
            return await anext(events)
    except TimeoutError:
        return None
