"""A node that syncs from genesis takes old results as checked, once a sample of witnesses shows the work above them.

The bytes of the result are nowhere: the nodes of the network checked it long ago, and forgot its matrices.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from inos.consensus.records import JobState
from inos.primitives.matrices import DType, Product, Witness, make_matrix_ref
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    PostJob,
    SubmitResult,
    Transaction,
    compute_tx_id,
    sign_transaction,
)
from inos.primitives.units import BlockId, Hash, JobId
from inos.wallet.keys import make_key
from support.sim_node import SimNode
from support.sim_world import TESTNET, World, simulate

POSTER, WORKER = make_key(bytes(31) + b"\x01"), make_key(bytes(31) + b"\x02")
RULES = msgspec.structs.replace(TESTNET, result_depth=10)
ABOVE = 30
"""Blocks above the result."""
X, W = (make_matrix_ref(DType.INT7, 16, 64, Hash(bytes([n]) * 32)) for n in (1, 2))
Y = make_matrix_ref(DType.INT32, 16, 16, Hash(b"\3" * 32))
LIMIT_S = 300.0


class Port:
    """A node's port with other answers in place of some of the ledger's."""

    def __init__(self, node: SimNode, **answers: Any) -> None:
        self._core = node.core
        self.ledger = Ledger(node.ledger, answers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


class Ledger:
    def __init__(self, ledger: Any, answers: dict[str, Any]) -> None:
        self._ledger = ledger
        self.__dict__.update(answers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def sign(key: Any, nonce: int, payload: Any) -> Transaction:
    return sign_transaction(key.secret, RULES.chain_id, nonce, 10**7, payload)


async def make_history(world: World, nodes: Sequence[SimNode]) -> JobId:
    """Let nodes have a chain with a settled job at its beginning, whose matrices nobody has any more."""
    post = sign(POSTER, 0, PostJob(X, W, 10**9, 10**9, 20, 1000, JobMode.CHECKED, 10**9))
    job = JobId(compute_tx_id(post))
    steps = {0: post, 1: sign(WORKER, 0, ClaimJob(job)), 2: sign(WORKER, 1, SubmitResult(job, Y))}
    for node in nodes:
        node.core.transactions._results.known.add(Product(job, X, W, Y), True)
    for height in range(3 + ABOVE):
        await asyncio.sleep(RULES.spacing_ms / 1000)
        if height in steps:
            await nodes[0].core.transactions.add(steps[height])
        block, allowed = await nodes[0].draft()
        made = world.mint.seal(block, allowed)
        for node in nodes:
            await node.core.blocks.add(made.block, made.witness)
    state = nodes[0].ledger.state.get_job(job)
    assert state is not None
    assert state.state is JobState.SETTLED
    return job


def test_a_newcomer_executes_everything_and_asks_for_no_old_matrix() -> None:
    async def scenario(world: World) -> None:
        honest = world.add_nodes(3)
        job = await make_history(world, honest)
        newcomer = world.add_node()
        world.link(newcomer, *honest)
        await world.start()
        took = await world.until(lambda: newcomer.ledger.tip.id == honest[0].ledger.tip.id, LIMIT_S)
        print(f"in step after {took:.0f} s")
        found = newcomer.ledger.state.get_job(job)
        assert found is not None
        assert found.state is JobState.SETTLED
        assert world.count_bans(world.nodes) == 0

    simulate(scenario, 1, params=RULES, accounts=(POSTER.address, WORKER.address))


def test_a_peer_with_false_witnesses_is_banned_and_others_are_asked() -> None:
    async def scenario(world: World) -> None:
        def lie(node: SimNode) -> Any:
            keep = node.ledger.get_witness

            def get_witness(block: BlockId) -> Witness | None:
                found = keep(block)
                return None if found is None else msgspec.structs.replace(found, x_strip=bytes(len(found.x_strip)))

            return Port(node, get_witness=get_witness)

        honest, liar = world.add_nodes(2), world.add_node(wrap=lie)
        await make_history(world, [*honest, liar])
        newcomer = world.add_node()
        world.link(newcomer, *honest, liar)
        await world.start()
        await world.until(lambda: newcomer.ledger.tip.id == honest[0].ledger.tip.id, LIMIT_S)
        assert world.count_bans([liar]) == 1
        assert world.count_bans(honest) == 0

    simulate(scenario, 2, params=RULES, accounts=(POSTER.address, WORKER.address))


def test_a_chain_whose_work_nobody_shows_vouches_for_nothing() -> None:
    """The witnesses of the upper half are withheld: the node stays below the result that it cannot check."""

    async def scenario(world: World) -> None:
        def withhold(node: SimNode) -> Any:
            keep = node.ledger.get_witness

            def get_witness(block: BlockId) -> Witness | None:
                header = node.ledger.get_header(block)
                return None if header is None or header.height > 3 + ABOVE // 2 else keep(block)

            return Port(node, get_witness=get_witness)

        peers = [world.add_node(wrap=withhold) for _ in range(3)]
        await make_history(world, peers)
        newcomer = world.add_node()
        world.link(newcomer, *peers)
        await world.start()
        await asyncio.sleep(LIMIT_S)
        assert newcomer.ledger.best_header.header.height == 3 + ABOVE
        assert newcomer.ledger.tip.header.height == 2

    simulate(scenario, 3, params=RULES, accounts=(POSTER.address, WORKER.address))
