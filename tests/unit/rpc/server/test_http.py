"""The HTTP server over a real socket: which callers, formats and sizes it accepts."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inos.rpc.errors import RpcError
from inos.rpc.method import Method, method
from inos.rpc.models.values import Model, NoParams
from inos.rpc.server.http import RpcServer, RpcSettings

BODY_LIMIT = 100_000


class Text(Model):
    text: str


class Echo(Model):
    text: str = ""


@method("echo")
async def echo(node: Any, params: Echo) -> Text:
    """Return the text."""
    return Text(text=params.text)


@method("guarded", is_protected=True)
async def guarded(node: Any, params: NoParams) -> Text:
    """Require the token."""
    return Text(text="secret")


def make_server(tmp_path: Path, *more: Method, **settings: Any) -> RpcServer:
    values = {"token_path": tmp_path / "rpc.token", "port": 0, "body_limit": BODY_LIMIT} | settings
    node: Any = object()
    return RpcServer(node, RpcSettings(**values), {one.name: one for one in (echo, guarded, *more)})


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RpcServer]:
    server = make_server(tmp_path, allowed_hosts=("node.example",))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def body(name: str = "echo", **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": params}).encode()


async def post(
    http: aiohttp.ClientSession, server: RpcServer, data: Any, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    sent = {"Content-Type": "application/json"} | (headers or {})
    async with http.post(server.url, data=data, headers=sent) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else None


async def test_a_call(http: aiohttp.ClientSession, server: RpcServer) -> None:
    assert await post(http, server, body(text="hello")) == (
        200,
        {"jsonrpc": "2.0", "result": {"text": "hello"}, "id": 1},
    )
    assert server.port > 0
    assert server.url == f"http://127.0.0.1:{server.port}"


async def test_errors_of_json_rpc_are_http_200(http: aiohttp.ClientSession, server: RpcServer) -> None:
    status, answer = await post(http, server, b"{")
    assert (status, answer["error"]["code"]) == (200, -32700)


async def test_notifications_get_204(http: aiohttp.ClientSession, server: RpcServer) -> None:
    assert await post(http, server, b'{"jsonrpc": "2.0", "method": "echo"}') == (204, None)


async def test_get_answers_with_help(http: aiohttp.ClientSession, server: RpcServer) -> None:
    async with http.get(server.url) as response:
        assert response.status == 200
        text = await response.text()
    assert "curl" in text
    assert "rpc.discover" in text
    assert "Return the text." in text


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8645", True),
        ("127.0.0.1:1", True),
        ("[::1]:8645", True),
        ("[::1]", True),
        ("node.example", True),
        ("node.example:99", True),
        ("localhost.", False),
        ("::1", False),
        ("127.0.0.1:80:80", False),
        ("evil.example@localhost", False),
        ("localhost, evil.example", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example:8645", False),
        ("node.example.evil:1", False),
        ("127.0.0.2", False),
        ("", False),
    ],
)
async def test_only_names_of_this_machine_are_accepted(
    http: aiohttp.ClientSession, server: RpcServer, host: str, is_allowed: bool
) -> None:
    status, answer = await post(http, server, body(), {"Host": host})
    if is_allowed:
        assert status == 200
        return
    assert status == 403
    assert answer["error"]["code"] == -32010
    assert "rebinding" in answer["error"]["data"]["hint"]
    async with http.get(server.url, headers={"Host": host}) as response:
        assert response.status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "a/b"])
async def test_only_json_is_read(http: aiohttp.ClientSession, server: RpcServer, kind: str) -> None:
    status, answer = await post(http, server, body(), {"Content-Type": kind})
    assert (status, answer["error"]["code"]) == (415, -32011)


async def test_json_with_a_charset_is_json(http: aiohttp.ClientSession, server: RpcServer) -> None:
    assert (await post(http, server, body(), {"Content-Type": "application/json; charset=utf-8"}))[0] == 200


async def test_no_other_site_is_ever_allowed(http: aiohttp.ClientSession, server: RpcServer) -> None:
    async with http.options(
        server.url, headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    ) as response:
        assert response.status == 405
        assert "Access-Control-Allow-Origin" not in response.headers
    async with http.post(server.url, data=body(), headers={"Content-Type": "application/json", "Origin": "x"}) as r:
        assert "Access-Control-Allow-Origin" not in r.headers


async def test_a_body_over_the_limit(http: aiohttp.ClientSession, server: RpcServer) -> None:
    fits = body(text="x" * (BODY_LIMIT - len(body(text=""))))
    assert len(fits) == BODY_LIMIT
    assert (await post(http, server, fits))[0] == 200
    status, answer = await post(http, server, fits + b" ")
    assert (status, answer["error"]["code"]) == (413, -32009)
    assert str(BODY_LIMIT) in answer["error"]["message"]


async def test_a_body_over_the_limit_that_hides_its_length(http: aiohttp.ClientSession, server: RpcServer) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    status, answer = await post(http, server, chunks())
    assert (status, answer["error"]["data"]["code"]) == (413, "body-too-large")


async def test_compressed_bodies_are_bounded_too(http: aiohttp.ClientSession, server: RpcServer) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert (await post(http, server, gzip.compress(body(text="a")), headers))[1]["result"] == {"text": "a"}
    bomb = gzip.compress(bytes(100 * BODY_LIMIT))
    assert len(bomb) < BODY_LIMIT
    status, answer = await post(http, server, bomb, headers)
    assert (status, answer["error"]["data"]["code"]) == (413, "body-too-large")
    status, answer = await post(http, server, b"not compressed", headers)
    assert (status, answer["error"]["code"]) == (400, -32700)


async def test_a_caller_that_disconnects_early_is_no_error(
    server: RpcServer, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    await writer.drain()
    assert (await post(http, server, body()))[0] == 200
    writer.close()
    await writer.wait_closed()
    assert (await post(http, server, body()))[0] == 200
    assert not [record for record in caplog.records if record.exc_info]


async def test_headers_may_hold_any_bytes(server: RpcServer) -> None:
    for name in (b"Host: \xff", b"Host: localhost\r\nAuthorization: Bearer \xff"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        text = body("guarded")
        length = b"\r\nConnection: close\r\nContent-Length: %d" % len(text)
        writer.write(b"POST / HTTP/1.1\r\nContent-Type: application/json\r\n" + name + length + b"\r\n\r\n" + text)
        answer = await reader.read()
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] in (-32010, -32001)
        writer.close()


async def test_protected_methods_need_the_token(http: aiohttp.ClientSession, server: RpcServer, tmp_path: Path) -> None:
    status, answer = await post(http, server, body("guarded"))
    assert (status, answer["error"]["code"]) == (200, -32001)
    assert str(tmp_path / "rpc.token") in answer["error"]["data"]["hint"]
    token = (tmp_path / "rpc.token").read_text().strip()
    assert (await post(http, server, body("guarded"), {"Authorization": f"Bearer {token}"}))[1]["result"] == {
        "text": "secret"
    }
    assert (await post(http, server, body("guarded"), {"Authorization": f"Bearer {token[:-1]}"}))[1]["error"][
        "code"
    ] == -32001


async def test_a_port_in_use_is_named(server: RpcServer, tmp_path: Path) -> None:
    second = make_server(tmp_path, port=server.port)
    with pytest.raises(RpcError) as caught:
        await second.start()
    assert caught.value.code == "port-in-use"
    assert str(server.port) in str(caught.value)


async def wait_until_one_waits(server: RpcServer) -> None:
    for _ in range(10_000):
        if server._turns.queued:
            return
        await asyncio.sleep(0)
    raise AssertionError("no request came to wait")


async def test_too_many_requests_are_refused(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    @method("held")
    async def held(node: Any, params: NoParams) -> Text:
        """Wait."""
        entered.set()
        await leave.wait()
        return Text(text="done")

    server = make_server(tmp_path, held, max_concurrent=1, max_waiting=1)
    await server.start()
    try:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(post(http, server, body("held")))
            await entered.wait()
            second = group.create_task(post(http, server, body("held")))
            await wait_until_one_waits(server)
            status, answer = await post(http, server, body())
            assert (status, answer["error"]["code"]) == (503, -32007)
            leave.set()
        assert first.result()[0] == second.result()[0] == 200
    finally:
        await server.stop()


async def test_a_stopped_server_is_gone(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    server = make_server(tmp_path)
    await server.start()
    await server.stop()
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(http, server, body())
    again = make_server(tmp_path, port=server.port)
    await again.start()
    await again.stop()


MALFORMED = {
    "no http": b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n",
    "a method": b"G\x00T / HTTP/1.1\r\n\r\n",
    "a version": b"GET / HTTP/9.9.9\r\n\r\n",
    "a target": b"GET  HTTP/1.1\r\n\r\n",
    "a header": b"GET / HTTP/1.1\r\nHost: x\r\nbad header\x00: y\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    "a chunk": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an upgrade": b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: web\xff\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "a key": b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \xff\r\n\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_malformed_http_leaves_no_traceback(
    server: RpcServer, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    for first in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(first + MALFORMED[what])
            answer = await asyncio.wait_for(reader.read(), 60)  # the server closes the connection
        finally:
            writer.close()
            await writer.wait_closed()
        assert re.search(rb"HTTP/1.[01] 4\d\d ", answer), answer
    assert not caplog.records, caplog.text


async def test_a_body_that_nobody_reads_leaves_no_traceback(
    server: RpcServer, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Encoding: deflate\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.write(b"5\r\nhello\r\n0\r\n\r\n")
        await asyncio.wait_for(reader.read(), 60)  # the server closes the connection
    finally:
        writer.close()
        await writer.wait_closed()
    assert not caplog.records, caplog.text
