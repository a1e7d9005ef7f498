"""Endless chains of headers that weigh less than the true one, sent to every node that asks what is above a claimed
tip.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final
from unittest.mock import patch

from msgspec.structs import replace

from inos.consensus.context import AsertAnchor, HeaderContext
from inos.consensus.target import compute_target
from inos.network.link import Link
from inos.network.sync.headers.sync import IGNORED_S, MAX_BRANCHES
from inos.network.wire.base import Message
from inos.network.wire.chain import MAX_HEADERS, GetHeaders, Headers
from inos.primitives.blocks import Header, compute_block_id, compute_tx_root, encode_target, get_target
from inos.primitives.matrices import Seal
from inos.primitives.units import BlockId, Height, NodeId, TimeMs
from simulation.common import compare_with_quiet, make_params
from simulation.report import Report
from support.sim_attacker import Attacker, Claim
from support.sim_node import OPERANDS, START_MS, SimNode
from support.sim_world import World, simulate

SPACING_S = 4.0
HISTORY: Final = MAX_HEADERS + 20
HEADER_LIMIT: Final = 3000
"""This replaces inos.chain.ledger.MAX_UNPROVEN, which takes minutes to fill."""
PAUSE_S: Final = 0.5


class BranchFlooder(Attacker):
    """Claims a block somewhat above, and answers each question for headers with another branch from genesis.

    The headers keep all rules; nobody worked for them. Each branch is lighter than the true chain, and as long as an
    answer may be, which says that there is more.
    """

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.claim = Claim(BlockId(world.rng.randbytes(32)), HISTORY + 900, 2**200)
        self.given: Counter[NodeId] = Counter()
        self.branches: list[tuple[Header, ...]] = []

    async def on_message(self, link: Link, message: Message) -> None:
        if isinstance(message, GetHeaders):
            await asyncio.sleep(PAUSE_S)
            number = self.given[link.remote_id]
            self.given[link.remote_id] += 1
            if number == len(self.branches):
                self.branches.append(tuple(self.iterate_branch(MAX_HEADERS)))
            await self.send(link, Headers(message.request, self.branches[number]))

    def iterate_branch(self, count: int) -> Iterator[Header]:
        """Yield a chain on genesis, at the pace that keeps its target."""
        params, first = self.world.chain.params, None
        parent, parent_id = self.world.chain.state.header, self.world.chain.genesis_id
        for height in range(1, count + 1):
            context = HeaderContext(parent, parent_id, (TimeMs(parent.time_ms),), first)
            parent = replace(
                parent,
                height=height,
                parent=parent_id,
                time_ms=START_MS + height * params.spacing_ms,
                tx_root=compute_tx_root(()),
                target=encode_target(compute_target(params, context)),
                nonce=self.rng.getrandbits(64),
                seal=Seal(*OPERANDS, 0, 0, 0, bytes(32)),
            )
            parent_id = compute_block_id(parent)
            first = first or AsertAnchor(Height(1), TimeMs(parent.time_ms), get_target(parent))
            yield parent


async def write_history(world: World, nodes: Sequence[SimNode], count: int) -> None:
    """Add this many blocks at the right pace to all nodes, before they are on the network."""
    for _ in range(count):
        await asyncio.sleep(world.chain.params.spacing_ms / 1000)
        block, allowed = await nodes[0].draft()
        made = world.mint.seal(block, allowed)
        for node in nodes:
            await node.core.blocks.add(made.block, made.witness)


def run_low_work(seed: int, count: int, seconds: float = 60.0) -> Report:
    """An attacker at each node answers every request for headers with another light branch."""

    async def scenario(world: World) -> Report:
        flooder = BranchFlooder(world, 0)

        async def attack(world: World, nodes: Sequence[SimNode]) -> None:
            flooder.attack(nodes)

        async def prepare(nodes: Sequence[SimNode]) -> None:
            await write_history(world, nodes, HISTORY)

        nodes, figures = await compare_with_quiet(world, count, seconds, attack, prepare=prepare)
        most = max(node.ledger.count_unproven() for node in nodes)
        given = sum(flooder.given.values()) * MAX_HEADERS
        assert HEADER_LIMIT // 2 < most <= HEADER_LIMIT, most
        assert MAX_BRANCHES < max(flooder.given.values()) <= MAX_BRANCHES + 4 + seconds / IGNORED_S, flooder.given
        figures |= {"headers given": f"{given:,}", "kept at most": f"{most:,}"}
        invariant = (
            f"at most {HEADER_LIMIT:,} unproven headers are kept; a peer can send {MAX_BRANCHES + 4} branches "
            "and then one a minute; delays less than double; no honest node is banned"
        )
        return Report("light headers without end", seed, count, world.now, invariant, figures, world.trace)

    with patch("inos.chain.ledger.MAX_UNPROVEN", HEADER_LIMIT):
        return simulate(scenario, seed, params=make_params(SPACING_S))
