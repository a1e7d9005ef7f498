"""One subscription over a WebSocket, which reconnects after a break and resumes without a gap or a repetition."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, Literal, Self, TypeAlias

import aiohttp
import msgspec
from msgspec import Struct

from inos.client.errors import ClientError, RemoteError
from inos.client.transport import Transport, make_bad_url, make_remote_error, make_unreachable

Topic: TypeAlias = Literal["heads", "finality", "transactions", "jobs", "miner"]
RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
ANSWER_S: Final = 15.0
HEARTBEAT_S: Final = 20.0
MAX_MESSAGE_BYTES: Final = 4 << 20
RESUMED_AFTER: Final = frozenset({"block-forgotten"})
"""Errors that end a subscription and after which it is opened again."""


class Notification(Struct, frozen=True):
    """One notification of a node; the RPC reference describes `data` of each topic."""

    topic: str
    height: int
    data: dict[str, Any]


class _Params(Struct):
    """The parameters of a notification. A notification with an error is the last one of its subscription."""

    topic: str
    height: int
    data: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class _Message(Struct):
    """A message of the node: a notification or the answer to a request."""

    method: str = ""
    params: _Params | None = None


class Subscription:
    """An asynchronous iterator over the notifications of one topic, which ends only with an error or `aclose`.

    It resumes after a break of the connection. `Client.subscribe` makes it.

    Args:
        transport: gives address and token; the subscription opens its own WebSocket.
        params: the parameters of the RPC method `subscribe` other than the topic.
    """

    def __init__(self, transport: Transport, topic: Topic, params: Mapping[str, Any]) -> None:
        self._url = transport.url
        self._headers = transport.headers
        self._topic = topic
        self._position = _Position(topic, params)
        self._notifications = self._follow()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification:
        """Return the next notification.

        Raises:
            RemoteError: the node refuses or has ended the subscription.
            ClientError: "bad-url", or "node-unreachable" if the node was never reached.
        """
        return await anext(self._notifications)

    async def aclose(self) -> None:
        """Close the WebSocket; the subscription cannot be used afterwards."""
        await self._notifications.aclose()

    async def _follow(self) -> AsyncGenerator[Notification, None]:
        tries, was_reached = 0, False
        async with aiohttp.ClientSession(headers=self._headers) as session:
            while True:
                try:
                    async with session.ws_connect(
                        self._url.rstrip("/") + "/ws", max_msg_size=MAX_MESSAGE_BYTES, heartbeat=HEARTBEAT_S
                    ) as ws:
                        await self._subscribe(ws)
                        was_reached, tries = True, 0
                        async for message in ws:
                            if message.type is not aiohttp.WSMsgType.TEXT:
                                break
                            notification = self._position.take(msgspec.json.decode(message.data, type=_Message))
                            if notification is not None:
                                yield notification
                except RemoteError as error:
                    if error.code not in RESUMED_AFTER:
                        raise
                except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
                    raise make_bad_url(self._url) from error
                except msgspec.DecodeError as error:
                    raise ClientError("bad-response", f"{self._url} sent no notification: {error}") from error
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    if not was_reached:
                        raise make_unreachable(self._url, error) from error
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1

    async def _subscribe(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Subscribe from the position on, by height if the node has forgotten the last block."""
        try:
            await self._request(ws, self._position.make_params())
        except RemoteError as error:
            if error.code != "block-unknown" or not self._position.forget_block():
                raise
            await self._request(ws, self._position.make_params())

    async def _request(self, ws: aiohttp.ClientWebSocketResponse, params: dict[str, Any]) -> None:
        request = {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"topic": self._topic, **params}}
        await ws.send_str(msgspec.json.encode(request).decode())
        async with asyncio.timeout(ANSWER_S):
            message = await ws.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise aiohttp.ClientConnectionError("the connection was closed before it answered")
        answer = msgspec.json.decode(message.data)
        if "error" in answer:
            raise make_remote_error("subscribe", answer["error"])


class _Position:
    """The position of a subscription, from which it resumes after a break."""

    def __init__(self, topic: Topic, params: Mapping[str, Any]) -> None:
        self._topic = topic
        self._params = params
        self._block: str | None = None
        self._height: int | None = None
        self._received: list[dict[str, Any]] = []
        """The notifications of the last height, which the node repeats after a break."""
        self._repeats: list[dict[str, Any]] = []
        """The repeated notifications that are still to come and to be dropped."""

    def make_params(self) -> dict[str, Any]:
        """Return the parameters that subscribe from here on."""
        params = dict(self._params)
        if self._topic == "miner" or self._height is None:
            return params
        for name in ("from_height", "after"):
            params.pop(name, None)
        if self._topic == "heads" and self._block is not None:
            return params | {"after": self._block}
        self._repeats = list(self._received)
        return params | {"from_height": self._height}

    def forget_block(self) -> bool:
        """Resume by height instead of by block; return False if it does so already."""
        known, self._block = self._block, None
        return known is not None

    def take(self, message: _Message) -> Notification | None:
        """Return the notification in a message, or None if it is a repetition or an answer.

        Raises:
            RemoteError: the message says that the subscription ended.
        """
        params = message.params
        if message.method != "subscription" or params is None:
            return None
        if params.error is not None or params.data is None:
            raise make_remote_error("subscribe", params.error or {})
        notification = Notification(params.topic, params.height, params.data)
        if notification.data in self._repeats:
            self._repeats.remove(notification.data)
            return None
        if notification.height != self._height:
            self._height, self._received = notification.height, []
        self._received.append(notification.data)
        if self._topic == "heads":
            block = notification.data["block"]
            self._block = block["id"] if notification.data["event"] == "connected" else block["parent"]
        return notification
