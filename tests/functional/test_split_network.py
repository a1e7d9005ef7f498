"""Three real nodes are split in two and mine on both sides; when reconnected, they agree on one chain and lose no
transaction.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from inos.client.client import Client
from inos.devnet.chaos.relay import Relay, lead_to
from inos.devnet.intro import DEV_PHRASE
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key, derive_key, make_key
from support.cluster import RpcFailed, ask, await_final, await_height, await_one_tip, await_that, get_height

COMMON = (
    "--network",
    "devnet",
    "--no-discovery",
    "--rpc-port",
    "0",
    "--p2p-port",
    "0",
    "--threads",
    "1",
    "--log-format",
    "json",
)
STRANGER = make_key(bytes(31) + b"\x09")
RIVAL = make_key(bytes(31) + b"\x0a")


def make_address(key: Key) -> str:
    return encode_address("dinos", key.address)


async def is_included(url: str, tx: str) -> bool:
    answer: dict[str, Any] = await ask(url, "chain_getTransaction", {"id": tx})
    return answer["status"] == "included"


async def await_included(node: RunningNode, tx: str) -> None:
    await await_that(f"{tx} on the chain of {node.name}", lambda: is_included(node.rpc_url, tx), 150)


def split_address(address: str, port: int) -> str:
    """Return the same node's address through the proxy."""
    return f"{address.split('@')[0]}@127.0.0.1:{port}"


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_split_network_heals_to_one_chain(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *flags: str, peers: tuple[str, ...] = ()) -> RunningNode:
            node = await start_node(NodeSpec(name, tmp_path / name, (*COMMON, *flags)), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        left = await start("left", "--mine", "auto", "--filler-rate", "8000")
        # All traffic between `left` and the other side passes through one proxy.
        bridge = await stack.enter_async_context(Relay(lead_to(int(left.p2p_address.rsplit(":", 1)[1]))))
        across = split_address(left.p2p_address, bridge.port)
        right = await start("right", "--mine", "auto", "--filler-rate", "16000", peers=(across,))
        follower = await start("follower", peers=(right.p2p_address, across))
        urls = [node.rpc_url for node in (left, right, follower)]

        dev = derive_key(DEV_PHRASE)
        left_client = await stack.enter_async_context(Client(left.rpc_url, wallet=dev))
        right_client = await stack.enter_async_context(Client(right.rpc_url, wallet=dev))
        funding = await left_client.transfer(make_address(STRANGER), "100")
        for node in (left, right):
            await await_included(node, funding)
        stranger = await stack.enter_async_context(Client(right.rpc_url, wallet=STRANGER))
        # A network that is split before it has a final block may keep two final chains: see decision 62.
        for node in (left, right):
            await await_final(node.rpc_url, 0)

        bridge.cut()
        # Different accounts spend on each side: both transfers stay valid and must be on the final chain.
        on_left = await left_client.transfer(make_address(RIVAL), "1")
        on_right = await stranger.transfer(make_address(RIVAL), "2")
        await await_included(left, on_left)
        await await_included(right, on_right)
        start_left, start_right = await get_height(left.rpc_url), await get_height(right.rpc_url)
        await asyncio.gather(await_height(left.rpc_url, start_left + 3), await_height(right.rpc_url, start_right + 5))
        heads = [await ask(url, "chain_head") for url in urls]
        assert heads[0]["id"] != heads[1]["id"], "the two sides did not part"
        with pytest.raises(RpcFailed, match="transaction-unknown"):
            await ask(right.rpc_url, "chain_getTransaction", {"id": on_left})

        bridge.heal()
        for node in (left, right, follower):
            await await_included(node, on_left)
            await await_included(node, on_right)
        for node in (right, left):  # of two branches of one weight, only another block decides
            await ask(node.rpc_url, "miner_stop", token=node.read_token())
            await await_one_tip(urls)
        balances = {(await ask(url, "state_getAccount", {"address": make_address(RIVAL)}))["balance"] for url in urls}
        assert balances == {"2999900000"}, "the first transfer to a new account burns its fee"
        for url in urls:
            assert (await ask(url, "state_supply", {"audit": True}))["is_conserved"]
        assert (await right_client.account()).nonce == 2
