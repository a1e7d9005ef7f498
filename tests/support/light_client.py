"""Light clients as processes, and a server between a light client and an honest node that changes answers."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

from aiohttp import ClientSession, web

from inos.node.process import stop_process
from support.cluster import ask, await_that

Change = Callable[[str, dict[str, Any], Any], Any]
"""A function of method, parameters and honest result that returns the changed result."""


async def ask_light(url: str, method: str, params: Any = None) -> Any:
    """Call a light client once."""
    return await ask(url, method, params, is_light=True)


def open_log(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "light.log").open("ab")


@contextlib.asynccontextmanager
async def run_light(folder: Path, network: Path, *nodes: str, flags: tuple[str, ...] = ()) -> AsyncIterator[str]:
    """Start a light client that asks `nodes`, and yield its RPC address."""
    node_flags = [flag for node in nodes for flag in ("--node", node)]
    with open_log(folder) as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "inos", "light", "--network", str(network), "--rpc-port", "0"),
            *("--data-dir", str(folder), "--log-format", "json", *node_flags, *flags),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(os.environ),
        )
    try:

        async def is_ready() -> str | None:
            ready = folder / "light.json"
            if process.returncode is not None:
                raise AssertionError((folder / "light.log").read_text())
            return json.loads(ready.read_text())["rpc"] if ready.exists() and ready.read_text() else None

        yield await await_that("the light client is ready", is_ready, 60)
    finally:
        await stop_process(process)


@contextlib.asynccontextmanager
async def run_liar(honest: str, change: Change) -> AsyncIterator[str]:
    """Start a server that asks an honest node and changes its answers, and yield its address."""

    async def handle(request: web.Request) -> web.Response:
        asked = await request.json()
        async with session.post(honest, json=asked) as reply:
            answer = await reply.json()
        if "result" in answer:
            answer["result"] = change(asked["method"], asked.get("params") or {}, answer["result"])
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    async with ClientSession() as session:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
