"""Blocks in a line, a block's certificate, and an account's merit and reputation told again from its history."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from inos.consensus.state import compute_reputation
from inos.primitives.blocks import compute_block_id
from inos.primitives.codec import encode
from inos.primitives.transactions import ClaimJob, JobMode, PostJob, sign_transaction
from inos.primitives.units import Height, JobId, Nano, TxId
from inos.rpc.methods.state.replay import replay_reputation
from inos.wallet.addresses import encode_address
from inos.wallet.keys import make_key
from support.fake_node import FEE, WORKER, FakeNode
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


async def post(node: FakeNode) -> TxId:
    job = PostJob(
        x=node.store.put(RNG.integers(-64, 64, (20, 30), dtype=np.int8)),
        w=node.store.put(RNG.integers(-64, 64, (18, 30), dtype=np.int8)),
        reward=Nano(1000),
        bond=node.params.min_bond,
        claim_window=node.params.min_claim_window,
        deadline=5000,
        mode=JobMode.CHECKED,
        max_burn=10**13,
    )
    nonce = node.mempool.next_nonce(ALICE.address, node.ledger.state)
    tx_id = await node.transactions.add(sign_transaction(ALICE.secret, node.params.chain_id, nonce, FEE, job))
    node.mine(ALICE.address)
    return tx_id


async def test_a_standing_leads_to_what_the_state_holds(node: FakeNode, ask: Ask) -> None:
    await post(node)
    node.work_jobs()
    lapsing = await post(node)
    node.act(ClaimJob(JobId(lapsing)))
    for _ in range(node.params.min_claim_window + 2):
        node.mine(ALICE.address)
    node.work_jobs()
    node.mine()
    account = node.ledger.state.get_account(WORKER.address)
    told = await ask("state_getReputationHistory", encode_address(node.network.hrp, WORKER.address))
    height = node.ledger.tip.header.height
    assert told["is_complete"] is True
    assert told["points"][-1] == {
        "height": height,
        "reputation": str(compute_reputation(node.params, account, Height(height))),
    }
    heights = [point["height"] for point in told["points"]]
    assert heights == sorted(set(heights))
    values = [int(point["reputation"]) for point in told["points"]]
    assert any(later < before for before, later in pairwise(values)), "the lapse is not seen"


async def test_a_standing_that_misses_something_says_so(node: FakeNode, ask: Ask) -> None:
    await post(node)
    node.work_jobs()
    node.ledger.history.clear()
    assert replay_reputation(node, WORKER.address)[1] is False


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


async def test_a_certificate_is_the_bytes_that_are_hashed(node: FakeNode, ask: Ask) -> None:
    node.mine()
    header = node.ledger.tip.header
    found = await ask("chain_getCertificate", block=1)
    assert (found["id"], found["header"]) == (compute_block_id(header).hex(), encode(header).hex())
    assert found["witness"] is None
    assert (await ask("chain_getCertificate", block="ab" * 32))["data"]["code"] == "block-unknown"
