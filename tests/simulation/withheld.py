"""Blocks that are announced and never served, and results whose matrices only the miner has."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from inos.consensus.records import JobState
from inos.network.link import Link
from inos.network.wire.base import Message
from inos.network.wire.chain import AnnounceBlock
from inos.primitives.transactions import SubmitResult, compute_tx_id
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId
from inos.wallet.build import make_claim, make_post_job, make_result, sign_payload
from inos.wallet.keys import Key, make_key
from simulation.common import MINERS, check_honest, compare_with_quiet, make_network, make_params, mine_evenly
from simulation.report import Report, format_s
from support.sim_attacker import Attacker
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S = 5.0
SHARE = 0.3
"""The part of the hash rate on the withholder's side."""
FEE = 10_000


class Withholder(Attacker):
    """A miner that announces its blocks to everybody and serves their bodies to nobody."""

    def __init__(self, world: World, number: int, brain: SimNode) -> None:
        super().__init__(world, number)
        self.brain = brain
        self.withheld: list[BlockId] = []

    async def mine(self, mean_s: float) -> None:
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / mean_s))
            block, allowed = await self.brain.draft()
            made = self.world.mint.seal(block, allowed)
            self.withheld.append(made.id)
            for link in tuple(self.links.values()):
                await self.send(link, AnnounceBlock(made.block.header))

    async def on_message(self, link: Link, message: Message) -> None:
        """Answer no request."""


