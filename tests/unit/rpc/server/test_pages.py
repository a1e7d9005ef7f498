"""The explorer's files over HTTP: which are served, with which headers, and that no others are."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from inos.core.bounded import TokenBucket
from inos.primitives.units import Address
from inos.rpc.server.http import RpcServer, RpcSettings
from inos.rpc.server.pages import load_pages
from inos.rpc.server.qr import CODES_BURST
from inos.wallet.addresses import encode_address
from inos.wallet.phrase import list_words
from inos.work.backends.wasm import load_module


@pytest.fixture
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RpcServer]:
    node: Any = object()
    has_explorer = getattr(request, "param", True)
    server = RpcServer(node, RpcSettings(token_path=tmp_path / "rpc.token", port=0, has_explorer=has_explorer))
    await server.start()
    yield server
    await server.stop()


async def get_bytes(server: RpcServer, path: str) -> tuple[int, bytes, Any]:
    async with aiohttp.ClientSession() as http, http.get(server.url + path) as response:
        return response.status, await response.read(), response.headers


async def get(server: RpcServer, path: str, **headers: str) -> tuple[int, str, Any]:
    async with aiohttp.ClientSession() as http:
        url = URL(server.url + path, encoded=True)
        async with http.get(url, headers=headers, allow_redirects=False) as response:
            return response.status, await response.text(), response.headers


async def test_every_file_is_served_under_a_policy_that_lets_nothing_else_in(server: RpcServer) -> None:
    assert {"index.html", "style.css", "app.js", "blake3.js", "pages/block.js", "work/page.js"} <= set(load_pages())
    for name, (content, kind) in load_pages().items():
        status, data, headers = await get_bytes(server, f"/explorer/{name}")
        charset = "" if kind == "application/wasm" else "; charset=utf-8"
        assert (status, data, headers["Content-Type"]) == (200, content, kind + charset)
        policy = headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert not any("http" in one for one in policy)
        if name.startswith("work/"):
            assert {"script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self'"} <= set(policy)
        else:
            assert "script-src 'self'" in policy
            assert not any("unsafe" in one or "worker" in one for one in policy)
    for folder in ("", "work/"):
        at = f"/explorer/{folder}"
        assert (await get(server, at))[1] == (await get(server, f"{at}index.html"))[1]


async def test_the_page_for_workers_gets_both_kernels_and_the_wallet_s_words(server: RpcServer) -> None:
    _, module, headers = await get_bytes(server, "/explorer/work/kernel.wasm")
    assert module == load_module()
    assert headers["Content-Type"] == "application/wasm"  # with a charset, browsers do not compile it while it arrives
    assert "dot4I8Packed" in (await get(server, "/explorer/work/kernel.wgsl"))[1]
    assert tuple((await get(server, "/explorer/work/words.txt"))[1].split("\n")) == list_words()


@pytest.mark.parametrize("path", ["../server.py", "%2e%2e/server.py", "..%2f..%2fREADME.md", "nothing.js", "pages"])
async def test_no_path_leaves_the_explorer(server: RpcServer, path: str) -> None:
    status, text, _ = await get(server, f"/explorer/{path}")
    assert status == 404
    assert "import" not in text


async def test_only_browsers_are_redirected_to_the_explorer(server: RpcServer) -> None:
    assert (await get(server, "/", Accept="text/html"))[2]["Location"] == "/explorer/"
    assert (await get(server, "/explorer"))[2]["Location"] == "/explorer/"
    assert (await get(server, "/explorer/work"))[2]["Location"] == "/explorer/work/"
    assert f"{server.url}/explorer/" in (await get(server, "/"))[1]


@pytest.mark.parametrize("server", [False], indirect=True)
async def test_the_explorer_is_off_by_default(server: RpcServer) -> None:
    assert (await get(server, "/explorer/"))[0] == 404
    status, text, headers = await get(server, "/", Accept="text/html,application/xhtml+xml")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "inos node --explorer" in text
    assert "inos node --explorer" in (await get(server, "/"))[1]


async def test_foreign_host_names_are_refused(server: RpcServer) -> None:
    assert (await get(server, "/explorer/", Host="evil.example"))[0] == 403


def test_the_pages_are_small_and_build_no_markup_from_text() -> None:
    for name, (content, kind) in load_pages().items():
        if name.endswith((".wasm", ".txt", ".wgsl")):
            continue
        assert kind in ("text/html", "text/javascript", "text/css", "image/svg+xml")
        text = content.decode()
        assert len(text.splitlines()) <= 250, name
        for banned in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write", "https://"):
            assert banned not in text, (name, banned)


async def test_qr_codes_are_drawn_at_a_bounded_rate(server: RpcServer) -> None:
    """Each takes some milliseconds of the event loop, and anybody may ask for them."""
    server._codes = TokenBucket(0.0, CODES_BURST, 0.0)  # However slow the machine is, no time passes.
    addresses = [encode_address("dinos", Address(number.to_bytes(20, "big"))) for number in range(40)]
    _, drawn, headers = await get(server, f"/explorer/qr/{addresses[0]}.svg")
    assert drawn.startswith("<svg ")
    assert headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    answers = [(await get(server, f"/explorer/qr/{address}.svg"))[0] for address in addresses]
    assert answers == [200] * 19 + [503] * 21
    assert (await get(server, "/explorer/index.html"))[0] == 200
