"""A template takes a checked result once half of the node's peers hold its matrices, or a block spacing later."""

import asyncio
from typing import Any

import numpy as np
import pytest

from inos import work
from inos.chain.mempool import PoolRejected
from inos.primitives.errors import MatrixMissing
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    PostJob,
    SubmitResult,
    Transaction,
    compute_tx_id,
    sign_transaction,
)
from inos.primitives.units import JobId
from inos.wallet.keys import make_key
from support.sim_node import SimNode
from support.sim_world import TESTNET, World, simulate

POSTER, WORKER = make_key(bytes(31) + b"\x01"), make_key(bytes(31) + b"\x02")
SPACING_S = TESTNET.spacing_ms / 1000
RNG = np.random.default_rng(4)
X = RNG.integers(-64, 64, (32, 1024), np.int8)
W = RNG.integers(-64, 64, (16, 1024), np.int8)
Y = X.astype(np.int32) @ W.T.astype(np.int32)


def sign(key: Any, nonce: int, payload: Any) -> Transaction:
    return sign_transaction(key.secret, TESTNET.chain_id, nonce, 10**7, payload)


async def grow(world: World, node: SimNode) -> None:
    """Add a block on the node's tip, and wait until all have it."""
    block, allowed = await node.draft()
    made = world.mint.seal(block, allowed)
    await node.core.blocks.add(made.block, made.witness)
    await world.until_agreed(world.nodes, 60.0)


async def deliver(world: World, silent: int, peers: int) -> tuple[SimNode, Transaction]:
    """Let a node in the middle of `peers` others have a right result; `silent` of them cannot fetch its matrices."""
    center, *others = world.add_nodes(1 + peers)
    for other in others:
        world.link(other, center)
    for other in others[:silent]:
        other.core.transactions._results.get_verdict = lack_matrices  # type: ignore[method-assign]
    await world.start()
    await world.until(lambda: len(center.peer_ids) == peers, 30.0)
    order = PostJob(work.matrix_ref(X), work.matrix_ref(W), 10**9, 10**9, 20, 1000, JobMode.CHECKED, 10**9)
    post = sign(POSTER, 0, order)
    job = JobId(compute_tx_id(post))
    for array in (X, W, Y):
        await center.core.matrices.put(array)
    await center.core.transactions.add(post)
    await grow(world, center)
    await center.core.transactions.add(sign(WORKER, 0, ClaimJob(job)))
    await grow(world, center)
    result = sign(WORKER, 1, SubmitResult(job, work.matrix_ref(Y)))
    await center.core.transactions.add(result)
    return center, result


def lack_matrices(product: Any) -> bool:
    raise MatrixMissing([product.y.id])


async def measure_wait(node: SimNode, tx: Transaction) -> float:
    """Return the virtual seconds until the node's template takes the transaction."""
    began = node.clock.monotonic()
    while tx not in (await node.draft())[0].transactions:
        assert node.clock.monotonic() < began + 2 * SPACING_S
        await asyncio.sleep(0.25)
    return node.clock.monotonic() - began


def run(silent: int, peers: int) -> float:
    """Return how long the result waited."""

    async def scenario(world: World) -> float:
        return await measure_wait(*await deliver(world, silent, peers))

    return simulate(scenario, 1, accounts=(POSTER.address, WORKER.address))


def test_without_peers_a_result_is_taken_at_once() -> None:
    assert run(silent=0, peers=0) == 0


def test_a_result_waits_until_half_of_the_peers_hold_its_matrices() -> None:
    assert 0 < run(silent=2, peers=4) < SPACING_S / 2


def test_a_result_that_too_few_peers_hold_waits_for_a_block_spacing() -> None:
    assert run(silent=3, peers=4) == pytest.approx(SPACING_S, abs=0.25)


def test_a_peer_that_leaves_is_not_waited_for() -> None:
    async def scenario(world: World) -> float:
        node, result = await deliver(world, silent=3, peers=4)
        assert result not in (await node.draft())[0].transactions
        for other in world.nodes[1:3]:
            await other.stop()
        return await measure_wait(node, result)

    assert simulate(scenario, 2, accounts=(POSTER.address, WORKER.address)) < SPACING_S / 2


def test_sending_a_result_again_does_not_make_it_wait_longer() -> None:
    async def scenario(world: World) -> float:
        node, result = await deliver(world, silent=4, peers=4)
        await asyncio.sleep(SPACING_S * 0.75)
        with pytest.raises(PoolRejected):
            await node.core.transactions.add(result)
        return await measure_wait(node, result)

    assert simulate(scenario, 3, accounts=(POSTER.address, WORKER.address)) == pytest.approx(SPACING_S / 4, abs=0.5)
