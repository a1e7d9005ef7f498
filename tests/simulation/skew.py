"""Nodes with wrong clocks."""

import asyncio
from typing import Final

from simulation.common import QUIET, check_honest, list_propagation, make_params
from simulation.report import Report, format_s, get_share
from support.sim_world import World, simulate

SPACING_S = 10.0
WITHIN_MS: Final = 7000
"""Two clocks that are wrong by this much in opposite directions are still within max_future_ms of 15 s."""
SLOW_MS: Final = -60_000
FAST_MS: Final = 90_000


def run_skew(seed: int, count: int, blocks: int = 40) -> Report:
    """Most clocks are wrong by up to 7 s, one node's is a minute slow, and one miner's is a minute and a half fast."""

    async def scenario(world: World) -> Report:
        nodes = [world.add_node(QUIET, skew_ms=world.rng.randint(-WITHIN_MS, WITHIN_MS)) for _ in range(count)]
        slow, fast = world.add_node(QUIET, skew_ms=SLOW_MS), world.add_node(QUIET, skew_ms=FAST_MS)
        everybody = [*nodes, slow, fast]
        world.link_at_random(everybody, 6)
        await world.start()
        shares = {node: 0.9 / 10 for node in nodes[:10]} | {fast: 0.1}
        world.mine(shares)
        await world.until(lambda: nodes[0].ledger.tip.header.height >= blocks, 30 * SPACING_S * blocks)
        world.stop_mining()
        await asyncio.sleep(5)
        ahead = nodes[0].ledger.tip.header.height - slow.ledger.tip.header.height
        await world.settle(nodes, 120)
        settled = await world.settle([*nodes, slow], 120)
        check_honest(world, everybody)
        assert not world.bans, "nobody lied"
        chain = set(world.list_chain(nodes[0]))
        early = [id for id, found in world.found.items() if found.by == fast.index]
        kept = sum(id in chain for id in early)
        late = sorted(at[slow.index] - world.found[id].at for id, at in world.connected.items() if slow.index in at)
        assert ahead > 0
        assert get_share(late, 50) > 30
        figures = {
            "the slow clock is behind": f"{ahead} blocks, p50 {format_s(get_share(late, 50))}",
            "agrees after": format_s(settled),
            "the fast miner's blocks kept": f"{kept} of {len(early)}",
        }
        figures |= list_propagation(world, nodes)
        invariant = (
            "nodes with clocks within 7 s agree at once; a slow one follows late and never forks; no node is banned"
        )
        return Report("clock skew", seed, count + 2, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))
