"""A node whose only seed vanishes at once finds other nodes by those that heard of it and dialled it."""

import asyncio

import pytest
from msgspec.structs import replace

from inos.network.peers.kinds import LinkKind
from inos.network.settings import NetworkSettings
from support.sim_world import World, simulate

NODES = 4


async def run(world: World, known_s: float) -> None:
    """Stop the seed so many seconds after the node connected to it, before it has told of any other node."""
    seed = world.add_node()
    settings = NetworkSettings(seeds=(seed.address,))
    others = world.add_nodes(NODES, settings)
    last = world.add_node(replace(settings, max_outbound=1))
    for node in (seed, *others, last):
        await node.start(world.group)
    await world.until(lambda: seed.id in last.peer_ids, 60, 0.01)
    await asyncio.sleep(known_s)
    assert last.net is not None
    assert len(last.net.list_addresses()) < NODES
    await seed.stop()

    def has_outbound() -> bool:
        peers = [] if last.net is None else last.net.peers()
        return any(peer.kind is LinkKind.OUTBOUND and peer.id != seed.id for peer in peers)

    await world.until(has_outbound, 10)


@pytest.mark.parametrize("seed", [2, 3])
def test_a_node_whose_seed_vanishes_dials_those_that_dialled_it(seed: int) -> None:
    simulate(lambda world: run(world, 0.2), seed)
