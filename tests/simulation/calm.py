"""Scenarios in which no node misbehaves."""

import asyncio

from simulation.common import check_honest, list_propagation, list_waste, make_network, make_params, mine_evenly
from simulation.report import Report
from support.sim_world import World, simulate

SPACING_S = 10.0


def run_calm(seed: int, count: int, blocks: int = 10) -> Report:
    """Measure how fast blocks reach all nodes of a calm network, and how much data is sent twice."""

    async def scenario(world: World) -> Report:
        nodes = make_network(world, count)
        await world.start()
        mine_evenly(world, nodes)
        await world.until(lambda: len(world.found) >= blocks, 20 * SPACING_S * blocks)
        world.stop_mining()
        await asyncio.sleep(5)
        await world.settle(nodes, 30)
        check_honest(world, nodes)
        assert not world.bans
        invariant = "every block reaches every node; no node is banned"
        figures = list_propagation(world, nodes) | list_waste(world)
        return Report("calm", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


def run_churn(seed: int, count: int, minutes: float = 3.0) -> Report:
    """A tenth of the nodes, miners among them, goes down each minute for half a minute."""

    async def scenario(world: World) -> Report:
        nodes = make_network(world, count)
        await world.start()
        mine_evenly(world, nodes)
        gone = 0
        until = world.now + 60 * minutes
        while world.now < until:
            await asyncio.sleep(60 / max(1, count // 10))
            up = [node for node in nodes if node.is_up]
            victim = world.rng.choice(up)
            await victim.stop()
            gone += 1
            asyncio.get_running_loop().call_later(30, lambda v=victim: world.group.create_task(v.start(world.group)))
        await asyncio.sleep(35)
        world.stop_mining()
        settled = await world.settle(nodes, 120)
        check_honest(world, nodes)
        invariant = "all nodes that return agree; no node is banned"
        figures = {"restarts": str(gone), "agreed after": f"{settled:.1f} s"} | list_propagation(world, nodes)
        return Report("churn", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))
