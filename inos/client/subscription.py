"""One subscription: news over a WebSocket, which is opened again where it breaks, with nothing lost or told twice."""

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
"""Codes of ends of a subscription after which it is opened again."""


class News(Struct, frozen=True):
    """One notification of a node; the RPC reference describes `data` of each topic."""

    topic: str
    height: int
    data: dict[str, Any]


class _Notice(Struct):
    """Parameters of the notification `subscription`; an error is the last one."""

    topic: str
    height: int
    data: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class _Message(Struct):
    """A message of the node: a notification, or the answer to a request."""

    method: str = ""
    params: _Notice | None = None


class Subscription:
    """The news of one topic, as an asynchronous iterator that only ends with an error or `aclose`.

    After a break it resumes where it was. Made by `Client.subscribe`.

    Args:
        transport: its address and token are used; the WebSocket is the subscription's own.
        params: parameters of the RPC method `subscribe` besides the topic.
    """

    def __init__(self, transport: Transport, topic: Topic, params: Mapping[str, Any]) -> None:
        self._url = transport.url
        self._headers = transport.headers
        self._topic = topic
        self._position = _Position(topic, params)
        self._news = self._follow()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> News:
        """Return the next notification.

        Raises:
            RemoteError: the node refuses the subscription, or ended it.
            ClientError: "bad-url", or "node-unreachable" where the node was never reached.
        """
        return await anext(self._news)

    async def aclose(self) -> None:
        """Close the WebSocket; the subscription cannot be used afterwards."""
        await self._news.aclose()

    async def _follow(self) -> AsyncGenerator[News, None]:
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
                            news = self._position.take(msgspec.json.decode(message.data, type=_Message))
                            if news is not None:
                                yield news
                except RemoteError as error:
                    if error.code not in RESUMED_AFTER:
                        raise
                except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
                    raise make_bad_url(self._url) from error
                except msgspec.DecodeError as error:
                    raise ClientError("bad-response", f"{self._url} sent something else than news: {error}") from error
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    if not was_reached:
                        raise make_unreachable(self._url, error) from error
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1

    async def _subscribe(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Subscribe from the position on; by height where the node does not know the last block any more."""
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
    """How far a subscription has come, and so from where it resumes after a break."""

    def __init__(self, topic: Topic, params: Mapping[str, Any]) -> None:
        self._topic = topic
        self._params = params
        self._block: str | None = None
        self._height: int | None = None
        self._told: list[dict[str, Any]] = []
        """What was told of the last height; after a break the node tells that height again."""
        self._repeats: list[dict[str, Any]] = []
        """What is still expected a second time, and then dropped."""

    def make_params(self) -> dict[str, Any]:
        """Return the parameters that subscribe from here on."""
        params = dict(self._params)
        if self._topic == "miner" or self._height is None:
            return params
        for name in ("from_height", "after"):
            params.pop(name, None)
        if self._topic == "heads" and self._block is not None:
            return params | {"after": self._block}
        self._repeats = list(self._told)
        return params | {"from_height": self._height}

    def forget_block(self) -> bool:
        """Resume by height instead of by block; return False where that is so already."""
        known, self._block = self._block, None
        return known is not None

    def take(self, message: _Message) -> News | None:
        """Return what is new in a message.

        Raises:
            RemoteError: the message says that the subscription ended.
        """
        notice = message.params
        if message.method != "subscription" or notice is None:
            return None
        if notice.error is not None or notice.data is None:
            raise make_remote_error("subscribe", notice.error or {})
        news = News(notice.topic, notice.height, notice.data)
        if news.data in self._repeats:
            self._repeats.remove(news.data)
            return None
        if news.height != self._height:
            self._height, self._told = news.height, []
        self._told.append(news.data)
        if self._topic == "heads":
            block = news.data["block"]
            self._block = block["id"] if news.data["event"] == "connected" else block["parent"]
        return news
