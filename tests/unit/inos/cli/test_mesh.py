"""`inos mesh` as typed, and mesh_* below it, against a real RPC server on a node in memory with a real store."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from inos import work
from inos.cli import main as cli
from inos.client.client import Client
from inos.client.errors import ClientError
from inos.core.matrices.service import MatrixService
from inos.core.threads import Threads
from inos.mesh.store import MatrixStore
from inos.primitives.units import MatrixId
from inos.rpc import RpcServer
from support.fake_node import FakeNode
from support.rpc_served import make_fake_node, serve

ARRAYS = [np.random.default_rng(n).integers(-64, 64, (40, 1500), np.int8) for n in range(3)]
IDS = [work.matrix_id(array).hex() for array in ARRAYS]


class StoreNode(FakeNode):
    """A fake node in which everything about matrices is real."""

    store: Any

    def use(self, path: Path) -> None:
        self.threads = Threads()
        self.store = MatrixStore(path)
        self.store.retention.set_needed(())
        self.matrices = MatrixService(self.store, self.events, self.threads, self._on_added)

    async def _on_added(self, matrix: MatrixId) -> None:
        """Do nothing, because no caller waits for a matrix here."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StoreNode]:
    node = StoreNode(make_fake_node(0).network)
    node.use(tmp_path / "matrices")
    yield node
    node.threads.close()


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(node, tmp_path) as server:
        yield server


async def run(server: RpcServer, *arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, cli.app, ["mesh", *arguments, "--rpc", server.url])


async def steer(server: RpcServer, folder: Path, *arguments: str) -> Any:
    return await run(server, *arguments, "--data-dir", str(folder))


async def test_list_and_status(server: RpcServer, node: Any) -> None:
    assert (await run(server, "list")).stdout == "no matrix is stored\n"
    for array in ARRAYS:
        node.store.put(array)
    node.store.retention.pin(MatrixId(bytes.fromhex(IDS[0])))
    node.store.retention.pin(MatrixId(bytes(32)))
    node.store.retention.set_needed([MatrixId(bytes.fromhex(IDS[1]))])
    shown = (await run(server, "list")).stdout
    assert "40 x 1500 int8" in shown
    assert max(len(line) for line in shown.splitlines() if "not fetched" not in line) <= 80
    assert f"{bytes(32).hex()}  pinned, and not fetched yet" in shown
    listed = json.loads((await run(server, "list", "--limit", "2", "--json")).stdout)
    assert [each["id"] for each in listed["matrices"]] == sorted(IDS)[:2]
    assert listed["next"]
    found = {each["id"]: each for each in json.loads((await run(server, "list", "--json")).stdout)["matrices"]}
    kept = [(found[id]["is_pinned"], found[id]["is_needed"]) for id in IDS]
    assert kept == [(True, False), (False, True), (False, False)]
    assert found[IDS[2]]["demand"] > 0.99
    status = json.loads((await run(server, "status", "--json")).stdout)
    assert (status["matrices"], status["pinned"], status["needed"], status["quota"]) == (3, 2, 1, None)
    assert "3, and 0 incomplete" in (await run(server, "status")).stdout


async def test_pin_drop_and_quota(server: RpcServer, node: Any, tmp_path: Path) -> None:
    for array in ARRAYS:
        node.store.put(array)
    assert (await run(server, "pin", IDS[0])).exit_code == 1  # without the token
    assert "pinned" in (await steer(server, tmp_path, "pin", IDS[0])).stdout
    assert "already" in (await steer(server, tmp_path, "pin", IDS[0].upper())).stdout
    refused = await steer(server, tmp_path, "drop", IDS[0])
    assert refused.exit_code == 1
    assert "matrix-kept" in refused.output
    assert (await steer(server, tmp_path, "drop", IDS[1])).exit_code == 0
    assert "matrix-unknown" in (await steer(server, tmp_path, "drop", IDS[1])).output
    assert "no limit" not in (await steer(server, tmp_path, "quota", "100K")).stdout
    assert node.store.list_ids() == [bytes.fromhex(IDS[0])]
    assert "store-full" in (await steer(server, tmp_path, "quota", "10")).output
    assert "no limit" in (await steer(server, tmp_path, "quota", "default")).stdout
    assert "unpinned" in (await steer(server, tmp_path, "unpin", IDS[0])).stdout
    assert "was not pinned" in (await steer(server, tmp_path, "unpin", IDS[0])).stdout
    for bad in (("pin", "12"), ("quota", "many"), ("drop", "z" * 64)):
        assert "bad-" in (await steer(server, tmp_path, *bad)).output


