"""Test the matrix store of real nodes: quota and pins, a damaged disk, a full disk, and a fetch interrupted by
a kill.
"""

import asyncio
import base64
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from inos import work
from inos.cli import main as cli
from inos.mesh.store import MatrixStore
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from support.cluster import RpcFailed, ask, await_that

pytestmark = pytest.mark.long

COMMON = ("--network", "devnet", "--no-discovery", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json")
Start = Callable[..., Awaitable[RunningNode]]


def make_array(seed: int, rows: int = 512, cols: int = 2048) -> NDArray[np.int8]:
    """Return a matrix of one MiB."""
    return np.random.default_rng(seed).integers(-64, 64, (rows, cols), np.int8)


async def put(node: RunningNode, array: NDArray[Any]) -> str:
    data = base64.b64encode(array.tobytes()).decode()
    asked = {"data": data, "dtype": array.dtype.name, "rows": array.shape[0], "cols": array.shape[1]}
    return str((await ask(node.rpc_url, "mesh_put", asked))["id"])


async def list_held(node: RunningNode) -> dict[str, Any]:
    found = await ask(node.rpc_url, "mesh_list", {"limit": 1000})
    return {each["id"]: each for each in found["matrices"]}


async def run_mesh(node: RunningNode, *arguments: str) -> str:
    """Return what a command prints."""
    typed = ["mesh", *arguments, "--rpc", node.rpc_url]
    return str((await asyncio.to_thread(CliRunner().invoke, cli.app, typed)).stdout)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with contextlib.AsyncExitStack() as stack:

        async def start_one(name: str, *peers: str, flags: tuple[str, ...] = (), prefix: tuple[str, ...] = ()) -> Any:
            node = await start_node(NodeSpec(name, tmp_path / name, COMMON + flags, prefix), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        yield start_one


@pytest.mark.timeout(120)
async def test_a_quota_is_kept_and_pins_outlive_a_restart(start: Start) -> None:
    node = await start("one", flags=("--mesh-quota", "3500KiB"))
    token = node.read_token()
    first = await put(node, make_array(1))
    second = await put(node, make_array(2))
    assert (await ask(node.rpc_url, "mesh_pin", {"id": first}, token))["is_changed"]
    third, fourth = await put(node, make_array(3)), await put(node, make_array(4))
    assert await list_held(node) == {id: each for id, each in (await list_held(node)).items() if id != second}
    with pytest.raises(RpcFailed) as caught:
        await put(node, make_array(5, 2048))
    assert caught.value.code == "store-full"
    assert set(await list_held(node)) == {first, third, fourth}
    with pytest.raises(RpcFailed) as caught:
        await ask(node.rpc_url, "mesh_drop", {"id": first}, token)
    assert caught.value.code == "matrix-kept"
    status = await ask(node.rpc_url, "mesh_setQuota", {"bytes": 2_300_000}, token)
    assert (status["quota"], status["matrices"], status["evicted"]) == (2_300_000, 2, 2)
    await stop_process(node.process)

    again = await start("one", flags=("--mesh-quota", "3500KiB"))
    assert {id: each["is_pinned"] for id, each in (await list_held(again)).items()} == {first: True, fourth: False}
    assert (await ask(again.rpc_url, "mesh_status"))["quota"] == 2_300_000


@pytest.mark.timeout(120)
async def test_what_the_disk_spoils_is_found_and_fetched_again(start: Start, tmp_path: Path) -> None:
    array = make_array(7, 4096)
    matrix = work.matrix_id(array).hex()
    for name in ("source", "other"):
        MatrixStore(tmp_path / name / "matrices").put(array)
    (file,) = (tmp_path / "other" / "matrices").rglob("*.matrix")
    whole = file.read_bytes()
    source = await start("source")
    os.truncate(file, len(whole) - 2_000_000)  # shorter than its shape says
    other = await start("other", source.p2p_address, flags=("--mesh-scrub-rate", "256MiB"))

    async def is_mended(damaged: int) -> bool:
        status = await ask(other.rpc_url, "mesh_status")
        return bool((await list_held(other))[matrix]["is_complete"] and status["damaged"] == damaged)

    await await_that("the short file is whole again", lambda: is_mended(1), 30)
    assert file.read_bytes() == whole
    with file.open("r+b") as opened:  # one bit changes on disk while the node runs
        opened.seek(-1000, os.SEEK_END)
        byte = opened.read(1)[0]
        opened.seek(-1000, os.SEEK_END)
        opened.write(bytes([byte ^ 4]))
    await await_that("the scrubber has found it, and it is mended", lambda: is_mended(2), 30)
    assert file.read_bytes() == whole
    (peer,) = (await ask(other.rpc_url, "net_peers"))["peers"]
    assert 2_000_000 < peer["bytes_received"] < 5_500_000  # only the damaged runs, and not all eight


@pytest.mark.timeout(120)
async def test_files_come_from_another_node_as_they_were_put(start: Start, tmp_path: Path) -> None:
    source = await start("source")
    other = await start("other", source.p2p_address)
    for number, length in enumerate((0, 5, 3_000_001)):
        path, back = tmp_path / f"{number}.wasm", tmp_path / f"{number}.back"
        path.write_bytes(np.random.default_rng(number).bytes(length))
        id = (await run_mesh(source, "put", str(path))).strip()
        assert await run_mesh(other, "get", id, "-o", str(back)) == f"{length} bytes written to {back}\n"
        assert back.read_bytes() == path.read_bytes()


@pytest.mark.timeout(120)
async def test_a_full_disk_is_told_and_nothing_is_lost(start: Start, tmp_path: Path) -> None:
    """Limit the files of the node to 3 MB, as if the disk were full."""
    node = await start("one", prefix=("prlimit", "--fsize=3000000"))
    kept = await put(node, make_array(1))
    with pytest.raises(RpcFailed) as caught:
        await put(node, make_array(2, 2048))
    assert caught.value.code == "disk-full"
    source = await start("source")
    large = await put(source, make_array(3, 2048))
    await stop_process(node.process)
    node = await start("one", source.p2p_address, prefix=("prlimit", "--fsize=3000000"))
    with pytest.raises(RpcFailed) as caught:
        await ask(node.rpc_url, "mesh_get", {"id": large, "wait_s": 20})
    assert caught.value.code == "disk-full"
    assert base64.b64decode((await ask(node.rpc_url, "mesh_get", {"id": kept}))["data"]) == make_array(1).tobytes()
    small = await put(source, make_array(4))
    assert (await ask(node.rpc_url, "mesh_get", {"id": small, "wait_s": 20}))["rows"] == 512
    assert set(await list_held(node)) == {kept, small}


@pytest.mark.timeout(120)
async def test_a_killed_fetch_goes_on_where_it_was_from_two_nodes(start: Start, tmp_path: Path) -> None:
    array = make_array(9, 49_152)
    ref = MatrixStore(tmp_path / "a" / "matrices").put(array)
    MatrixStore(tmp_path / "b" / "matrices").put(array)
    sources = [await start("a"), await start("b")]
    addresses = [source.p2p_address for source in sources]
    node = await start("new", *addresses)
    token = node.read_token()
    await ask(node.rpc_url, "mesh_pin", {"id": ref.id.hex()}, token)
    part = tmp_path / "new" / "matrices" / ref.id.hex()[:2] / f"{ref.id.hex()}.part"

    def wait_begun() -> bool:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError), part.open("rb") as file:
                file.seek(64)
                if any(file.read(32 * 64 * 16)):  # leaves of one of the first 16 runs
                    return True
            time.sleep(0.002)
        return False

    assert await asyncio.to_thread(wait_begun)
    node.process.send_signal(signal.SIGKILL)
    await node.process.wait()
    assert part.exists()

    again = await start("new", *addresses)  # the pin alone makes the fetch continue

    async def is_whole() -> bool:
        return bool((await list_held(again)).get(ref.id.hex(), {}).get("is_complete"))

    await await_that("the matrix is whole", is_whole, 60)
    received = [peer["bytes_received"] for peer in (await ask(again.rpc_url, "net_peers"))["peers"]]
    assert len(received) == 2
    assert min(received) > 5_000_000
    assert sum(received) < array.nbytes
    await stop_process(again.process)
    found = MatrixStore(tmp_path / "new" / "matrices").get(ref.matrix_id)
    assert found is not None
    assert np.array_equal(found, array)


@pytest.mark.timeout(150)
async def test_copies_of_what_is_promised_are_made_and_made_again(start: Start, tmp_path: Path) -> None:
    """With seven nodes, a pin on one makes four copies; when two holders are killed, there are four again."""
    names = [f"n{number}" for number in range(7)]
    nodes: list[RunningNode] = []
    for name in names:
        nodes.append(await start(name, *(node.p2p_address for node in nodes), flags=("--mesh-check-s", "1")))
    matrix = await put(nodes[0], make_array(1))
    other = await put(nodes[0], make_array(2))
    await ask(nodes[0].rpc_url, "mesh_pin", {"id": matrix}, nodes[0].read_token())

    async def find_holders() -> list[RunningNode]:
        held = [(node, await list_held(node)) for node in nodes]
        return [node for node, found in held if found.get(matrix, {}).get("is_complete")]

    async def has_copies() -> Any:
        found = await find_holders()
        return found if len(found) >= 4 else None

    holders = await await_that("four copies", has_copies, 40)
    for node in [node for node in holders if node is not nodes[0]][:2]:
        node.process.send_signal(signal.SIGKILL)
        await node.process.wait()
        nodes.remove(node)
    await await_that("four copies again", has_copies, 40)
    assert [node.name for node in nodes if other in await list_held(node)] == ["n0"]  # nobody needs more of this matrix
