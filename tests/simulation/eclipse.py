"""An operator with many ids tries to become the only peers that a node knows."""

import asyncio
from typing import Final

from msgspec.structs import replace

from inos.network.link import Link
from inos.network.settings import NetworkSettings, TimeLimits
from inos.network.wire.addresses import Addresses, AnnounceAddresses, GetAddresses, KnownAddress
from inos.network.wire.base import Message
from simulation.common import check_honest, make_params, mine_evenly
from simulation.report import Report, format_s
from support.sim_attacker import Attacker
from support.sim_node import START_MS, SimNode
from support.sim_world import World, simulate

SPACING_S = 10.0
OPEN: Final = NetworkSettings(
    limits=TimeLimits(ping_interval=30.0), max_inbound=32, max_outbound=8, feeler_interval_s=20.0, seed_interval_s=5.0
)
FALSE_PLACES: Final = 4000
"""Addresses in the attacker's networks at which no node listens."""


class Eclipser(Attacker):
    """An attacker that behaves like a node, knows only its operator's addresses, and announces them as often
    as it may.
    """

    def __init__(self, world: World, number: int, host: str, told: list[KnownAddress]) -> None:
        super().__init__(world, number, host=host)
        self.told = told

    async def on_link(self, link: Link) -> None:
        while True:
            await self.send(link, AnnounceAddresses(tuple(self.rng.sample(self.told, 10))))
            await asyncio.sleep(1.1)

    async def on_message(self, link: Link, message: Message) -> None:
        if isinstance(message, GetAddresses):
            await self.send(link, Addresses(message.request, "", tuple(self.rng.sample(self.told, 512))))


def make_eclipsers(world: World, count: int, groups: int) -> list[Eclipser]:
    """Add ids in `groups` networks of one operator, which also announces thousands of false addresses."""
    seen_s = START_MS // 1000
    hosts = [f"{150 + n % groups}.7.{n // 250}.{n % 250}" for n in range(count)]
    told = [
        KnownAddress(world.rng.randbytes(32), f"{150 + n % groups}.7.{8 + n // 250 % 200}.{n % 250}", 9000, seen_s)
        for n in range(FALSE_PLACES)
    ]
    eclipsers = [Eclipser(world, number, host, told) for number, host in enumerate(hosts)]
    told += [KnownAddress(one.id, one.address.host, one.address.port, seen_s) for one in eclipsers]
    return eclipsers


def run_eclipse(seed: int, count: int, attackers: int = 60, groups: int = 2, minutes: float = 4.0) -> Report:
    """A new node with one honest seed is dialled by sixty dishonest peers from two networks and restarts twice."""

    async def scenario(world: World) -> Report:
        seed_node = world.add_node(OPEN)
        settings = replace(OPEN, seeds=(seed_node.address,))
        nodes = [seed_node, *world.add_nodes(count - 1, settings)]
        await world.start()
        await world.until(lambda: all(len(node.peer_ids) >= 3 for node in nodes), 300)
        mine_evenly(world, nodes)
        victim = world.add_node(settings)
        eclipsers = make_eclipsers(world, attackers, groups)
        for eclipser in eclipsers:
            await eclipser.listen()
            eclipser.attack([victim])
        await world.start([victim])
        outbound, behind = [], 0.0
        for _ in range(3):
            await asyncio.sleep(60 * minutes / 3)
            outbound.append(count_honest(victim, nodes))
            behind = max(behind, await world.until(lambda: is_beside(victim, nodes), 60))
            assert outbound[-1][0] >= 5, f"{outbound[-1][0]} honest of {outbound[-1][1]} outbound links"
            assert outbound[-1][1] - outbound[-1][0] <= groups
            await victim.stop()
            await victim.start(world.group)
        await world.until(lambda: is_beside(victim, nodes), 60)
        world.stop_mining()
        await asyncio.sleep(10)
        await world.settle([*nodes, victim], 60)
        assert victim.net is not None
        book = victim.net.list_addresses()
        honest = {node.id for node in nodes}
        assert all(any(entry.id == node.id for entry in book) for node in nodes[:5])
        check_honest(world, [*nodes, victim])
        figures = {
            "outbound before each restart": ", ".join(f"{good} of {all_} honest" for good, all_ in outbound),
            "honest in the book": f"{sum(entry.id in honest for entry in book)} of {len(book)}",
            "told": f"{world.traffic.messages['AnnounceAddresses']:,} announcements",
        }
        invariant = (
            f"the attacker holds at most one outbound link per network, {groups} of 8; "
            "the node has the honest tip after each restart"
        )
        return Report("eclipse", seed, count + 1, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


def run_poisoning(seed: int, count: int, attackers: int = 10, groups: int = 8, minutes: float = 3.0) -> Report:
    """Ten peers at every node announce thousands of false addresses; then a new node looks for peers."""

    async def scenario(world: World) -> Report:
        seed_node = world.add_node(OPEN)
        settings = replace(OPEN, seeds=(seed_node.address,))
        nodes = [seed_node, *world.add_nodes(count - 1, settings)]
        await world.start()
        await world.until(lambda: all(len(node.peer_ids) >= 3 for node in nodes), 300)
        mine_evenly(world, nodes)
        for eclipser in make_eclipsers(world, attackers, groups):
            eclipser.attack(nodes)
        await asyncio.sleep(60 * minutes)
        newcomer = world.add_node(settings)
        began = world.now
        await world.start([newcomer])
        await world.until(lambda: count_honest(newcomer, nodes)[0] >= 5, 180)
        company = world.now - began
        await world.until(lambda: is_beside(newcomer, nodes), 60)
        caught_up = world.now - began
        honest = {node.id for node in nodes}
        books = [node.net.list_addresses() for node in nodes if node.net is not None]
        lost = sum(len(honest & set(node.peer_ids)) < 3 for node in nodes)
        assert lost == 0, f"{lost} nodes have lost their honest peers"
        for book in books:
            assert len(book) < FALSE_PLACES
            assert sum(entry.id in honest for entry in book) >= min(count // 2, 8)
        world.stop_mining()
        await asyncio.sleep(10)
        await world.settle([*nodes, newcomer], 60)
        check_honest(world, [*nodes, newcomer])
        false = sorted(sum(entry.id not in honest for entry in book) for book in books)
        figures = {
            "false places in a book": f"{false[len(false) // 2]} (median), {false[-1]} (most) of {FALSE_PLACES} told",
            "a new node has five honest peers within": format_s(company),
            "and the tip within": format_s(caught_up),
        }
        invariant = (
            "all nodes keep their honest peers and addresses; "
            "a new node with one honest seed finds five honest peers in time"
        )
        return Report("address book poisoning", seed, count + 1, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))


def count_honest(victim: SimNode, nodes: list[SimNode]) -> tuple[int, int]:
    """Return the number of outbound links to honest nodes, and the number of all outbound links."""
    assert victim.net is not None
    honest = {node.id for node in nodes}
    links = [peer for peer in victim.net.peers() if peer.is_outbound and not peer.is_brief]
    return sum(peer.id in honest for peer in links), len(links)


def is_beside(victim: SimNode, nodes: list[SimNode]) -> bool:
    return victim.ledger.tip.header.height >= nodes[0].ledger.tip.header.height - 1
