"""Matrices and transactions that are announced and never given."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from inos.network.link import Link
from inos.network.wire.base import Message, Request
from inos.network.wire.control import NotFound
from inos.network.wire.kademlia import MAX_PROVIDED, FindProviders, Provide
from inos.network.wire.limits import LIMITS
from inos.network.wire.matrices import OfferCopy
from inos.network.wire.transactions import MAX_ANNOUNCED, AnnounceTransactions
from inos.primitives.matrices import DType
from simulation.common import QUIET, compare_with_quiet, make_params
from simulation.report import Report
from support.sim_attacker import Attacker
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S: Final = 2.0
ATTACKERS: Final = 3
SETTINGS: Final = msgspec.structs.replace(
    QUIET,
    routing=msgspec.structs.replace(QUIET.routing, records_per_provider=200, records_per_group=300, max_records=500),
)
"""The table of records is smaller than by default, so that the flood fills it within the run."""


class Promiser(Attacker):
    """It announces transactions and matrices of its own invention, searches for them, and offers copies of them.

    Each kind is sent well below the rate that costs points. Asked for what it announced, half of these peers are
    silent, and the others have nothing.
    """

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.is_silent = bool(number % 2)

    async def on_link(self, link: Link) -> None:
        number = 0
        while True:
            number += 1
            random = self.rng.randbytes
            for message in (
                AnnounceTransactions(tuple(random(32) for _ in range(MAX_ANNOUNCED // 64))),
                Provide(number * 4, tuple(random(32) for _ in range(MAX_PROVIDED))),
                FindProviders(number * 4 + 1, random(32)),
            ):
                await self.send(link, message)
            if not number % 10:
                await self.send(link, OfferCopy(number * 4 + 2, DType.INT7, 1 << 15, 1 << 15, random(32)))
            await asyncio.sleep(4.4 / LIMITS[Provide].per_s)

    async def on_message(self, link: Link, message: Message) -> None:
        if isinstance(message, Request) and not self.is_silent:
            await self.send(link, NotFound(message.request, (bytes(32),)))


def run_promises(seed: int, count: int, seconds: float = 60.0) -> Report:
    """Three attackers at each node promise transactions and matrices all the time."""
    most = {"records": 0, "arrivals": 0}

    async def watch(nodes: Sequence[SimNode]) -> None:
        while True:
            for node in nodes:
                if node.net is not None:
                    most["records"] = max(most["records"], node.net.routing.get_status().records)
                most["arrivals"] = max(most["arrivals"], node.matrices.count_bytes())
            await asyncio.sleep(1)

    async def attack(world: World, nodes: Sequence[SimNode]) -> None:
        for number in range(ATTACKERS):
            Promiser(world, number).attack(nodes)
        world.spawn(watch(nodes))

    async def scenario(world: World) -> Report:
        nodes, figures = await compare_with_quiet(world, count, seconds, attack, SETTINGS)
        limit = SETTINGS.routing.max_records
        assert limit // 2 < most["records"] <= limit, most
        assert most["arrivals"] < 1 << 20, "no byte of an offered matrix was ever proven"
        assert world.count_bans(nodes) == 0
        figures |= {"records at most": f"{most['records']:,}", "disk booked at most": f"{most['arrivals']:,} bytes"}
        invariant = f"delays less than double; at most {limit:,} records of providers, no disk for what does not come"
        return Report("promises", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))
