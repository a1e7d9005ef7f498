"""`inos peers` as typed, against a real RPC server on a node in memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inos.cli import main as cli
from inos.network.peers.kinds import LinkKind
from inos.network.status import AddressInfo, BanInfo, PeerInfo
from inos.primitives.units import NodeId, TimeMs
from inos.rpc import RpcServer
from support.fake_node import FakeNode
from support.rpc_served import make_fake_node, serve


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(0)


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(node, tmp_path) as server:
        yield server


async def run(server: RpcServer, *arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, cli.app, ["peers", *arguments, "--rpc", server.url])


async def test_status(server: RpcServer) -> None:
    result = await run(server, "status")
    assert result.exit_code == 0
    assert "no, peers that were asked to dial back could not" in result.stdout
    assert "3 of 8 in 3 groups" in result.stdout
    assert "2 reached before, 7 not tried yet" in result.stdout
    assert json.loads((await run(server, "status", "--json")).stdout)["reachability"] == "private"


async def test_list(server: RpcServer, node: FakeNode) -> None:
    node.p2p.connected = [
        PeerInfo(
            id=NodeId(b"\xab" * 32),
            address="20.1.0.1:8646",
            is_outbound=True,
            height=7,
            since_ms=TimeMs(5),
            latency_ms=12,
            kind=LinkKind.OUTBOUND,
            group="20.1.0.0/16",
            score=40,
            bytes_in=1,
            bytes_out=2,
            bytes_waiting=0,
            is_brief=False,
            user_agent="",
        )
    ]
    lines = (await run(server, "list")).stdout.splitlines()
    assert lines[1].split() == ["ab" * 8, "outbound", "20.1.0.1:8646", "20.1.0.0/16", "7", "12", "40"]


async def test_addresses_need_the_token(server: RpcServer, node: FakeNode, tmp_path: Path) -> None:
    node.p2p.addresses = [
        AddressInfo(
            id=NodeId(bytes([n]) * 32),
            host=f"20.{n}.0.1",
            port=8646,
            group=f"20.{n}.0.0/16",
            is_tried=n == 1,
            seen_ms=5,
            attempt_ms=0,
            reached_ms=0,
            attempts=n - 1,
        )
        for n in (1, 2)
    ]
    assert (await run(server, "addresses")).exit_code == 1
    result = await run(server, "addresses", "--data-dir", str(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].endswith("reached before")
    assert "failed attempts: 1" in result.stdout
    assert "2 of 2 addresses" in result.stdout


async def test_bans_are_shown_and_lifted(server: RpcServer, node: FakeNode, tmp_path: Path) -> None:
    node.p2p.banned = [BanInfo(True, "20.1.0.0/16", 1_700_000_000_000, 5, "4 nodes of it")]
    token = ("--data-dir", str(tmp_path))
    shown = (await run(server, "bans", *token)).stdout
    assert "20.1.0.0/16" in shown
    assert "2023-11-14 22:13:20" in shown
    assert (await run(server, "unban", "20.1.0.0/16", *token)).stdout == "lifted 1\n"
    assert node.p2p.banned == []
    result = await run(server, "unban", "20.1.0.0/16", *token)
    assert result.exit_code == 1
    assert "not-banned" in result.output
