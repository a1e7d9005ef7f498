"""Floods: headers without work, and requests whose answers the sender does not read."""

import asyncio
from collections.abc import Sequence
from typing import Final
from unittest.mock import patch

from msgspec.structs import replace

from inos.network.link import Link
from inos.network.wire.base import Message
from inos.network.wire.chain import AnnounceBlock, GetBlocks
from inos.network.wire.limits import LIMITS, MAX_BLOCK_BYTES, QUEUE_BYTES
from inos.primitives.blocks import Header, get_target
from inos.primitives.units import BlockId
from simulation.common import compare_with_quiet, make_params
from simulation.report import Report
from support.sim_attacker import Attacker
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S = 4.0
HEADER_LIMIT: Final = 1500
"""This replaces inos.chain.ledger.MAX_UNPROVEN, which would take hours to fill."""


class HeaderFlooder(Attacker):
    """An attacker that announces one forged block after another, just below the rate that costs points.

    Half of the attackers forge only blocks next to the chain, because a child of the tip is requested and nothing else
    is heard meanwhile.
    """

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.beyond = number % 2

    async def on_link(self, link: Link) -> None:
        while True:
            await self.send(link, AnnounceBlock(await self.forge()))
            await asyncio.sleep(1.02 / LIMITS[AnnounceBlock].per_s)

    async def forge(self) -> Header:
        """Forge a sibling of a block on the chain, or a child of its tip, that follows every rule and only claims its
        seal.
        """
        node = self.world.nodes[0]
        height = self.rng.randrange(1, node.ledger.tip.header.height + 1 + self.beyond)
        id = node.ledger.get_block_id(height)
        header = None if id is None else node.ledger.get_header(id)
        if header is None:
            block, allowed = await node.draft()
            header = self.world.mint.forge(block, allowed).block.header
        assert header.seal is not None
        digest = self.rng.randrange(get_target(header)).to_bytes(32, "big")
        return replace(header, nonce=self.rng.getrandbits(64), seal=replace(header.seal, digest=digest))


class SlowReader(Attacker):
    """An attacker that requests the same blocks as often as it may and reads nothing."""

    async def on_link(self, link: Link) -> None:
        self.is_reading = False
        ids = tuple(BlockId(id) for id in self.world.nodes[0].ledger.get_locator()[:16])
        for number in range(250):
            await self.send(link, GetBlocks(number, ids))

    async def on_message(self, link: Link, message: Message) -> None:
        raise AssertionError("it reads nothing")


def run_header_flood(seed: int, count: int, seconds: float = 60.0) -> Report:
    """Six attackers at each node announce forged headers all the time."""

    async def attack(world: World, nodes: Sequence[SimNode]) -> None:
        for number in range(6):
            HeaderFlooder(world, number).attack(nodes)

    async def scenario(world: World) -> Report:
        nodes, figures = await compare_with_quiet(world, count, seconds, attack)
        most = max(node.ledger.count_unproven() for node in nodes)
        assert HEADER_LIMIT // 2 < most <= HEADER_LIMIT, most
        figures |= {"headers told": f"{world.traffic.messages['AnnounceBlock']:,}", "kept at most": f"{most:,}"}
        invariant = (
            f"delays less than double; at most {HEADER_LIMIT:,} unproven headers are kept; no honest node is banned"
        )
        return Report("header flood", seed, count, world.now, invariant, figures, world.trace)

    with patch("inos.chain.ledger.MAX_UNPROVEN", HEADER_LIMIT):
        return simulate(scenario, seed, params=make_params(SPACING_S))


def run_slow_readers(seed: int, count: int, seconds: float = 90.0) -> Report:
    """Each node has eight peers that request a hundred megabytes and read nothing."""
    bound = sum(QUEUE_BYTES.values()) + MAX_BLOCK_BYTES
    seen = {"most": 0}

    async def watch(world: World, nodes: Sequence[SimNode]) -> None:
        while True:
            for node in nodes:
                seen["most"] = max(seen["most"], *node.list_queues(), 0)
            await asyncio.sleep(1)

    async def attack(world: World, nodes: Sequence[SimNode]) -> None:
        for number in range(8):
            SlowReader(world, number).attack(nodes)
        world.spawn(watch(world, nodes))

    async def scenario(world: World) -> Report:
        _, figures = await compare_with_quiet(world, count, seconds, attack)
        assert 1 << 20 < seen["most"] <= bound
        cut = world.ended["not-reading"]
        assert cut > 0
        figures |= {"waiting for one reader, at most": f"{seen['most'] / 1e6:.1f} MB", "links cut": str(cut)}
        invariant = (
            f"at most {bound / 1e6:.0f} MB wait for a peer; peers that read nothing are cut off; "
            "delays less than double"
        )
        return Report("slow readers", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))
