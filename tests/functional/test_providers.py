"""Three real nodes are connected in a line, and the last one wants a matrix that only the first has."""

import base64
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from support.cluster import ask, await_that

COMMON = ("--network", "devnet", "--no-discovery", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json")


@pytest.mark.timeout(120)
async def test_a_matrix_is_found_beyond_the_connected_peers(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *peers: str) -> RunningNode:
            node = await start_node(NodeSpec(name, tmp_path / name, COMMON), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        async def get_routing(node: RunningNode) -> Any:
            return (await ask(node.rpc_url, "net_status"))["routing"]

        middle = await start("middle")
        first = await start("first", middle.p2p_address)
        array = np.random.default_rng(1).integers(-64, 64, (600, 5000), np.int8)
        stored = await ask(
            first.rpc_url,
            "mesh_put",
            {"data": base64.b64encode(array.tobytes()).decode(), "dtype": "int8", "rows": 600, "cols": 5000},
        )

        async def is_recorded() -> bool:
            return bool((await get_routing(middle))["records"])

        await await_that("the middle node keeps record of the matrix", is_recorded, 30)
        last = await start("last", middle.p2p_address)

        async def get_peers() -> list[str]:
            return [peer["id"] for peer in (await ask(last.rpc_url, "net_peers"))["peers"]]

        assert await await_that("a link", get_peers, 30) == [middle.p2p_address.split("@")[0]]
        fetched = await ask(last.rpc_url, "mesh_get", {"id": stored["id"], "wait_s": 25})
        assert base64.b64decode(fetched["data"]) == array.tobytes()

        # The middle node never stored it. It knows two nodes that do, and has both prove it before it names them.
        async def find() -> Any:
            found = await ask(middle.rpc_url, "net_findProviders", {"id": stored["id"]})
            return found if found["count"] == 2 else None

        found = await await_that("both providers", find, 30)
        expected = {tuple(node.p2p_address.split("@")) for node in (first, last)}
        assert {(each["id"], f"{each['host']}:{each['port']}") for each in found["providers"]} == expected
        assert (await get_routing(middle))["provided"] == 0
