"""Tests a complete node in this process: it starts completely or not at all, and leaves only its data behind."""

import asyncio
import json
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inos.core.errors import NodeError
from inos.network.errors import NetworkError
from inos.network.identity import parse_peer_address
from inos.node.main import describe
from inos.node.node import open_node
from inos.node.settings import NodeSettings, load_settings
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transfer, compute_tx_id
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError


def make_settings(lab: Any, path: Path, **flags: Any) -> NodeSettings:
    given = {"network": str(lab.genesis_file), "data_dir": path, "rpc_port": 0, "p2p_port": 0} | flags
    return load_settings(given)


async def ask(url: str, method: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method}) as response,
    ):
        return (await response.json())["result"]


async def test_a_node_is_ready_when_it_says_so_and_tidies_up(lab: Any, tmp_path: Path) -> None:
    path = tmp_path / "node"
    async with open_node(make_settings(lab, path)) as node:
        ready = json.loads((path / "node.json").read_text())
        assert ready == {
            "pid": os.getpid(),
            "node_id": node.p2p.node_id.hex(),
            "rpc": node.rpc.url,
            "p2p": f"{node.p2p.node_id.hex()}@127.0.0.1:{node.p2p.listen_port}",
        }
        assert (await ask(ready["rpc"], "chain_head"))["height"] == 0
        node.request_stop()
        await asyncio.wait_for(node.wait_stop_requested(), 60)
    assert not (path / "node.json").exists()
    with pytest.raises(aiohttp.ClientError):
        await ask(ready["rpc"], "chain_head")


async def test_the_pool_and_the_identity_outlive_a_restart(lab: Any, tmp_path: Path) -> None:
    settings = make_settings(lab, tmp_path / "node")
    txs = [lab.sign(lab.alice, nonce, Transfer(lab.worker.address, 5)) for nonce in range(3)]
    async with open_node(settings) as node:
        first = node.p2p.node_id
        for tx in txs:
            await node.core.transactions.add(tx)
    async with open_node(settings) as node:
        assert node.p2p.node_id == first
        assert all(node.core.mempool.has(compute_tx_id(tx)) for tx in txs)


async def test_a_damaged_pool_file_costs_the_pool_only(lab: Any, tmp_path: Path) -> None:
    settings = make_settings(lab, tmp_path / "node")
    async with open_node(settings):
        pass
    (tmp_path / "node" / "pool").write_bytes(b"\x93garbage")
    async with open_node(settings) as node:
        assert len(node.core.mempool) == 0