async def test_put_and_get_in_slices(server: RpcServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.client.sender.WHOLE_BYTES", 30_000)
    monkeypatch.setattr("inos.rpc.methods.mesh.matrices.MAX_ANSWER_BYTES", 30_000)
    for module in ("uploads", "downloads"):
        monkeypatch.setattr(f"inos.client.{module}.CHUNK_BYTES", 30_000)
    np.save(tmp_path / "x.npy", ARRAYS[0])
    assert (await run(server, "put", str(tmp_path / "x.npy"))).stdout.strip() == IDS[0]
    assert (await run(server, "put", str(tmp_path / "x.npy"))).stdout.strip() == IDS[0]
    shown = await run(server, "get", IDS[0], "-o", str(tmp_path / "y.npy"), "--wait", "0")
    assert shown.exit_code == 0, shown.output
    assert np.array_equal(np.load(tmp_path / "y.npy"), ARRAYS[0])
    missing = await run(server, "get", IDS[1], "-o", str(tmp_path / "z.npy"), "--wait", "0")
    assert "matrix-unknown" in missing.output
    np.save(tmp_path / "bad.npy", ARRAYS[0].astype(np.int16))
    assert "bad-dtype" in (await run(server, "put", str(tmp_path / "bad.npy"))).output


@pytest.mark.parametrize("length", [0, 5, 100_000])
async def test_any_file_is_put_and_comes_back_as_it_was(
    server: RpcServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr("inos.client.sender.WHOLE_BYTES", 30_000)
    monkeypatch.setattr("inos.rpc.methods.mesh.matrices.MAX_ANSWER_BYTES", 30_000)
    for module in ("uploads", "downloads"):
        monkeypatch.setattr(f"inos.client.{module}.CHUNK_BYTES", 30_000)
    data = np.random.default_rng(length).bytes(length)
    (tmp_path / "module.wasm").write_bytes(data)
    id = (await run(server, "put", str(tmp_path / "module.wasm"))).stdout.strip()
    assert id == work.compute_file_id(data).hex()
    assert f"{length} bytes" in (await run(server, "list")).stdout
    shown = await run(server, "get", id, "-o", str(tmp_path / "back"), "--wait", "0")
    assert shown.stdout == f"{length} bytes written to {tmp_path / 'back'}\n"
    assert (tmp_path / "back").read_bytes() == data


async def test_a_npy_file_is_numbers_unless_bytes_are_asked_for(server: RpcServer, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, ARRAYS[0])
    found = json.loads((await run(server, "put", str(path), "--bytes", "--json")).stdout)
    assert found["id"] == work.compute_file_id(path.read_bytes()).hex()
    assert (found["dtype"], found["size"]) == ("bytes", path.stat().st_size)
    (tmp_path / "x").write_bytes(path.read_bytes())
    assert (await run(server, "put", str(tmp_path / "x"))).stdout.strip() == IDS[0], "it is known by its first bytes"
    np.save(path, ARRAYS[0].astype(float))
    refused = await run(server, "put", str(path))
    assert refused.exit_code == 1
    assert "--bytes" in refused.output
    path.write_bytes(b"text")
    assert "bad-npy" in (await run(server, "put", str(path))).output
    assert (await run(server, "put", str(path), "--bytes")).exit_code == 0
    assert "file-unreadable" in (await run(server, "put", str(tmp_path / "none"))).output


async def test_a_client_puts_and_gets_bytes(server: RpcServer) -> None:
    async with Client(server.url) as client:
        ref = await client.put_bytes(b"hello")
        assert ref == work.compute_file_ref(b"hello")
        assert await client.get_bytes(ref.id.hex()) == b"hello"
        numbers = await client.put_matrix(ARRAYS[0])
        with pytest.raises(ClientError) as caught:
            await client.get_bytes(numbers.id.hex())
    assert caught.value.code == "not-bytes"
