"""Waits for blocks share one subscription, and end by their limit where a node refuses subscriptions."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import inos
from inos.client.errors import RemoteError
from inos.client.tip import TipFollower
from support.fake_node import FakeNode
from support.rpc_served import make_fake_node, serve


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(10**9)


@pytest.fixture
async def client(node: FakeNode, tmp_path: Path) -> AsyncIterator[inos.Client]:
    async with serve(node, tmp_path) as server, inos.Client(server.url) as client:
        yield client


class Heads:
    """Stands in for a subscription, and counts those that are open."""

    opened = open = 0

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self._blocks: asyncio.Queue[int] = asyncio.Queue()
        Heads.opened += 1
        Heads.open += 1

    def __aiter__(self) -> "Heads":
        return self

    async def __anext__(self) -> int:
        if self._error is not None:
            raise self._error
        return await self._blocks.get()

    async def aclose(self) -> None:
        Heads.open -= 1


async def test_a_block_ends_the_wait(client: inos.Client, node: FakeNode) -> None:
    async with client.follow_tip() as tip, asyncio.timeout(60):
        while (await client.head()).height == 0:
            node.mine()  # A block that came before the node had subscribed ends no wait.
            await tip.wait(0.05)
        await tip.wait(0.0)
        node.mine()
        began = time.monotonic()
        await tip.wait(15.0)
        assert time.monotonic() - began < 10


async def test_waits_share_one_subscription_that_ends_with_the_last() -> None:
    Heads.opened = Heads.open = 0
    follower = TipFollower(Heads)  # type: ignore[arg-type]
    async with follower.follow() as one:
        async with follower.follow() as other:
            await other.wait(0.01)
            assert (Heads.opened, Heads.open) == (1, 1)
        await one.wait(0.01)
        assert Heads.open == 1
    assert Heads.open == 0
    async with follower.follow() as again:
        await again.wait(0.01)
        assert (Heads.opened, Heads.open) == (2, 1)


async def test_a_refused_subscription_leaves_the_limit() -> None:
    refused: Any = RemoteError(-32000, "limit-reached", "no more subscriptions")
    follower = TipFollower(lambda: Heads(refused))  # type: ignore[arg-type, return-value]
    async with follower.follow() as tip, asyncio.timeout(60):
        await tip.wait(0.01)


def test_the_blocking_client_waits_too() -> None:
    from inos.testing import TestChain

    with TestChain() as chain, inos.BlockingClient(chain.url) as client, client.follow_tip() as wait:
        deadline = time.monotonic() + 20
        while client.head().height < 2:
            assert time.monotonic() < deadline
            chain.mine()
            wait(0.2)