@pytest.mark.parametrize("port", ["rpc_port", "p2p_port"])
async def test_a_port_in_use_is_named_and_everything_started_is_undone(lab: Any, tmp_path: Path, port: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(InosError) as refused:
            async with open_node(make_settings(lab, tmp_path / "node", **{port: number})):
                pass
    assert refused.value.code == "port-in-use"
    assert str(number) in refused.value.message
    assert not (tmp_path / "node" / "node.json").exists()
    async with open_node(make_settings(lab, tmp_path / "node")):
        pass


async def test_a_data_directory_in_use_or_of_another_network_is_refused(lab: Any, tmp_path: Path) -> None:
    settings = make_settings(lab, tmp_path / "node")
    async with open_node(settings):
        with pytest.raises(NodeError) as used:
            async with open_node(settings):
                pass
    assert used.value.code == "data-dir-in-use"
    with pytest.raises(NodeError) as other:
        async with open_node(make_settings(lab, tmp_path / "node", network="devnet")):
            pass
    assert other.value.code == "other-genesis"


async def test_bad_peers_and_addresses_are_refused_before_anything_is_written(lab: Any, tmp_path: Path) -> None:
    path = tmp_path / "node"
    foreign = encode_address("tinos", lab.miner.address)
    with pytest.raises(NetworkError) as peer:
        async with open_node(make_settings(lab, path, peers=("nobody",))):
            pass
    with pytest.raises(WalletError) as address:
        async with open_node(make_settings(lab, path, mine=foreign)):
            pass
    assert (peer.value.code, address.value.code) == ("bad-peer", "other-network")
    assert not path.exists()


async def test_two_nodes_connect_and_share_what_one_mines(lab: Any, tmp_path: Path) -> None:
    mine = {"mine": "auto", "purpose": "filler", "filler_rate": 200.0, "filler_rows": 256, "threads": 1}
    async with (
        open_node(make_settings(lab, tmp_path / "a", **mine)) as miner,
        open_node(make_settings(lab, tmp_path / "b", peers=(miner.p2p_address,))) as follower,
        asyncio.timeout(60),
        follower.core.events.subscribe() as events,
    ):
        while follower.core.ledger.tip.header.height < 3:
            await anext(events)
        height = follower.core.ledger.tip.header.height
        assert miner.core.ledger.get_block_id(height) == follower.core.ledger.get_block_id(height)
        assert miner.miner is not None
        assert miner.miner.get_status().filler_tickets > 0
        assert (miner.settings.data_dir / "worker.key").stat().st_mode & 0o077 == 0


async def test_the_rpc_s_names_and_limit_are_the_operator_s_to_set(lab: Any, tmp_path: Path) -> None:
    flags = {"rpc_allowed_hosts": ("node.example",), "rpc_body_limit": 1 << 16}
    body = {"jsonrpc": "2.0", "id": 1, "method": "chain_head"}
    async with open_node(make_settings(lab, tmp_path / "node", **flags)) as node, aiohttp.ClientSession() as session:
        for name, status in (("node.example", 200), ("other.example", 403)):
            async with session.post(node.rpc.url, json=body, headers={"Host": name}) as response:
                assert response.status == status
        for size, status in (((1 << 16) - 200, 200), (1 << 16, 413)):
            async with session.post(node.rpc.url, json=body | {"padding": "x" * size}) as response:
                assert response.status == status


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"network": "testnet"}, "knows no other node: nobody will be found"),
        ({}, "knows no other node: nobody will be found"),
        ({"seeds": (f"{'07' * 32}@127.0.0.1:1",), "discovery": False}, "knows no other node: nobody will be found"),
        ({"mine": "auto", "purpose": "jobs"}, "it mines a chain of its own until others connect"),
        ({"seeds": (f"{'07' * 32}@127.0.0.1:1",)}, ""),
        ({"peers": (f"{'07' * 32}@127.0.0.1:1",), "discovery": False}, ""),
    ],
)
async def test_a_node_says_when_it_will_find_nobody(lab: Any, tmp_path: Path, flags: Any, says: str) -> None:
    async with open_node(make_settings(lab, tmp_path / "node", **flags)) as node:
        lines = [line for line in describe(node).splitlines() if line.startswith("  peers")]
        health = await ask(node.rpc.url, "node_health")
    assert says in "".join(lines)
    assert bool(lines) is bool(says)
    failing = [check["name"] for check in health["checks"] if not check["ok"]]
    is_fault = flags.get("network") == "testnet" or (bool(says) and "seeds" in flags)
    assert ("peers" in failing) is is_fault  # the first node of a devnet may be without peers


async def test_a_data_directory_keeps_its_network(lab: Any, tmp_path: Path) -> None:
    path = tmp_path / "node"
    async with open_node(make_settings(lab, path)) as node:
        genesis = node.core.network.genesis_id
    async with open_node(load_settings({"data_dir": path, "rpc_port": 0, "p2p_port": 0})) as node:
        assert node.core.network.genesis_id == genesis
    (path / "genesis.json").unlink()
    with pytest.raises(NodeError) as unknown:
        async with open_node(load_settings({"data_dir": path, "rpc_port": 0, "p2p_port": 0})):
            pass
    assert (unknown.value.code, "--network" in (unknown.value.hint or "")) == ("network-unknown", True)


@pytest.mark.parametrize("host", ["::1", "::"])
async def test_an_ipv6_address_is_printed_as_it_is_read(lab: Any, tmp_path: Path, host: str) -> None:
    async with open_node(make_settings(lab, tmp_path / "node", p2p_host=host, rpc_host="::1")) as node:
        read = parse_peer_address(node.p2p_address)
        assert (read.id, read.host, read.port) == (node.p2p.node_id, "::1", node.p2p.listen_port)
        assert (await ask(node.rpc.url, "chain_head"))["height"] == 0
