"""The subscriptions of one WebSocket: how many there may be, and what happens to a slow reader."""

import asyncio
import socket
from typing import Any

import aiohttp
import pytest

from inos.rpc import RpcServer
from inos.rpc.subscriptions.follower import make_follower
from inos.rpc.subscriptions.session import MAX_SUBSCRIPTIONS, Session, SessionRequest
from inos.rpc.subscriptions.topics import Heads
from support.cluster import await_that
from support.fake_node import FakeNode
from support.rpc_socket import RpcSocket


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"topic": "weather"}, "invalid-params"),
        ({"topic": "transactions"}, "invalid-params"),
        ({"topic": "heads", "job": "00" * 32}, "invalid-params"),
        ({"topic": "heads", "after": "00" * 32}, "block-unknown"),
        ({"topic": "heads", "from_height": 0, "after": "00" * 32}, "invalid-params"),
    ],
)
async def test_wrong_parameters_are_refused(caller: RpcSocket, params: dict[str, Any], code: str) -> None:
    assert (await caller.ask("subscribe", **params))["data"]["code"] == code


async def test_subscriptions_are_bounded_and_need_a_socket(server: RpcServer, caller: RpcSocket) -> None:
    for _ in range(MAX_SUBSCRIPTIONS):
        assert "subscription" in await caller.ask("subscribe", topic="heads")
    assert (await caller.ask("subscribe", topic="heads"))["data"]["code"] == "too-many-subscriptions"
    await caller.ask("unsubscribe", subscription="s3")
    assert "subscription" in await caller.ask("subscribe", topic="heads")
    assert (await caller.ask("unsubscribe", subscription="s3"))["data"]["code"] == "subscription-unknown"
    request = {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"topic": "heads"}}
    async with aiohttp.ClientSession() as session, session.post(server.url, json=request) as response:
        assert (await response.json())["error"]["data"]["code"] == "needs-websocket"


async def test_a_subscription_asked_for_while_the_socket_closes_never_starts(node: FakeNode) -> None:
    async def send(text: str) -> None:
        raise ConnectionResetError

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        session = Session(send, group)
        early, late = SessionRequest(session, False), SessionRequest(session, False)
        topic, follower = Heads(node), make_follower(node, None, None)
        early.subscribe(topic, follower)
        session.close()
        late.subscribe(topic, follower)
        early.start()
        late.start()
    assert not node.events.subscribe()._subscribers


def make_narrow(place: Any) -> socket.socket:
    """Return a socket with a small receive buffer."""
    made = socket.socket(place[0], place[1], place[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return made


async def test_a_slow_reader_is_disconnected_with_the_reason(node: FakeNode, server: RpcServer) -> None:
    for _ in range(900):
        node.mine()
    connector = aiohttp.TCPConnector(socket_factory=make_narrow)
    async with aiohttp.ClientSession(connector=connector) as session, session.ws_connect(server.url + "/ws") as ws:
        await check_dropped(node, ws)


async def check_dropped(node: FakeNode, ws: aiohttp.ClientWebSocketResponse) -> None:
    for number in range(MAX_SUBSCRIPTIONS):
        params = {"topic": "heads", "from_height": 0}
        await ws.send_json({"jsonrpc": "2.0", "id": number, "method": "subscribe", "params": params})

    async def has_given_up() -> bool:
        return not node.events.subscribe()._subscribers

    async def has_begun() -> bool:
        return not await has_given_up()

    await await_that("the server begins", has_begun, 10)
    await await_that("the server gives up", has_given_up, 20)
    while (message := await ws.receive(timeout=60)).type is aiohttp.WSMsgType.TEXT:
        pass
    assert (message.type, ws.close_code) == (aiohttp.WSMsgType.CLOSE, 1008)
    assert "slow-reader" in str(message.extra)
