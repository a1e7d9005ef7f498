"""Tests JSON-RPC over HTTP: retries, time limits, and malformed answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import inos
from inos.client import models
from inos.client.errors import ClientError
from inos.client.transport import NEVER_REPEATED
from inos.rpc import RpcServer
from inos.rpc.methods import ALL_METHODS
from support.client_models import make_model
from support.puppet_server import Puppet
from support.rpc_served import make_fake_node, serve


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(make_fake_node(0), tmp_path) as server:
        yield server


def test_methods_that_are_never_repeated_exist() -> None:
    assert set(ALL_METHODS) >= NEVER_REPEATED


async def test_nobody_there() -> None:
    async with inos.Client("http://127.0.0.1:9") as client:
        with pytest.raises(ClientError) as caught:
            await client.call("tx_send", hex="00")
    assert caught.value.code == "node-unreachable"


async def test_not_an_address_of_a_node() -> None:
    async with inos.Client("nonsense") as client:
        with pytest.raises(ClientError) as caught:
            await client.head()
    assert caught.value.code == "bad-url"


TIP = msgspec.to_builtins(make_model(models.Head, height=3)) | {"new_member": "of a newer node"}
HEAD = json.dumps({"jsonrpc": "2.0", "id": 1, "result": TIP}).encode()


async def test_reads_are_tried_again_when_the_connection_breaks() -> None:
    async with Puppet(None, None, HEAD) as puppet, inos.Client(puppet.url) as client:
        assert (await client.head()).height == 3
        assert puppet.requests == ["chain_head"] * 3


async def test_sending_is_never_tried_again() -> None:
    async with Puppet(None, HEAD) as puppet, inos.Client(puppet.url) as client:
        with pytest.raises(ClientError) as caught:
            await client.call("tx_send", hex="00")
        assert caught.value.code == "node-unreachable"
        assert puppet.requests == ["tx_send"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"{}", b'{"error": "no"}', b'{"jsonrpc": "2.0", "id": 1, "result": {"height": "x"}}'],
)
async def test_answers_that_are_none(answer: bytes) -> None:
    async with Puppet(answer) as puppet, inos.Client(puppet.url) as client:
        with pytest.raises(ClientError) as caught:
            await client.head()
        assert caught.value.code == "bad-response"


async def test_an_answer_that_does_not_come(server: RpcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    forever = asyncio.Event()

    async def wait(*_: Any) -> bytes:
        await forever.wait()
        return b""

    monkeypatch.setattr("inos.rpc.server.dispatch.Dispatcher.process_parsed", wait)
    async with inos.Client(server.url, timeout_s=0.05) as client:
        with pytest.raises(ClientError) as caught:
            await client.head()
    forever.set()
    assert caught.value.code == "timeout"
    assert "0.05 s" in caught.value.message
