"""A third of the peers claims chains that do not exist."""

import asyncio

from inos.network.link import Link
from inos.network.wire.base import Message
from inos.network.wire.chain import GetBlocks, GetHeaders, Headers
from inos.network.wire.control import NotFound
from inos.primitives.units import BlockId
from simulation.common import check_honest, list_propagation, make_network, make_params, mine_evenly
from simulation.report import Report, format_s
from support.sim_attacker import Attacker, Claim
from support.sim_world import World, simulate

SPACING_S = 5.0
HISTORY = 60
SYNC_LIMIT_S = 60.0


class Liar(Attacker):
    """A liar that claims a block a million higher. When asked for it, it is silent, has nothing, or sends true
    headers.
    """

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.kind = ("silent", "empty", "honest")[number % 3]
        self.claim = Claim(BlockId(world.rng.randbytes(32)), 1_000_000 + number, 2**255)

    async def on_message(self, link: Link, message: Message) -> None:
        if self.kind == "silent":
            return
        if isinstance(message, GetHeaders):
            headers = ()
            if self.kind == "honest":
                locator = [BlockId(id) for id in message.locator]
                headers = tuple(self.world.nodes[0].ledger.get_headers_after(locator, 512))
            await self.send(link, Headers(message.request, headers))
        elif isinstance(message, GetBlocks):
            await self.send(link, NotFound(message.request, message.ids))


def run_liars(seed: int, count: int) -> Report:
    """A third of every node's peers are liars, and a new node syncs in spite of them."""

    async def scenario(world: World) -> Report:
        nodes = make_network(world, count)
        liars = [Liar(world, number) for number in range(count // 2)]
        for liar in liars:
            await liar.listen()
        for node in nodes:
            # 8 outbound and about 8 inbound peers: 8 liars more are a third of all
            world.link(node, *world.rng.sample(liars, min(8, len(liars))))
        await world.start()
        mine_evenly(world, nodes)
        await world.until(lambda: len(world.found) >= HISTORY, 20 * SPACING_S * HISTORY)
        newcomer = world.add_node(nodes[0].settings)
        world.link(newcomer, *world.rng.sample(nodes, 8), *world.rng.sample(liars, min(4, len(liars))))
        await world.start([newcomer])
        took = await world.until(lambda: is_caught_up(world, newcomer.ledger.tip.header.height), SYNC_LIMIT_S)
        world.stop_mining()
        await asyncio.sleep(5)
        await world.settle(world.nodes, 30)
        check_honest(world, world.nodes)
        invariant = f"all follow the true chain; a new node has it within {SYNC_LIMIT_S:.0f} s"
        figures = {"new node after": format_s(took + 2), "liars banned": str(len(world.bans))}
        figures |= list_propagation(world, nodes)
        return Report("a third lies about heights", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


def is_caught_up(world: World, height: int) -> bool:
    return height >= world.nodes[0].ledger.tip.header.height - 1
