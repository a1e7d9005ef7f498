"""The network is partitioned and joined again."""

import asyncio

from simulation.common import QUIET, check_honest, make_network, make_params
from simulation.report import Report, format_s
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S = 2.0
LIMIT_S = 120.0
"""Links between the parts are closed by then and redialled every 15 to 45 s."""


def run_partition(seed: int, count: int, blocks: int = 200) -> Report:
    """Three fifths of the hash rate are on one side and two on the other, until the first has made `blocks` blocks."""

    async def scenario(world: World) -> Report:
        nodes = make_network(world, count, degree=4, settings=QUIET)
        left, right = nodes[: count * 3 // 5], nodes[count * 3 // 5 :]
        await world.start()
        world.mine({node: 1 / len(nodes) for node in nodes})
        await asyncio.sleep(20)
        world.split(left, right)
        fork = max(left[0].ledger.tip.header.height, right[0].ledger.tip.header.height)
        await world.until(lambda: left[0].ledger.tip.header.height >= fork + blocks, 20 * SPACING_S * blocks)
        sides = [get_height(left), get_height(right)]
        assert world.get_tips(left).keys().isdisjoint(world.get_tips(right))
        abandoned = set(world.list_chain(right[0]))
        world.heal()
        settled = await world.until(lambda: is_together(world, nodes), LIMIT_S)
        world.stop_mining()
        await asyncio.sleep(5)
        await world.settle(nodes, 60)
        kept = set(world.list_chain(nodes[0]))
        depth = len(abandoned - kept)
        assert nodes[0].ledger.tip.weight >= max(node.ledger.tip.weight for node in nodes)
        assert depth >= blocks // 3
        check_honest(world, nodes)
        invariant = f"all have the heaviest tip {LIMIT_S:.0f} s after reconnecting; no node is banned"
        figures = {
            "heights": f"{sides[0]} and {sides[1]}",
            "undone by the lighter side": f"{depth} blocks",
            "one chain after": format_s(settled),
        }
        return Report("two partitions heal", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


def get_height(nodes: list[SimNode]) -> int:
    return max(node.ledger.tip.header.height for node in nodes)


def is_together(world: World, nodes: list[SimNode]) -> bool:
    """Wait until all are on one branch, even if the newest block is still on its way."""
    tips = [node.ledger.tip for node in nodes]
    best = max(tips, key=lambda tip: tip.weight)
    return all(tip.id == best.id or tip.id == best.header.parent for tip in tips)
