"""Tests how much a server holds for callers without the token, and what remains for the token's holder."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.models.values import Model
from inos.rpc.server import connections, socket
from inos.rpc.server.http import RpcServer, RpcSettings
from inos.rpc.server.turns import Turns
from support.network_fakes import until
from support.sim_loop import virtually

BODY_LIMIT = 1 << 20
WAITING = 32
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SOON_S = 60.0
"""No test waits that long unless it fails."""


class Wait(Model):
    wait_s: float = 0.0
    text: str = ""

    @property
    def is_waiting(self) -> bool:
        return self.wait_s > 0


class Text(Model):
    text: str


class World:
    """A server with a method that waits until the test ends."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.leave = asyncio.Event()
        self.entered = 0

        @method("held")
        async def held(node, params: Wait) -> Text:
            """Wait."""
            self.entered += 1
            if params.wait_s:
                await self.leave.wait()
            return Text(text="done")

        values = {"token_path": folder / "rpc.token", "port": 0, "body_limit": BODY_LIMIT, "max_concurrent": 2}
        self.server = RpcServer(object(), RpcSettings(**values | settings), {"held": held})

    @property
    def token(self):
        return (self.folder / "rpc.token").read_text().strip()

    async def call(self, *, owner=False, **params):
        headers = {"Authorization": f"Bearer {self.token}"} if owner else {}
        request = {"jsonrpc": "2.0", "id": 1, "method": "held", "params": params}
        async with (
            asyncio.timeout(SOON_S),
            aiohttp.ClientSession(headers=headers) as session,
            session.post(self.server.url, json=request) as response,
        ):
            answer = await response.json()
        return answer.get("result", answer.get("error"))

    async def send(self, data):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(data)
        return reader, writer


@asynccontextmanager
async def serving(folder, **settings):
    world = World(folder, **settings)
    await world.server.start()
    try:
        yield world
    finally:
        world.leave.set()
        await world.server.stop()


async def flood(writer, data):
    while True:
        writer.write(data)
        await writer.drain()


async def close_all(pairs):
    for _, writer in pairs:
        writer.close()


async def test_half_sent_bodies_hold_no_turn(tmp_path):
    async with serving(tmp_path) as world:
        half = [await world.send(HEAD % (100, b"") + b"{") for _ in range(40)]
        assert (await world.call())["text"] == "done"
        await close_all(half)


async def test_calls_that_wait_keep_nobody_waiting_and_have_a_pool_of_their_own(tmp_path):
    async with serving(tmp_path) as world, asyncio.TaskGroup() as group:
        waits = [group.create_task(world.call(wait_s=60)) for _ in range(WAITING)]
        await until(lambda: world.entered == WAITING)
        assert (await world.call(wait_s=60))["data"]["code"] == "busy"
        assert (await world.call())["text"] == "done"
        owner = group.create_task(world.call(owner=True, wait_s=60))
        await until(lambda: world.entered == WAITING + 2)
        assert (await world.call(owner=True))["text"] == "done"
        world.leave.set()
        assert [(await each)["text"] for each in (*waits, owner)] == ["done"] * (WAITING + 1)


async def test_turns_of_the_owner_are_kept_while_others_hold_all_of_theirs(tmp_path):
    turns = Turns(1, 5)
    async with turns.take(is_owner=False, waits=False):
        async with asyncio.timeout(SOON_S), turns.take(is_owner=True, waits=False):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), turns.take(is_owner=False, waits=False):
                pass
    assert turns.queued == 0


@virtually
async def test_calls_without_the_token_begin_at_a_bounded_rate():
    turns, began = Turns(32, 2), asyncio.get_running_loop().time()
    for _ in range(2000):
        async with turns.take(is_owner=False, waits=False):
            pass
    late, refused = 0, 0

    async def call():
        nonlocal late, refused
        try:
            async with turns.take(is_owner=False, waits=False):
                late += 1
        except RpcError:
            refused += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(2000):
            group.create_task(call())
    elapsed = asyncio.get_running_loop().time() - began
    assert late + refused == 2000
    assert refused > 0
    assert 0 < late <= 1000 * elapsed + 2
    async with turns.take(is_owner=True, waits=False):
        pass


