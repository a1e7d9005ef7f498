"""state_getReputationHistory."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from inos.consensus.state import compute_reputation
from inos.primitives.transactions import ClaimJob, JobMode, PostJob, sign_transaction
from inos.primitives.units import Height, JobId, Nano, TxId
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
    tx_id = await node.transactions.send(sign_transaction(ALICE.secret, node.params.chain_id, nonce, FEE, job))
    node.mine(ALICE.address)
    return tx_id


async def test_the_points_lead_to_the_values_in_the_state(node: FakeNode, ask: Ask) -> None:
    await post(node)
    node.work_jobs()
    lapsing = await post(node)
    node.act(ClaimJob(JobId(lapsing)))
    for _ in range(node.params.min_claim_window + 2):
        node.mine(ALICE.address)
    node.work_jobs()
    node.mine()
    account = node.ledger.state.get_account(WORKER.address)
    found = await ask("state_getReputationHistory", encode_address(node.network.hrp, WORKER.address))
    height = node.ledger.tip.header.height
    assert found["is_complete"] is True
    assert found["points"][-1] == {
        "height": height,
        "reputation": str(compute_reputation(node.params, account, Height(height))),
    }
    heights = [point["height"] for point in found["points"]]
    assert heights == sorted(set(heights))
    values = [int(point["reputation"]) for point in found["points"]]
    assert any(later < before for before, later in pairwise(values)), "the lapse is not seen"


async def test_an_incomplete_history_says_so(node: FakeNode, ask: Ask) -> None:
    await post(node)
    node.work_jobs()
    node.mine()
    node.ledger.history.clear()
    found = await ask("state_getReputationHistory", encode_address(node.network.hrp, WORKER.address))
    assert found["is_complete"] is False
