"""chain_getCertificate."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from inos.primitives.blocks import compute_block_id
from inos.primitives.codec import encode
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


async def test_a_certificate_is_the_bytes_that_are_hashed(node: FakeNode, ask: Ask) -> None:
    node.mine()
    header = node.ledger.tip.header
    found = await ask("chain_getCertificate", block=1)
    assert (found["id"], found["header"]) == (compute_block_id(header).hex(), encode(header).hex())
    assert found["witness"] is None
    assert (await ask("chain_getCertificate", block="ab" * 32))["data"]["code"] == "block-unknown"
