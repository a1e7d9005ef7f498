"""An event loop on a thread: results, errors and cancellation reach the caller."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inos.client.blocking import LoopThread, call_node
from inos.client.errors import ClientError, RemoteError
from inos.rpc import RpcServer
from support.rpc_served import make_fake_node, serve


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_a_result_and_an_error_reach_the_caller() -> None:
    async def fail() -> None:
        raise KeyError("inside")

    with LoopThread("test") as loop:
        assert loop.run(double(21)) == 42
        assert loop.spawn(double(4)).result(10) == 8
        with pytest.raises(KeyError, match="inside"):
            loop.run(fail())


def test_what_takes_too_long_is_cancelled_and_what_still_runs_ends_with_the_loop() -> None:
    ended: list[str] = []

    async def wait(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    with LoopThread("test") as loop:
        with pytest.raises(TimeoutError):
            loop.run(wait("late"), 0.01)
        loop.spawn(wait("left"))
        loop.run(double(1))
    assert ended == ["late", "left"]


def test_the_loop_does_not_wait_for_itself_and_is_closed_once() -> None:
    loop = LoopThread("test")

    async def nest() -> int:
        return loop.run(double(1))

    with pytest.raises(ClientError) as caught:
        loop.run(nest())
    assert caught.value.code == "wrong-thread"
    loop.close()
    loop.close()
    with pytest.raises(ClientError) as caught:
        loop.run(double(1))
    assert caught.value.code == "closed"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(make_fake_node(0), tmp_path) as server:
        yield server


async def test_one_call(server: RpcServer, tmp_path: Path) -> None:
    token = (tmp_path / "rpc.token").read_text().strip()
    head = await asyncio.to_thread(call_node, server.url, "chain_head")
    assert head["height"] == 0
    block = await asyncio.to_thread(call_node, server.url, "chain_getBlock", [0])
    assert block["height"] == 0
    status = await asyncio.to_thread(call_node, server.url, "miner_status", token=token)
    assert status["state"] == "stopped"
    with pytest.raises(RemoteError) as caught:
        await asyncio.to_thread(call_node, server.url, "miner_status")
    assert caught.value.code == "unauthorized"
