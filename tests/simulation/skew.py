"""Nodes with wrong clocks."""

import asyncio
from collections.abc import Sequence
from typing import Final

from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.settings import NetworkSettings, TimeLimits
from simulation.common import QUIET, check_honest, list_propagation, make_params, mine_evenly
from simulation.report import Report, format_s, get_share
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S = 10.0
WITHIN_MS: Final = 7000
"""Two clocks that are wrong by this much in opposite directions are still within max_future_ms of 15 s."""
SLOW_MS: Final = -60_000
FAST_MS: Final = 90_000
STEP_MS: Final = 3 * 3_600_000
OPEN: Final = NetworkSettings(limits=TimeLimits(ping_interval=30.0), max_inbound=8, max_outbound=4)


def run_steps(seed: int, count: int) -> Report:
    """One clock is set three hours ahead and later three hours back, and each time its node loses all links.

    The other nodes dial nobody, so that the node must find them in its own book.
    """

    async def scenario(world: World) -> Report:
        nodes = world.add_nodes(count - 1, QUIET)
        world.link_at_random(nodes, 3)
        stepped = world.add_node(OPEN)
        await world.start()
        assert stepped.net is not None
        now_ms, took = stepped.clock.now_ms(), []
        for node in nodes:
            stepped.net.addresses.book.add(node.address, b"4zz", now_ms, now_ms)
        mine_evenly(world, nodes, miners=4)
        await world.until(lambda: count_outbound(stepped) >= OPEN.max_outbound, 120)
        for step_ms in (STEP_MS, 0, -STEP_MS, 0):
            stepped.clock.skew_ms = step_ms
            cut = list(stepped.net.manager.peers.values())
            for peer in cut:
                await peer.close("cut")
            took.append(await world.until(lambda cut=cut: count_outbound(stepped, cut) >= 2, 120))
            await asyncio.sleep(20)
        world.stop_mining()
        await asyncio.sleep(5)
        everybody = [*nodes, stepped]
        await world.settle(everybody, 120)
        check_honest(world, everybody)
        figures = {"outbound peers again after": ", ".join(format_s(each) for each in took)}
        invariant = "after each step the node dials again, agrees with the others, and nobody is banned"
        return Report("clock steps", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


def count_outbound(node: SimNode, without: Sequence[Peer] = ()) -> int:
    peers = [] if node.net is None else node.net.manager.peers.values()
    return sum(peer.kind is LinkKind.OUTBOUND and peer not in without for peer in peers)


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
