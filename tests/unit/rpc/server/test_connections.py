"""Connections whose plain requests are answered without aiohttp: order, slow readers, idleness and the end."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inos.rpc.method import method
from inos.rpc.models.values import Model
from inos.rpc.server import connections
from inos.rpc.server.http import RpcServer, RpcSettings
from support.network_fakes import until

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
LONG = 24 << 20
SOON_S = 60.0
"""No test waits that long unless it fails."""


class Text(Model):
    text: str


class World:
    """A server with a method that waits, one that answers at length, and a caller."""

    def __init__(self, folder: Path) -> None:
        self.leave = asyncio.Event()
        self.entered: list[str] = []

        @method("held")
        async def held(node: Any, params: Text) -> Text:
            """Return the text once the test says so."""
            self.entered.append(params.text)
            await self.leave.wait()
            return params

        @method("long")
        async def long(node: Any, params: Text) -> Text:
            """Return a long text."""
            self.entered.append(params.text)
            return Text(text=params.text * LONG)

        node: Any = object()
        settings = RpcSettings(token_path=folder / "rpc.token", port=0)
        self.server = RpcServer(node, settings, {"held": held, "long": long})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    def list_connections(self) -> list[connections.Connection]:
        assert self.server._connections is not None
        return list(self.server._connections._open.values())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.server.start()
    yield world
    world.leave.set()
    await world.server.stop()


def call(text: str, name: str = "held") -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": {"text": text}}).encode()
    return HEAD % len(body) + body


async def read_text(reader: asyncio.StreamReader) -> str:
    async with asyncio.timeout(SOON_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        found: str = json.loads(await reader.readexactly(length))["result"]["text"]
    return found


async def test_requests_behind_one_that_is_answered_keep_their_order(world: World) -> None:
    reader, writer = await world.connect()
    writer.write(call("a"))
    await until(lambda: world.entered == ["a"])
    writer.write(call("b"))
    await until(lambda: world.list_connections()[0]._later == call("b"))
    assert world.entered == ["a"]
    writer.write(call("c") + call("d")[:50])
    world.leave.set()
    assert [await read_text(reader) for _ in range(3)] == ["a", "b", "c"]
    writer.write(call("d")[50:])
    assert await read_text(reader) == "d"
    writer.write(call("e"))
    assert await read_text(reader) == "e"
    writer.close()


async def test_bytes_behind_a_request_are_bounded(world: World) -> None:
    reader, writer = await world.connect()
    writer.write(call("a"))
    await until(lambda: world.entered == ["a"])
    (connection,) = world.list_connections()
    writer.write(b"x" * LONG)
    await until(lambda: connection._later != b"")
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(connection._later) <= connections.READ_BYTES
    world.leave.set()
    assert await read_text(reader) == "a"
    assert (await asyncio.wait_for(reader.readline(), SOON_S)).startswith(b"HTTP/1.0 400 ")
    writer.close()


async def test_a_caller_that_does_not_read_is_not_answered_further(world: World) -> None:
    reader, writer = await world.connect()
    writer.write(call("a", "long"))
    await until(lambda: bool(world.list_connections()) and world.list_connections()[0]._is_blocked)
    writer.write(call("b", "long"))
    await until(lambda: world.list_connections()[0]._later != b"")
    assert world.entered == ["a"]
    assert await read_text(reader) == "a" * LONG
    assert await read_text(reader) == "b" * LONG
    writer.close()


async def test_a_caller_that_has_gone_is_forgotten(world: World) -> None:
    _, writer = await world.connect()
    writer.write(call("a"))
    await until(lambda: world.entered == ["a"])
    writer.transport.abort()
    (connection,) = world.list_connections()
    await until(lambda: connection.transport is None or connection.transport.is_closing())
    world.leave.set()
    reader, writer = await world.connect()
    writer.write(call("b"))
    assert await read_text(reader) == "b"
    writer.close()


async def test_idle_connections_are_closed_and_busy_ones_are_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.05)
    reader, writer = await world.connect()
    writer.write(call("a"))
    await until(lambda: world.entered == ["a"])
    (connection,) = world.list_connections()
    connection._at -= 1
    connection._close_if_idle()
    world.leave.set()
    assert await read_text(reader) == "a"
    assert await asyncio.wait_for(reader.read(), SOON_S) == b""
    writer.close()


async def test_a_running_request_is_answered_when_the_server_stops(world: World) -> None:
    reader, writer = await world.connect()
    writer.write(call("a"))
    await until(lambda: world.entered == ["a"])
    stopping = asyncio.create_task(world.server.stop())
    await asyncio.sleep(0)
    world.leave.set()
    assert await read_text(reader) == "a"
    assert await asyncio.wait_for(reader.read(), SOON_S) == b""
    await stopping
    writer.close()
