"""Computes figures for docs/benchmarks.md: python tests/support/routing_stats.py"""

import asyncio
import logging
import random
import statistics
import time

import structlog

from support.routing_world import World, make_liar, run_virtual

SEARCHES = 40


async def measure(count: int, dead: float, lying: float) -> None:
    world = World(count, seed=1)
    world.introduce()
    provider, *others = world.all
    world.rng.shuffle(others)
    first = int(dead * count)
    for node in others[:first]:
        node.is_dead = True
    for node in others[first : first + int(lying * count)]:
        node.lie = make_liar(world, node)
    seekers = [node for node in others if not node.is_dead and node.lie is None][:SEARCHES]
    rng, hops, asked, near = random.Random(2), [], [], []
    living = [node for node in world.all if not node.is_dead]
    for seeker in seekers[:20]:
        key = rng.randbytes(32)
        outcome = await seeker.routing._find_nodes(key)
        nearest = sorted(living, key=lambda node: int.from_bytes(node.address.id) ^ int.from_bytes(key))[:20]
        hops.append(outcome.hops)
        asked.append(outcome.asked)
        near.append(len({node.address.id for node in nearest} & {each.id for each in outcome.closest}))
    id = provider.matrices.put([bytes(16_384)])
    kept = await provider.routing.provide(id)
    found, waits = 0, []
    for seeker in seekers:
        started = asyncio.get_running_loop().time()
        found += len(await seeker.routing.find_providers(id, 1))
        waits.append(asyncio.get_running_loop().time() - started)
    waits.sort()
    print(
        f"| {count} | {dead:.0%} / {lying:.0%} | {statistics.mean(hops):.1f} / {max(hops)} | "
        f"{statistics.mean(asked):.0f} | {statistics.mean(near):.1f} | {kept} | {found} of {len(seekers)} | "
        f"{waits[len(waits) // 2]:.1f} / {waits[-1]:.1f} |"
    )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    started = time.perf_counter()
    for count in (100, 300, 1000):
        for dead, lying in ((0.0, 0.0), (0.3, 0.0), (0.3, 0.2), (0.3, 0.4)):
            run_virtual(measure(count, dead, lying))
    print(f"{time.perf_counter() - started:.0f} s")
