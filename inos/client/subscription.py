"""Being told instead of asking: a subscription over a WebSocket that is opened again where it breaks."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final, Literal, TypeAlias

import aiohttp
import msgspec
from msgspec import Struct

from inos.client.errors import ClientError, RemoteError
from inos.client.transport import make_remote_error

Topic: TypeAlias = Literal["heads", "finality", "transactions", "jobs", "miner"]
RETRY_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
ANSWER_S: Final = 15.0
MAX_MESSAGE_BYTES: Final = 4 << 20
AGAIN: Final = frozenset({"block-forgotten"})
"""Ends of a subscription after which it is taken up again."""


class News(Struct, frozen=True):
    """One thing a node told; `data` as the topic has it in the RPC reference (docs/rpc.md)."""

    topic: str
    height: int
    data: dict[str, Any]


async def follow(url: str, headers: dict[str, str], topic: Topic, params: dict[str, Any]) -> AsyncGenerator[News, None]:
    """News of one topic until the caller stops asking; after a break from where it was, nothing twice.

    Raises:
        RemoteError: the node refuses the subscription. ClientError: "node-unreachable" where it was never reached.
    """
    place = _Place(topic, params)
    tries, is_known = 0, False
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            try:
                async with session.ws_connect(
                    url.rstrip("/") + "/ws", max_msg_size=MAX_MESSAGE_BYTES, heartbeat=20.0
                ) as ws:
                    await _subscribe(ws, topic, place)
                    is_known, tries = True, 0
                    async for message in ws:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            break
                        news = place.take(msgspec.json.decode(message.data))
                        if news is not None:
                            yield news
            except RemoteError as error:
                if error.code not in AGAIN:
                    raise
            except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
                raise ClientError("bad-url", f"{url!r} is not the address of a node") from error
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                if not is_known:
                    hint = "start one with: inos node --network devnet"
                    raise ClientError("node-unreachable", f"no node answers at {url}: {error}", hint=hint) from error
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1


async def _subscribe(ws: aiohttp.ClientWebSocketResponse, topic: Topic, place: "_Place") -> None:
    """RemoteError where the node refuses."""
    try:
        await _ask(ws, topic, place.resume())
    except RemoteError as error:
        if error.code != "block-unknown" or not place.forget_block():
            raise
        await _ask(ws, topic, place.resume())


async def _ask(ws: aiohttp.ClientWebSocketResponse, topic: Topic, params: dict[str, Any]) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"topic": topic, **params}}
    await ws.send_str(msgspec.json.encode(request).decode())
    async with asyncio.timeout(ANSWER_S):
        message = await ws.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise aiohttp.ClientConnectionError("the connection was closed before it answered")
    answer = msgspec.json.decode(message.data)
    if "error" in answer:
        raise make_remote_error("subscribe", answer["error"])


class _Place:
    """Where a subscription goes on after a break."""

    def __init__(self, topic: Topic, params: dict[str, Any]) -> None:
        self._topic = topic
        self._params = params
        self._block: str | None = None
        self._height: int | None = None
        self._told: list[dict[str, Any]] = []
        """Of the last height; the node tells that height again."""
        self._again: list[dict[str, Any]] = []

    def resume(self) -> dict[str, Any]:
        """Parameters from here on."""
        params = dict(self._params)
        if self._topic == "miner" or self._height is None:
            return params
        for name in ("from_height", "after"):
            params.pop(name, None)
        if self._topic == "heads" and self._block is not None:
            return params | {"after": self._block}
        self._again = list(self._told)
        return params | {"from_height": self._height}

    def forget_block(self) -> bool:
        """Go on by height where the node does not know the block any more; False where that was so already."""
        known, self._block = self._block, None
        return known is not None

    def take(self, said: Any) -> News | None:
        """What is new in a message; RemoteError where it says that the subscription ended."""
        if not isinstance(said, dict) or said.get("method") != "subscription":
            return None
        params = said["params"]
        if params.get("error") is not None:
            raise make_remote_error("subscribe", params["error"])
        news = News(params["topic"], params["height"], params["data"])
        if news.data in self._again:
            self._again.remove(news.data)
            return None
        if news.height != self._height:
            self._height, self._told = news.height, []
        self._told.append(news.data)
        if self._topic == "heads":
            block = news.data["block"]
            self._block = block["id"] if news.data["event"] == "connected" else block["parent"]
        return news
