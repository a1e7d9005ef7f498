"""Requests that are answered without aiohttp have its answers, and those of one turn are processed together."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from inos.primitives.errors import RuleViolation
from inos.rpc.method import method
from inos.rpc.models.values import Model
from inos.rpc.server.calls import Calls
from inos.rpc.server.dispatch import Dispatcher
from inos.rpc.server.http import RpcServer, RpcSettings
from inos.rpc.server.posts import Post, PostReader
from inos.rpc.server.turns import Turns
from support.network_fakes import until

NODE: Any = object()
groups: list[list[int]] = []
waits: list[asyncio.Event] = []
SLOW = 50


class Number(Model):
    a: int


async def double_together(node: Any, calls: Sequence[Number]) -> list[Number | RuleViolation | None]:
    """Double numbers, but leave out the slow one."""
    groups.append([each.a for each in calls])
    return [None if each.a == SLOW else Number(a=2 * each.a) for each in calls]


@method("double", call_many=double_together)
async def double(node: Any, params: Number) -> Number:
    """Double a number, the slow one when the test says so."""
    if params.a == SLOW:
        await waits[-1].wait()
    return Number(a=2 * params.a)


@method("guarded", is_protected=True)
async def guarded(node: Any, params: Number) -> Number:
    """Require the token."""
    return params


METHODS = {one.name: one for one in (double, guarded)}


class Asker:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def answer(self, response: bytes) -> None:
        body = response.partition(b"\r\n\r\n")[2]
        self.told.append(json.loads(body) if body else None)

    def abort(self) -> None:
        self.told.append("aborted")


class World:
    """The calls of one dispatcher."""

    def __init__(self, turns: Turns | None = None) -> None:
        groups.clear()
        waits.append(asyncio.Event())
        self.turns = turns or Turns(32, 256)
        self.dispatcher = Dispatcher(METHODS, NODE, self.turns)
        self.calls = Calls(self.dispatcher, self.turns, lambda: PostReader(set(), "", 0), stop_s=0.01)

    def send(self, number: Any, *, name: str = "double", is_owner: bool = True, id: bool = True) -> Asker:
        asker = Asker()
        request = {"jsonrpc": "2.0", "method": name, "params": {"a": number}} | ({"id": 1} if id else {})
        assert self.calls.take(Post(json.dumps(request).encode(), is_owner), asker)
        return asker


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def result(a: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": {"a": a}, "id": 1}


async def test_calls_of_the_owner_in_one_turn_are_one_group() -> None:
    world = World()
    askers = [world.send(number) for number in (1, 2)]
    stranger, guarded, silent, wrong = (
        world.send(3, is_owner=False),
        world.send(4, name="guarded"),
        world.send(5, id=False),
        world.send("x"),
    )
    await settle()
    assert groups == [[1, 2, 5]]
    assert [asker.told for asker in askers] == [[result(2)], [result(4)]]
    assert (stranger.told, guarded.told, silent.told) == ([result(6)], [result(4)], [None])
    assert wrong.told[0]["error"]["code"] == -32602
    late = world.send(7)
    await settle()
    assert (groups[1:], late.told) == ([[7]], [result(14)])


async def test_a_group_has_a_largest_size() -> None:
    world = World()
    askers = [world.send(number) for number in range(-130, 0)]
    await settle()
    assert [len(group) for group in groups] == [100, 30]
    assert [asker.told for asker in askers] == [[result(2 * number)] for number in range(-130, 0)]


async def test_a_slow_call_keeps_no_other_waiting() -> None:
    world = World()
    slow, quick = world.send(SLOW), world.send(1)
    await settle()
    assert (slow.told, quick.told) == ([], [result(2)])
    waits[-1].set()
    await settle()
    assert slow.told == [result(2 * SLOW)]


async def test_bodies_that_are_not_json_or_no_request() -> None:
    world, askers = World(), [Asker(), Asker(), Asker()]
    for body, asker in zip((b"{", b"[]", b"7"), askers, strict=True):
        assert world.calls.take(Post(body, True), asker)
    await settle()
    assert [asker.told[0]["error"]["code"] for asker in askers] == [-32700, -32600, -32600]


async def test_those_without_an_answer_are_disconnected_by_an_unexpected_error(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    async def fail(requests: Any, caller: Any, give: Any) -> None:
        give(0, b"1")
        raise KeyError("unexpected")

    monkeypatch.setattr(world.dispatcher, "process_group", fail)
    askers = [world.send(1), world.send(2)]
    await settle()
    assert [asker.told for asker in askers] == [[1], ["aborted"]]


async def test_calls_are_left_to_aiohttp_while_too_many_wait() -> None:
    world = World(Turns(1, 0))
    body = b'{"jsonrpc":"2.0","method":"double","id":1}'
    assert not world.calls.take(Post(body, False), Asker())
    assert world.calls.take(Post(body, True), Asker())
    await settle()


async def test_those_that_were_taken_are_answered_before_the_end() -> None:
    world = World()
    first, slow = world.send(1), world.send(SLOW)
    await world.calls.close()
    assert (first.told, slow.told) == ([result(2)], [])
    assert not world.calls.take(Post(b"{}", True), Asker())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RpcServer]:
    server = RpcServer(NODE, RpcSettings(token_path=tmp_path / "rpc.token", port=0), METHODS)
    await server.start()
    yield server
    await server.stop()


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"


async def ask(server: RpcServer, request: bytes, *, is_whole: bool) -> tuple[bytes, list[bytes]]:
    """Send a request in one piece or in two, between which aiohttp takes over; return the head's lines and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    if not is_whole:
        writer.write(request[:9])
        await until(lambda: any(each._reader is None for each in server._connections._open.values()))  # type: ignore[union-attr]
        request = request[9:]
    writer.write(request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    found = re.search(rb"Content-Length: (\d+)", head)
    body = await reader.readexactly(int(found[1])) if found else b""
    writer.close()
    await writer.wait_closed()
    server._connections._open.clear()  # type: ignore[union-attr]
    return body, sorted(line for line in head.split(b"\r\n") if not line.startswith(b"Date: "))


@pytest.mark.parametrize("has_token", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":"a","method":"double","params":[1]}',
        b'{"jsonrpc":"2.0","method":"double","params":[1]}',
        b'{"jsonrpc":"2.0","id":1,"method":"double","params":{"b":1}}',
        b'{"jsonrpc":"2.0","id":1,"method":"guarded","params":[1]}',
        b'{"jsonrpc":"2.0","id":1,"method":"nothing"}',
        b'[{"jsonrpc":"2.0","id":1,"method":"double","params":[1]},{"jsonrpc":"2.0","id":1,"method":"double"}]',
        b"[]",
        b'"\xff"',
        b"{",
        b"",
    ],
)
async def test_answers_are_those_of_aiohttp(server: RpcServer, tmp_path: Path, body: bytes, has_token: bool) -> None:
    token = (tmp_path / "rpc.token").read_bytes().strip()
    request = HEAD % (len(body), b"Authorization: Bearer %s\r\n" % token if has_token else b"") + body
    assert await ask(server, request, is_whole=True) == await ask(server, request, is_whole=False)
