"""Six real nodes, each of which knows one seed, find and remember each other and stay connected without the seed."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from support.cluster import ask, await_height, await_that

COMMON = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--threads", "1", "--log-format", "json")


async def get_peers(node: RunningNode) -> list[dict[str, Any]]:
    return list((await ask(node.rpc_url, "net_peers"))["peers"])


async def await_links(nodes: list[RunningNode], least: int) -> None:
    async def are_linked() -> bool:
        found = await asyncio.gather(*(get_peers(node) for node in nodes))
        return all(len(peers) >= least for peers in found)

    await await_that(f"{least} peers each", are_linked, 60)


@pytest.mark.timeout(240)
async def test_nodes_that_know_one_seed_become_a_network_without_it(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *flags: str) -> RunningNode:
            node = await start_node(NodeSpec(name, tmp_path / name, (*COMMON, *flags)))
            stack.push_async_callback(stop_process, node.process)
            return node

        seed = await start("seed")
        mining = ("--mine", "auto", "--filler-rate", "8000")
        # The last node has only one slot, so its anchor is known and no other node takes the slot by dialling first.
        alone = ("--max-outbound", "1", "--max-inbound", "0")
        plans = [("b", mining), ("c", ()), ("d", ()), ("e", ()), ("f", alone)]
        others = list(await asyncio.gather(*(start(n, "--seed", seed.p2p_address, *flags) for n, flags in plans)))
        await await_links(others[:-1], 2)
        await await_links(others[-1:], 1)
        status = await ask(others[0].rpc_url, "net_status")
        assert (status["reachability"], status["observed_host"]) == ("public", "127.0.0.1")
        assert status["announced"] == others[0].p2p_address

        async def knows_others() -> bool:
            found = await ask(others[-1].rpc_url, "net_addresses", token=others[-1].read_token())
            return int(found["count"]) >= 4

        await await_that("the last node has heard of the others", knows_others, 60)
        await stop_process(seed.process)
        start_height = int((await ask(others[1].rpc_url, "chain_head"))["height"])
        await asyncio.gather(*(await_height(node.rpc_url, start_height + 3, 60) for node in others))

        last = others[-1]

        async def get_anchor() -> Any:
            found = [peer["id"] for peer in await get_peers(last) if peer["kind"] == "outbound"]
            return found[0] if found and found[0] != seed.node_id else None

        anchor = await await_that("an outbound peer of the last node", get_anchor, 60)
        await stop_process(last.process)
        again = await start("f", *alone)
        assert (await ask(again.rpc_url, "net_addresses", token=again.read_token()))["count"] >= 4

        async def has_anchor() -> bool:
            return any(peer["id"] == anchor and peer["kind"] == "outbound" for peer in await get_peers(again))

        await await_that("the anchor of the last run", has_anchor, 30)
