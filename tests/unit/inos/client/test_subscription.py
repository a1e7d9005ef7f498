"""Tests subscriptions: resumed after a break, refused, and never reached."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import inos
from inos.client.subscription import Notification
from inos.rpc import RpcServer
from inos.wallet.keys import make_key
from support.fake_node import FakeNode
from support.rpc_served import make_fake_node, serve

ALICE = make_key(bytes(31) + b"\x01")


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(10 * 10**9, ALICE.address)


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(node, tmp_path) as server:
        yield server


async def take(notification: AsyncIterator[Notification], count: int) -> list[Notification]:
    async with asyncio.timeout(60):
        return [await anext(notification) for _ in range(count)]


async def test_news_goes_on_after_a_break_with_nothing_lost_or_told_twice(node: FakeNode, tmp_path: Path) -> None:
    node.mine()
    async with serve(node, tmp_path) as server:
        port, url = int(server.url.rsplit(":", 1)[1]), server.url
        client = inos.Client(url)
        heads = client.subscribe("heads", from_height=1)
        assert [notification.height for notification in await take(heads, 1)] == [1]
        node.mine()
        assert [notification.data["block"]["height"] for notification in await take(heads, 1)] == [2]
    node.mine()
    node.mine()
    async with serve(node, tmp_path, port=port):
        assert [notification.height for notification in await take(heads, 2)] == [3, 4]
    await heads.aclose()
    await client.close()


async def test_a_subscription_that_is_refused_or_never_reached(server: RpcServer) -> None:
    async with inos.Client(server.url) as client:
        with pytest.raises(inos.RemoteError) as error:
            await anext(client.subscribe("transactions"))
        assert error.value.code == "invalid-params"
        with pytest.raises(inos.RemoteError) as error:
            await anext(client.subscribe("miner"))
        assert error.value.code == "unauthorized"
    async with inos.Client("http://127.0.0.1:9") as client:
        with pytest.raises(inos.ClientError) as unreachable:
            await anext(client.subscribe("heads"))
        assert unreachable.value.code == "node-unreachable"
