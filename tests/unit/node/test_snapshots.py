"""Tests copies of a node: of a running one, of a stopped one, interrupted, refused; and another node started on
a copy.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inos.client.client import Client
from inos.core.errors import NodeError
from inos.node.copying import copy_node
from inos.node.node import Node, open_node
from inos.node.settings import NodeSettings, load_settings
from inos.primitives.errors import InosError
from support.commands import start_inos
from support.disks import fill_disk, small_disk

KEYS = {"node.key", "voter.key", "voter.journal", "worker.key", "rpc.token"}


def make_settings(lab: Any, path: Path) -> NodeSettings:
    return load_settings({"network": str(lab.genesis_file), "data_dir": path, "rpc_port": 0, "p2p_port": 0})


async def run_inos(*arguments: str) -> tuple[int, str]:
    """Run the command as a process of its own, and return its output."""
    process = await start_inos(*arguments)
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def ask(node: Node, method: str, **params: Any) -> Any:
    token = (node.settings.data_dir / "rpc.token").read_text().strip()
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(node.rpc.url, json=body, headers=headers) as response,
    ):
        return await response.json()


async def test_a_running_node_is_copied_and_another_starts_on_the_copy(lab: Any, tmp_path: Path) -> None:
    network = ("--network", str(lab.genesis_file))
    target, source = tmp_path / "copy", tmp_path / "node"
    async with open_node(make_settings(lab, source), lab.clock) as node:
        await lab.extend(node.core)
        await lab.extend(node.core)
        ref = await node.core.matrices.put(lab.x)
        await node.core.matrices.pin(ref.matrix_id)
        code, printed = await run_inos("snapshot", str(target), "--data-dir", str(source), *network, "--json")
        assert code == 0, printed
        answer = json.loads(printed)
        assert (answer["height"], answer["matrices"], answer["path"]) == (2, 1, str(target))
        assert answer["bytes"] > 1000
        tip = node.core.ledger.tip.id
        await lab.extend(node.core)
        code, printed = await run_inos("snapshot", str(target), "--data-dir", str(source), *network, "--json")
        assert (code, json.loads(printed)["error"]["code"]) == (1, "target-exists")
    assert not KEYS & {path.name for path in target.iterdir()}
    assert target.stat().st_mode & 0o077 == 0
    async with open_node(make_settings(lab, target), lab.clock) as node, Client(node.rpc.url) as client:
        assert (await client.head()).id == tip.hex()
        assert node.core.matrices.store.retention.list_pins() == [ref.matrix_id]
        assert (node.core.matrices.store.get(ref.matrix_id) == lab.x).all()


async def test_a_stopped_node_is_copied(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "node"), lab.clock) as node:
        await lab.extend(node.core)
        await node.core.matrices.put(lab.x)
    typed = ("snapshot", str(tmp_path / "copy"), "--no-matrices", "--network", str(lab.genesis_file))
    code, printed = await run_inos(*typed, "--data-dir", str(tmp_path / "node"))
    assert code == 0, printed
    assert "0 matrices, checked up to height 1" in printed
    _, printed = await run_inos("snapshot", str(tmp_path / "c"), "--data-dir", str(tmp_path / "no"), "--json")
    assert json.loads(printed)["error"]["code"] == "no-database"


async def test_what_the_rpc_refuses_and_how_failures_are_told(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "node"), lab.clock) as node:
        async with Client(node.rpc.url) as client:
            with pytest.raises(InosError) as error:
                await client.call("node_snapshot", path=str(tmp_path / "x"))
        assert error.value.code == "unauthorized"
        assert (await ask(node, "node_snapshot", path="here"))["error"]["data"]["code"] == "bad-path"
        assert (await ask(node, "node_snapshotStatus"))["result"]["state"] == "none"
        (tmp_path / "file").write_text("")
        for place, code in (("node", "target-exists"), ("file", "target-exists"), ("file/copy", "target-unusable")):
            begun = (await ask(node, "node_snapshot", path=str(tmp_path / place)))["result"]
            assert begun["state"] == "running"
            await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "snapshot"))
            status = (await ask(node, "node_snapshotStatus"))["result"]
            assert (status["state"], status["error"]["code"]) == ("failed", code)
        assert (tmp_path / "node" / "ledger").is_dir()


async def test_a_copy_to_a_full_disk_says_so_and_leaves_nothing(lab: Any, tmp_path: Path) -> None:
    async with open_node(make_settings(lab, tmp_path / "node")) as node:
        with small_disk(tmp_path / "disk", 1 << 20) as disk:
            filler = fill_disk(disk)
            os.truncate(filler, filler.stat().st_size - (16 << 10))
            with pytest.raises(InosError) as refused:
                copy_node(node.core.ledger, node.core.matrices.store, node.core.genesis_id, disk / "copy", be_quiet)
            assert refused.value.code in ("target-unusable", "database-io")
            assert [path.name for path in disk.iterdir()] == ["filler"]
            assert node.core.ledger.database.trouble is None, "the node's own disk is well"
            filler.unlink()
            copy_node(node.core.ledger, node.core.matrices.store, node.core.genesis_id, disk / "copy", be_quiet)


def be_quiet(what: str, done: int, of: int) -> None:
    """Show no progress."""


async def test_a_copy_that_is_broken_off_leaves_nothing(lab: Any, tmp_path: Path) -> None:
    core = lab.open("node")
    await core.matrices.put(lab.x)
    (tmp_path / "copy.part").mkdir()
    (tmp_path / "copy.part" / "old").write_text("of a copy that was killed")

    def break_off(step: str, done: int, of: int) -> None:
        if step == "matrices":
            raise NodeError("copy-stopped", "a test")

    with pytest.raises(NodeError):
        copy_node(core.ledger, core.matrices.store, core.genesis_id, tmp_path / "copy", break_off)
    assert not {"copy", "copy.part"} & set(os.listdir(tmp_path))
    made = copy_node(core.ledger, core.matrices.store, core.genesis_id, tmp_path / "copy", lambda *_: None)
    assert made.matrices == 1
