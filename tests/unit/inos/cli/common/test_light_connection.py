"""Tests the light client's connection: unreachable nodes, refusals and lies."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inos.cli.common import light_connection
from inos.cli.common.light_connection import LightConnection
from inos.light.errors import Lie, LightError
from inos.rpc import RpcServer
from support.puppet_server import Puppet
from support.rpc_served import make_fake_node, serve


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(make_fake_node(0), tmp_path) as server:
        yield server


async def test_results_and_refusals_come_through(server: RpcServer) -> None:
    connection = LightConnection(server.url)
    assert (await connection.call("chain_head", {}))["height"] == 0
    with pytest.raises(LightError) as caught:
        await connection.call("light_prove", {"key": "zz"})
    assert caught.value.code == "source-refused"
    assert "[invalid-params]" in caught.value.message
    await connection.close()


async def test_a_node_that_is_not_there_has_not_lied() -> None:
    connection = LightConnection("http://127.0.0.1:9")
    with pytest.raises(LightError) as caught:
        await connection.call("chain_head", {})
    assert caught.value.code == "source-unreachable"
    await connection.close()


async def test_an_answer_that_is_none_is_a_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_connection, "MAX_ANSWER_BYTES", 100)
    long = json.dumps({"result": "x" * 200}).encode()
    for answer in (b"<html>", b"[]", long):
        async with Puppet(answer) as puppet:
            connection = LightConnection(puppet.url)
            with pytest.raises(Lie) as caught:
                await connection.call("chain_head", {})
            assert caught.value.source == puppet.url
            await connection.close()