async def test_bodies_share_a_budget_that_ends_with_their_connections(tmp_path):
    """Six sockets with bodies of 40 MiB once took 2 GB."""
    async with serving(tmp_path) as world:
        part = b" " * (BODY_LIMIT - 1)
        half = [await world.send(HEAD % (BODY_LIMIT, b"") + part) for _ in range(2)]
        await until(lambda: world.server._bodies.used[False] > 1.8 * BODY_LIMIT)
        assert (await world.call(text="x" * (BODY_LIMIT // 2)))["data"]["code"] == "busy"
        assert (await world.call(text="x" * 60_000))["text"] == "done"
        assert (await world.call(owner=True, text="x" * (BODY_LIMIT // 2)))["text"] == "done"
        await close_all(half)
        await until(lambda: world.server._bodies.used == {False: 0, True: 0})
        assert (await world.call(text="x" * (BODY_LIMIT // 2)))["text"] == "done"


async def test_messages_of_sockets_are_counted_too(tmp_path):
    async with serving(tmp_path) as world, aiohttp.ClientSession() as session:
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "held", "params": {"text": "x" * 900_000}})
        async with session.ws_connect(f"{world.server.url}/ws") as ws:
            used = world.server._bodies.used
            used[False] = 2 * BODY_LIMIT
            await ws.send_str(request)
            assert (await ws.receive_json(timeout=SOON_S))["error"]["data"]["code"] == "busy"
            used[False] = 0
            await ws.send_str(request)
            assert (await ws.receive_json(timeout=SOON_S))["result"]["text"] == "done"
            assert used[False] == 0


async def test_a_message_of_a_socket_without_the_token_is_small(tmp_path):
    async with serving(tmp_path, body_limit=8 << 20) as world, aiohttp.ClientSession() as session:
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "held", "params": {"text": "x" * (2 << 20)}})
        async with session.ws_connect(f"{world.server.url}/ws") as ws:
            await ws.send_str(request)
            assert (await ws.receive(timeout=SOON_S)).type is aiohttp.WSMsgType.CLOSE
        headers = {"Authorization": f"Bearer {world.token}"}
        async with session.ws_connect(f"{world.server.url}/ws", headers=headers) as ws:
            await ws.send_str(request)
            assert (await ws.receive_json(timeout=SOON_S))["result"]["text"] == "done"


async def test_a_socket_that_floods_with_pings_is_closed(tmp_path):
    async with serving(tmp_path) as world, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{world.server.url}/ws", autoping=False) as ws:
            for _ in range(10):
                await ws.ping()
                assert (await ws.receive(timeout=SOON_S)).type is aiohttp.WSMsgType.PONG
        async with session.ws_connect(f"{world.server.url}/ws") as ws:
            for _ in range(100):
                await ws.ping()
            assert (await ws.receive(timeout=SOON_S)).type is aiohttp.WSMsgType.CLOSE


async def test_a_connection_whose_bytes_take_long_to_parse_is_dropped(tmp_path, monkeypatch):
    """aiohttp joins fragments without limit and without any notice."""
    monkeypatch.setattr(connections, "PARSE_S_BURST", 0.02)
    async with serving(tmp_path) as world:
        reader, writer = await world.send(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x02\x80\0\0\0\0")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(writer, b"\0\x80\0\0\0\0" * 20_000), SOON_S)
        assert (await world.call(text="x" * (BODY_LIMIT // 2)))["text"] == "done"


async def test_connections_that_send_nothing_give_way(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 8)
    async with serving(tmp_path) as world, asyncio.TaskGroup() as group:
        wait = group.create_task(world.call(wait_s=60))
        await until(lambda: world.entered == 1)
        idle = [await world.send(b"POST / HT" if number % 2 else b"") for number in range(30)]
        assert (await world.call())["text"] == "done"
        assert len(world.server._connections._open) <= 8
        world.leave.set()
        assert (await wait)["text"] == "done"
        await close_all(idle)


async def test_sockets_are_bounded_and_some_are_kept_for_the_owner(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "MAX_SOCKETS", 3)
    async with serving(tmp_path) as world, aiohttp.ClientSession() as session:
        url = f"{world.server.url}/ws"
        sockets = [await session.ws_connect(url) for _ in range(3)]
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await session.ws_connect(url)
        async with session.ws_connect(url, headers={"Authorization": f"Bearer {world.token}"}) as ws:
            await ws.send_json({"jsonrpc": "2.0", "id": 1, "method": "held"})
            assert (await ws.receive_json(timeout=SOON_S))["result"]["text"] == "done"
        for each in sockets:
            await each.close()
