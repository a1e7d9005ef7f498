"""Chains without work that claim to be heavier than the true one."""

import asyncio

from inos.primitives.units import BlockId
from simulation.common import check_honest, list_propagation, make_network, make_params, mine_evenly
from simulation.report import Report
from support.sim_node import Forgery
from support.sim_world import World, simulate

SPACING_S = 5.0
PACE = 3.0
"""The number of blocks that a forger makes for each block of all honest nodes."""


def run_forgers(seed: int, count: int, blocks: int = 30) -> Report:
    """Lying nodes run the node's own program on a chain of forged seals and serve its headers and bodies."""

    async def scenario(world: World) -> Report:
        nodes = make_network(world, count)
        forgery = Forgery(world.rng)
        forgers = [world.add_node(nodes[0].settings, mint=forgery) for _ in range(max(2, count // 5))]
        for forger in forgers:
            world.link(forger, *world.rng.sample(nodes, min(8, count)))
        world.link_at_random(forgers, 2)
        await world.start()
        mine_evenly(world, nodes)
        true = dict(world.miners)
        world.mine({forger: PACE / len(forgers) for forger in forgers})
        world.miners |= true
        forged = {forger.index for forger in forgers}

        def list_true() -> list[BlockId]:
            return [id for id, found in world.found.items() if found.by not in forged]

        await world.until(lambda: len(list_true()) >= blocks, 20 * SPACING_S * blocks)
        lead = max(forger.ledger.tip.header.height for forger in forgers)
        height = nodes[0].ledger.tip.header.height
        world.stop_mining()
        await asyncio.sleep(30)
        await world.settle(nodes, 60)
        false = set(world.found) - set(list_true())
        assert len(false) > 2 * blocks
        assert lead > height
        for node in nodes:
            assert not false & set(world.list_chain(node)), "a forged block is in an honest chain"
        check_honest(world, nodes)
        left = sum(forger.id in node.peer_ids for node in nodes for forger in forgers)
        assert left == 0, f"{left} links to forgers are left"
        figures = {
            "forged blocks": str(len(false)),
            "forged height": f"{lead} against {height}",
            "bans of forgers": str(world.count_bans(forgers)),
        }
        figures |= list_propagation(world, nodes)
        invariant = "no chain has a forged block; every forger is disconnected; no honest node is banned"
        return Report("heavy-looking forgeries", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))