def run_withheld_blocks(seed: int, count: int, seconds: float = 90.0) -> Report:
    """A miner with 30 % of the work withholds every body, while it is directly connected to all nodes."""

    async def scenario(world: World) -> Report:
        withholders: list[Withholder] = []

        async def attack(world: World, nodes: Sequence[SimNode]) -> None:
            brain = nodes[-1]
            withholder = Withholder(world, 1, brain)
            withholders.append(withholder)
            withholder.attack(nodes)
            world.spawn(withholder.mine(SPACING_S * (1 - SHARE) / SHARE))

        nodes, figures = await compare_with_quiet(world, count, seconds, attack)
        withheld = set(withholders[0].withheld)
        assert len(withheld) >= 3
        for node in nodes:
            assert not withheld & set(world.list_chain(node))
            assert node.ledger.best_header.id == node.ledger.tip.id or node.ledger.best_header.id in withheld
        figures |= {"withheld": str(len(withheld)), "blocks": str(nodes[0].ledger.tip.header.height)}
        invariant = "the chain continues without them; delays less than double; no honest node is banned"
        return Report("withheld blocks", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


class HiddenMatrices:
    """A node's matrices, service and store, as other nodes see them: none, until they are released."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self.store = self
        self.is_open = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node.matrices, name)

    def has(self, id: bytes) -> bool:
        return self.is_open and self._node.matrices.has(id)  # type: ignore[arg-type]

    def info(self, id: bytes) -> object:
        return self._node.matrices.info(id) if self.is_open else None  # type: ignore[arg-type]

    def get_strips(self, *args: Any) -> object:
        return self._node.matrices.get_strips(*args) if self.is_open else []

    async def read_run(self, *args: Any) -> object:
        return await self._node.core.matrices.read_run(*args) if self.is_open else None

    async def begin(self, *args: Any) -> bool:
        return await self._node.core.matrices.begin(*args)

    async def add_run(self, *args: Any) -> bool:
        return await self._node.core.matrices.add_run(*args)


class Hoarder:
    """The layer between a hoarding miner and the network, which passes everything but its matrices."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self.matrices = HiddenMatrices(node)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node.core, name)


def run_withheld_matrices(seed: int, count: int) -> Report:
    """A miner mines the result of its own job, and nobody else can check it; later it gives the matrices after all."""
    keys = [make_key(bytes([n]) * 32) for n in (61, 62)]

    async def scenario(world: World) -> Report:
        nodes = make_network(world, count)
        hoarder = world.add_node(nodes[0].settings, wrap=Hoarder)
        world.link(hoarder, *nodes[:8])
        await world.start()
        mine_evenly(world, nodes, 1 - SHARE, MINERS - 1)
        await world.until(lambda: nodes[0].ledger.tip.header.height >= 3, 300)
        job = await post_and_claim(world, hoarder, nodes, keys)
        # The hoarder does not wait until its peers hold the matrices.
        hoarder.core.result_holders.is_ready = lambda _: True  # type: ignore[method-assign]
        await add_result(hoarder, job, keys[1])
        block, allowed = await hoarder.draft()
        assert any(isinstance(tx.payload, SubmitResult) for tx in block.transactions)
        made = world.mint.seal(block, allowed)
        world.note_found(hoarder, made)
        await hoarder.core.blocks.add(made.block, made.witness)
        height = made.block.header.height
        await world.until(lambda: nodes[0].ledger.tip.header.height >= height + 6, 300)
        held = sum(node.ledger.get_status(made.id) == "stored" for node in nodes)
        for node in nodes:
            assert made.id not in world.list_chain(node), "a block nobody can check is in a chain"
        # It is nobody's fault: the block is not invalid, and its job is settled once there is something to check.
        assert not any(node.ledger.get_status(made.id).startswith("invalid") for node in nodes)
        assert held > count // 2
        hoarder.port.matrices.is_open = True
        settled = await world.until(lambda: has_state(nodes, job, JobState.SETTLED), 300)
        world.stop_mining()
        await asyncio.sleep(5)
        await world.settle(nodes, 60)
        check_honest(world, world.nodes)
        figures = {"held by": f"{held} nodes", "settled after giving": format_s(settled)}
        invariant = (
            "the chain continues without the block, which does not count as invalid; "
            "once the matrices are served, the job settles"
        )
        return Report("withheld matrices", seed, count, world.now, invariant, figures, world.trace)

    params = make_params(SPACING_S)
    return simulate(scenario, seed, params=params, accounts=[Address(key.address) for key in keys])


async def post_and_claim(world: World, hoarder: SimNode, nodes: Sequence[SimNode], keys: Sequence[Key]) -> JobId:
    """Post a job whose operands only the hoarder has, let it claim the job, and wait until both are on all chains."""
    poster, worker = keys
    params, rng = world.chain.params, np.random.default_rng(world.seed)
    x, w = (rng.integers(-64, 64, (16, 1024), dtype=np.int8) for _ in range(2))
    x_ref, w_ref = [await hoarder.core.matrices.put(array) for array in (x, w)]
    height = Height(nodes[0].ledger.tip.header.height)
    order = make_post_job(params, height, x_ref, w_ref, reward=1000, max_burn=10**12, lifetime=1000, claim_window=500)
    posted = sign_payload(poster, params.chain_id, 0, FEE, order)
    job = JobId(compute_tx_id(posted))
    await hoarder.core.transactions.add(posted)
    await world.until(lambda: has_state(nodes, job, JobState.OPEN), 300)
    await hoarder.core.transactions.add(sign_payload(worker, params.chain_id, 0, FEE, make_claim(job)))
    await world.until(lambda: has_state(nodes, job, JobState.CLAIMED), 300)
    return job


def has_state(nodes: Sequence[SimNode], job: JobId, state: JobState) -> bool:
    """Return True if the job is in this state on all nodes."""
    found = [node.ledger.state.get_job(job) for node in nodes]
    return all(one is not None and one.state is state for one in found)


async def add_result(hoarder: SimNode, job: JobId, key: Key) -> None:
    """Add the product to the hoarder's pool; other nodes hear of it and cannot check it."""
    found = hoarder.ledger.state.get_job(job)
    assert found is not None
    x, w = (hoarder.matrices.get(MatrixId(ref.id)) for ref in (found.work.x, found.work.w))
    assert x is not None
    assert w is not None
    y = await hoarder.core.matrices.put(x.astype(np.int32) @ w.astype(np.int32).T)
    chain_id = hoarder.setting.chain.params.chain_id
    await hoarder.core.transactions.add(sign_payload(key, chain_id, 1, FEE, make_result(job, y)))
