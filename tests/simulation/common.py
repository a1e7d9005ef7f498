"""Parts that scenarios share: the rate of blocks, the settings of nodes, and statistics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from inos.consensus.params import Params
from inos.network.settings import NetworkSettings, TimeLimits
from simulation.report import format_s, get_share
from support.sim_node import SimNode
from support.sim_world import BLOCK_KINDS, TESTNET, World

DEGREE: Final = 8
"""The number of peers that each node dials."""
MINERS: Final = 20
MAX_SLOWER: Final = 2.0
"""The factor by which an attack may delay blocks."""
QUIET: Final = NetworkSettings(discovery=False, limits=TimeLimits(ping_interval=30.0))
"""Long runs use fewer pings than the default, because announcements carry the same information."""


def make_params(spacing_s: float) -> Params:
    """Return the testnet with another spacing; the target follows over the same number of blocks."""
    spacing_ms = round(spacing_s * 1000)
    half_life = TESTNET.asert_half_life_ms * spacing_ms // TESTNET.spacing_ms
    return msgspec.structs.replace(TESTNET, spacing_ms=spacing_ms, asert_half_life_ms=half_life)


def make_network(
    world: World, count: int, *, degree: int = DEGREE, settings: NetworkSettings = QUIET, miners: int = MINERS
) -> list[SimNode]:
    """Add honest nodes with random links; the first of them will mine."""
    nodes = world.add_nodes(count, settings)
    world.link_at_random(nodes, degree)
    return nodes


def mine_evenly(world: World, nodes: Sequence[SimNode], share: float = 1.0, miners: int = MINERS) -> None:
    """Let the first nodes share `share` of the hash rate."""
    chosen = nodes[:miners]
    world.mine({node: share / len(chosen) for node in chosen})


def check_honest(world: World, nodes: Sequence[SimNode]) -> None:
    """Check what holds in every scenario: no honest node was banned."""
    assert world.count_bans(nodes) == 0, f"{world.count_bans(nodes)} bans of honest nodes"


async def compare_with_quiet(
    world: World,
    count: int,
    seconds: float,
    attack: Callable[[World, Sequence[SimNode]], Awaitable[None]],
    settings: NetworkSettings = QUIET,
    *,
    prepare: Callable[[Sequence[SimNode]], Awaitable[None]] | None = None,
) -> tuple[list[SimNode], dict[str, str]]:
    """Run a network undisturbed for `seconds`, then under attack for as long: the attack may at most double the delay
    of blocks.

    Returns:
        The honest nodes, which agree, and the figures.
    """
    nodes = make_network(world, count, settings=settings)
    if prepare is not None:
        await prepare(nodes)
    await world.start()
    mine_evenly(world, nodes)
    await asyncio.sleep(seconds)
    turn = world.now
    await attack(world, nodes)
    await asyncio.sleep(seconds)
    world.stop_mining()
    await asyncio.sleep(5)
    await world.settle(nodes, 30)
    quiet, loud = world.compute_delays(nodes, before=turn), world.compute_delays(nodes, since=turn)
    assert min(len(quiet), len(loud)) > count, "too few blocks to say anything"
    figures = {}
    for percent in (50, 95):
        before, after = get_share(quiet, percent), get_share(loud, percent)
        assert after <= MAX_SLOWER * before, f"p{percent} {before:.3f} s before, {after:.3f} s in the attack"
        figures[f"p{percent} quiet, attacked"] = f"{format_s(before)}, {format_s(after)}"
    check_honest(world, nodes)
    return nodes, figures


def list_propagation(world: World, nodes: list[SimNode]) -> dict[str, str]:
    """Return how fast blocks reached `nodes`, and how many were stale."""
    delays, chain = world.compute_delays(nodes), world.list_chain(nodes[0])
    return {
        "blocks": str(len(chain)),
        "stale": str(len(world.found) - sum(id in world.found for id in chain)),
        "propagation p50": format_s(get_share(delays, 50)),
        "p95": format_s(get_share(delays, 95)),
    }


def list_waste(world: World) -> dict[str, str]:
    """Return the traffic that blocks caused, and how often a block was sent twice."""
    copies = sum(world.traffic.messages[kind] for kind in BLOCK_KINDS)
    size = sum(world.traffic.bytes[kind] for kind in BLOCK_KINDS)
    needed = max(1, sum(len(world.connected.get(id, {})) - 1 for id in world.found))
    average = sum(found.size for found in world.found.values()) / max(1, len(world.found))
    news = world.traffic.bytes["AnnounceBlock"]
    return {
        "block": f"{average:,.0f} B",
        "per block and node": f"{size / needed:,.0f} B",
        "duplicates": f"{max(0, copies - needed) / needed:.1%}",
        "announcements": f"{news / needed:,.0f} B",
    }
