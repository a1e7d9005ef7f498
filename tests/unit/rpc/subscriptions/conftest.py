"""Fixtures: a node in memory, its server, and a caller over a WebSocket."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from inos.rpc import RpcServer, RpcSettings
from inos.wallet.keys import make_key
from support.fake_node import WORKER, FakeNode
from support.rpc_served import make_fake_node
from support.rpc_socket import RpcSocket

ALICE = make_key(bytes(31) + b"\x01")
FUNDS = 10**12


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(FUNDS, ALICE.address, WORKER.address)


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    server = RpcServer(node, RpcSettings(token_path=tmp_path / "rpc.token", port=0, slow_s=0.3))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def caller(server: RpcServer) -> AsyncIterator[RpcSocket]:
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url + "/ws") as ws:
        yield RpcSocket(ws)
