"""chain_listBlocks."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from inos.wallet.keys import make_key
from support.fake_node import WORKER, FakeNode
from support.rpc_served import Ask, ask_server, make_fake_node, serve

ALICE = make_key(bytes(31) + b"\x01")
RNG = np.random.default_rng(6)


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(10**12, ALICE.address, WORKER.address)


@pytest.fixture
async def ask(node: FakeNode, tmp_path: Path) -> AsyncIterator[Ask]:
    async with serve(node, tmp_path) as server, ask_server(server, tmp_path) as asked:
        yield asked


async def test_blocks_are_listed_from_the_tip_down_in_pages(node: FakeNode, ask: Ask) -> None:
    for _ in range(5):
        node.mine()
    page = await ask("chain_listBlocks", limit=4)
    assert ([block["height"] for block in page["blocks"]], page["next"]) == ([5, 4, 3, 2], 1)
    last = await ask("chain_listBlocks", first=page["next"], limit=4)
    assert ([block["height"] for block in last["blocks"]], last["next"]) == ([1, 0], None)
    assert (last["blocks"][1]["product"], last["blocks"][1]["weight"]) == (None, None)
    newest = page["blocks"][0]
    assert (newest["parent"], newest["spacing_ms"]) == (page["blocks"][1]["id"], node.params.spacing_ms)
    assert (await ask("chain_listBlocks", first=99))["data"]["code"] == "block-unknown"
