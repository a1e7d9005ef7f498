"""A pool that keeps its blocks to itself until they make others' worthless (Eyal and Sirer, 2014)."""

import asyncio
from typing import Final

from inos.chain.events import TipChanged
from inos.primitives.units import BlockId
from simulation.common import QUIET, check_honest, make_params
from simulation.report import Report
from support.chain_maker import MadeBlock
from support.sim_mining import Miner
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S = 5.0
SHARE: Final = 0.3
LINKS: Final = 12
"""Delay of the pool's public node, which hears and sends news sooner than most."""


class SelfishPool:
    """Two nodes: one that everybody sees, and one with no link, on whose chain the pool mines.

    What the first hears goes to the second; what the second finds goes to the first when the strategy says so.
    """

    def __init__(self, world: World, public: SimNode, private: SimNode) -> None:
        self.world = world
        self.public = public
        self.private = private
        self.hidden: list[MadeBlock] = []
        self.all: set[BlockId] = set()
        self._rate = 0.0
        self._miner: Miner | None = None

    def mine(self, rate: float) -> None:
        self._miner = Miner(self.private, rate, self._on_found, self.world.group)
        self._miner.draw()

    def stop(self) -> None:
        if self._miner is not None:
            self._miner.stop()

    def _on_found(self, node: SimNode, made: MadeBlock) -> None:
        self.world.note_found(node, made)
        self.all.add(made.id)
        self.hidden.append(made)

    async def on_public(self, event: TipChanged) -> None:
        """Bring the private node up to a block that others found, and answer it."""
        new = [id for id in event.connected if id not in self.all]
        if not new:
            return
        for id in new:
            block, witness = self.public.ledger.get_block(id), self.public.ledger.get_witness(id)
            if block is not None and witness is not None:
                await self.private.core.blocks.add(block, witness)
        lead = self.private.ledger.tip.header.height - self.public.ledger.tip.header.height
        if self.private.ledger.tip.id not in self.all or lead < 0:
            self.hidden = []  # theirs is longer: give up
            if self._miner is not None:
                self._miner.draw()
        elif lead <= 1:
            await self._publish(len(self.hidden))  # a race of equals, or just won
        else:
            await self._publish(1)

    async def _publish(self, count: int) -> None:
        shown, self.hidden = self.hidden[:count], self.hidden[count:]
        for made in shown:
            await self.public.core.blocks.add(made.block, made.witness)


def run_selfish(seed: int, count: int, blocks: int = 300) -> Report:
    """Thirty per cent of the hash rate mine selfishly; this measures which part of the chain is theirs."""

    async def scenario(world: World) -> Report:
        nodes = world.add_nodes(count, QUIET)
        world.link_at_random(nodes, 6)
        public, private = world.add_node(QUIET), world.add_node(QUIET)
        world.link(public, *world.rng.sample(nodes, min(LINKS, count)))
        pool = SelfishPool(world, public, private)
        await world.start()
        total = world.compute_rate()
        world.mine({node: (1 - SHARE) / count for node in nodes})
        pool.mine(SHARE * total)
        world.spawn(follow(pool))
        await world.until(lambda: nodes[0].ledger.tip.header.height >= blocks, 30 * SPACING_S * blocks)
        world.stop_mining()
        pool.stop()
        await asyncio.sleep(30)
        await world.settle(nodes, 120)
        check_honest(world, world.nodes)
        chain = world.list_chain(nodes[0])
        theirs = sum(id in pool.all for id in chain)
        share, honest = theirs / len(chain), 1 - SHARE
        # The theory's share for a pool that wins no race of equals, and for one that wins half of them.
        least, half = compute_share(SHARE, 0.0), compute_share(SHARE, 0.5)
        spread = 3 * (SHARE * honest / len(chain)) ** 0.5
        assert least - spread < share < half + spread, f"{share:.3f} of the chain"
        stale = len(world.found) - sum(id in world.found for id in chain)
        figures = {
            "of the hash rate": f"{SHARE:.0%}",
            "of the chain": f"{share:.1%}",
            "theory, winning none or half of the races": f"{least:.1%}, {half:.1%}",
            "stale blocks": f"{stale} beside {len(chain)}",
        }
        invariant = (
            f"the pool's share is within {spread:.1%} of the theory for a pool that wins up to half of the races"
        )
        return Report("selfish mining", seed, count + 2, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


async def follow(pool: SelfishPool) -> None:
    async with pool.public.core.events.subscribe() as events:
        async for event in events:
            if isinstance(event, TipChanged):
                await pool.on_public(event)


def compute_share(alpha: float, gamma: float) -> float:
    """Return a selfish pool's part of the chain (Eyal and Sirer, equation 8); gamma is the part of tied races that it
    wins.
    """
    above = alpha * (1 - alpha) ** 2 * (4 * alpha + gamma * (1 - 2 * alpha)) - alpha**3
    return above / (1 - alpha * (1 + (2 - alpha) * alpha))
