"""Tests lookups and provider records among hundreds of nodes, some of them dead or lying."""

import asyncio
import math
import random

import pytest

from inos.network.discovery.routing.settings import RoutingSettings
from inos.network.identity import PeerAddress
from inos.network.wire.kademlia import Contact, FindNodes, FindProviders, Nodes, Providers
from inos.network.wire.matrices import GetMatrix, GetStrips, MatrixHead, Strip, Strips
from inos.primitives.errors import MatrixMissing
from support.routing_world import LoopClock, World, make_liar, run_virtual

STRIPS = [bytes([n]) * 16_384 for n in range(3)]


def test_a_lookup_ends_at_the_nearest_nodes_in_few_hops():
    async def work() -> None:
        world = World(400)
        world.introduce()
        rng = random.Random(1)
        for _ in range(10):
            key = rng.randbytes(32)
            outcome = await rng.choice(world.all).routing._find_nodes(key)
            nearest = {node.address.id for node in world.list_nearest(key, 20)}
            found = {address.id for address in outcome.closest}
            assert len(found & nearest) >= 18
            assert len(outcome.closest) == 20
            assert outcome.hops <= math.log2(400) / 2
            assert outcome.asked <= 60

    run_virtual(work())


def test_a_node_that_knows_one_other_learns_the_network_and_is_learned():
    async def work() -> None:
        world = World(50)
        async with asyncio.TaskGroup() as group:
            first, *others = world.all
            tasks = [group.create_task(node.routing.run()) for node in world.all]
            for node in others:
                node.connect(first, is_full=True)
                await asyncio.sleep(2.0)
            await asyncio.sleep(1200.0)
            sizes = sorted(len(node.routing._table) for node in world.all)
            assert sizes[0] >= 20
            assert sizes[25] >= 25
            key = random.Random(2).randbytes(32)
            outcome = await others[-1].routing._find_nodes(key)
            nearest = {node.address.id for node in world.list_nearest(key, 20)}
            assert len({address.id for address in outcome.closest} & nearest) >= 18
            for task in tasks:
                task.cancel()

    run_virtual(work())


async def provide_and_find(world: World, seekers: int) -> tuple[int, list[int], float]:
    honest = [node for node in world.all if node.lie is None and not node.is_dead]
    provider = honest[0]
    id = provider.matrices.put(STRIPS)
    kept = await provider.routing.provide(id)
    found, slowest = [], 0.0
    for seeker in honest[1 : seekers + 1]:
        started = asyncio.get_running_loop().time()
        providers = await seeker.routing.find_providers(id, 1)
        slowest = max(slowest, asyncio.get_running_loop().time() - started)
        assert providers in ([], [provider.address])
        found.append(len(providers))
    return kept, found, slowest


def test_providers_are_found():
    async def work() -> None:
        world = World(300)
        world.introduce()
        kept, found, slowest = await provide_and_find(world, 20)
        assert kept == 20
        assert found == [1] * 20
        assert slowest < 2.0

    run_virtual(work())


def test_providers_are_found_among_dead_and_lying_nodes():
    """30 % of the nodes are dead and dialled in vain, and 20 % lie; half of the network is honest and alive."""

    async def work() -> None:
        world = World(300, seed=3)
        world.introduce()
        others = world.all[1:]
        world.rng.shuffle(others)
        for node in others[:90]:
            node.is_dead = True
        for node in others[90:150]:
            node.lie = make_liar(world, node)
        kept, found, slowest = await provide_and_find(world, 20)
        assert kept >= 8
        assert found == [1] * 20
        assert slowest < 60.0

    run_virtual(work())


def test_many_names_from_one_liar_cost_little():
    """If dead names did not count against the nodes that gave them, each liar would cost twenty dials."""

    async def work() -> None:
        world = World(200, seed=4)
        world.introduce()
        liars = world.all[100:140]
        for node in liars:
            node.lie = make_liar(world, node)
        outcome = await world.all[0].routing._find_nodes(random.Random(4).randbytes(32))
        answered = {address.id for address in outcome.closest}
        assert len(answered) == 20
        met = sum(node.peers.get(world.all[0].address.id) is not None for node in liars)
        assert met >= 2
        assert outcome.failed <= 6 * met

    run_virtual(work())


def test_ids_ground_for_a_key_on_one_operators_machines_do_not_own_it():
    async def work() -> None:
        world = World(100, seed=12)
        key = random.Random(12).randbytes(32)
        for number in range(30):
            node = world.add(f"93.184.{number}.1")
            del world.by_id[node.address.id]
            node.address = PeerAddress(key[:31] + bytes([number]), node.address.host, 9000)
            node.routing = type(node.routing)(
                node.address.id, node.matrices, world.settings, node, node._punish, LoopClock(), node.rng
            )
            world.nodes[node.address.host, 9000] = world.by_id[node.address.id] = node
        world.introduce()
        outcome = await world.all[0].routing._find_nodes(key)
        assert len(outcome.closest) == 20
        assert sum(address.host.startswith("93.184.") for address in outcome.closest) == 4

    run_virtual(work())


def test_a_wrong_id_at_an_address_marks_who_named_it():
    async def work() -> None:
        world = World(30, seed=5)
        seeker, liar, victim = world.all[:3]
        key = random.Random(5).randbytes(32)

        def lie(request):
            if isinstance(request, FindNodes):
                made_up = (Contact(key[:30] + bytes([n, 0]), victim.address.host, 9000) for n in range(3))
                return Nodes(request.request, tuple(made_up))
            return None

        liar.lie = lie
        for node in world.all[3:10]:
            seeker.routing._maintenance._see(node.address)
        seeker.routing._maintenance._see(liar.address)
        outcome = await seeker.routing._find_nodes(key)
        assert seeker.punished == [(liar.address.id, "wrong-contact")]
        assert {address.id for address in outcome.closest} <= {node.address.id for node in world.all}

    run_virtual(work())


def test_a_record_is_only_ever_of_the_node_that_sends_it():
    """The record names the sender, at the address from which it was received, even if the message claims
    another one.
    """

    async def work() -> None:
        world = World(3)
        provider, keeper, seeker = world.all
        id = provider.matrices.put(STRIPS)
        provider.claimed_port = 9000
        assert await provider.routing._queries.provide(keeper.address, [id]) == 1
        found = await seeker.routing._queries.find_providers(keeper.address, id)
        assert found.providers == (provider.address,)
        # One that does not listen can be dialled by nobody.
        silent = world.add("40.1.1.1")
        silent.claimed_port = 0
        assert await silent.routing._queries.provide(keeper.address, [id]) == 0

    run_virtual(work())


def test_a_provider_that_has_not_got_it_is_neither_found_nor_kept():
    async def work() -> None:
        world = World(20, seed=6)
        world.introduce()
        honest, boaster, faker, seeker = world.all[:4]
        id = honest.matrices.put(STRIPS)
        info = honest.matrices.info(id)
        # Everyone who saw the job knows the head, but not the strips.
        faker.lie = lambda request: (
            MatrixHead(request.request, info.dtype, info.rows, info.cols, info.root)
            if isinstance(request, GetMatrix)
            else None
        )
        for node in (boaster, faker):
            assert await node.routing._queries.provide(seeker.address, [id]) == 1
        assert await seeker.routing.find_providers(id, 3) == []
        assert seeker.routing.get_status().records == 0
        await honest.routing.provide(id)
        assert await seeker.routing.find_providers(id, 3) == [honest.address]
        with pytest.raises(MatrixMissing):
            await boaster.routing.provide(id)

    run_virtual(work())


def test_a_provider_with_a_wrong_head_is_punished():
    async def work() -> None:
        world = World(3)
        provider, liar, seeker = world.all
        id = provider.matrices.put(STRIPS)
        for wrong in (MatrixHead(0, 1, 16, 16, bytes(32)), MatrixHead(0, 2, 2**24, 1, bytes(32))):
            liar.lie = lambda request, wrong=wrong: (
                MatrixHead(request.request, wrong.dtype, wrong.rows, wrong.cols, wrong.root)
                if isinstance(request, GetMatrix)
                else None
            )
            await liar.routing._queries.provide(seeker.address, [id])
            assert await seeker.routing.find_providers(id, 1) == []
        true = provider.matrices.info(id)
        ((strip, path),) = provider.matrices.get_strips(id, 1, 1)

        def lie(request):
            if isinstance(request, GetMatrix):
                return MatrixHead(request.request, true.dtype, true.rows, true.cols, true.root)
            if isinstance(request, GetStrips):
                # The answer is always the second strip, so it is right only if that one was asked for.
                return Strips(request.request, request.first, (Strip(strip, path),))
            return None

        liar.lie = lie
        for _ in range(4):
            await liar.routing._queries.provide(seeker.address, [id])
            await seeker.routing.find_providers(id, 1)
        assert [code for _, code in seeker.punished[:3]] == ["wrong-matrix", "bad-shape", "bad-path"]

    run_virtual(work())


def test_made_up_providers_do_not_crowd_out_the_true_one():
    async def work() -> None:
        world = World(40, seed=7)
        world.introduce()
        provider, seeker = world.all[:2]
        id = provider.matrices.put(STRIPS)
        await provider.routing.provide(id)
        for node in world.all[2:12]:
            node.lie = make_liar(world, node)
        assert await seeker.routing.find_providers(id, 1) == [provider.address]

    run_virtual(work())


def test_records_expire_and_are_told_again_before():
    settings = RoutingSettings(record_ttl_s=600.0, provide_again_s=200.0)

    async def work() -> None:
        world = World(12, settings=settings)
        world.introduce()
        provider, seeker = world.all[:2]
        id = provider.matrices.put(STRIPS)
        async with asyncio.TaskGroup() as group:
            tasks = {node: group.create_task(node.routing.run()) for node in world.all}
            await asyncio.sleep(60.0)  # The store is provided without anybody asking for it.
            assert await seeker.routing.find_providers(id, 1) == [provider.address]
            await asyncio.sleep(3000.0)
            assert await seeker.routing.find_providers(id, 1) == [provider.address]
            tasks[provider].cancel()
            await asyncio.sleep(700.0)
            assert sum(node.routing.get_status().records for node in world.all) == 0
            assert await seeker.routing.find_providers(id, 1) == []
            for task in tasks.values():
                task.cancel()

    run_virtual(work())


def test_a_new_neighbour_is_told_at_once():
    async def work() -> None:
        world = World(3)
        provider, middle, seeker = world.all
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(node.routing.run()) for node in world.all]
            ids = [provider.matrices.put([bytes([n]) * 16_384]) for n in range(40)]
            for id in ids:
                provider.routing.on_added(id)
            await asyncio.sleep(30.0)
            middle.connect(provider, is_full=True)
            await asyncio.sleep(10.0)
            assert middle.routing.get_status().records == 40
            seeker.connect(middle, is_full=True)
            assert await seeker.routing.find_providers(ids[17], 1) == [provider.address]
            for task in tasks:
                task.cancel()

    run_virtual(work())


def test_only_nodes_near_a_key_keep_its_records():
    async def work() -> None:
        world = World(200, seed=8)
        world.introduce()
        provider = world.all[0]
        id = provider.matrices.put(STRIPS)
        far = world.list_nearest(id, 200)[-1]
        near = world.list_nearest(id, 2)[-1]
        assert await provider.routing._queries.provide(far.address, [id]) == 0
        assert await provider.routing._queries.provide(near.address, [id]) == 1

    run_virtual(work())


def test_a_contact_that_died_is_replaced_and_one_that_lives_is_not():
    async def work() -> None:
        world = World(300, seed=9)
        node, others = world.all[0], world.all[1:]
        far = [other for other in others if (other.address.id[0] ^ node.address.id[0]) & 0x80]
        near = [other for other in others if other not in far][:20]
        for other in (*near, *far[:20]):
            node.routing._maintenance._see(other.address)
        far[0].is_dead = True
        async with asyncio.TaskGroup() as group:
            task = group.create_task(node.routing.run())
            node.connect(near[0], is_full=True)
            await asyncio.sleep(100.0)
            for other in far[20:23]:
                node.routing._maintenance._see(other.address)
            await asyncio.sleep(20.0)
            task.cancel()
        table = node.routing._table
        assert table.get(far[0].address.id) is None
        assert all(table.get(other.address.id) is not None for other in far[1:20])
        assert sum(table.get(other.address.id) is not None for other in far[20:23]) == 1

    run_virtual(work())


def test_a_table_outlives_a_network_that_is_away():
    async def work() -> None:
        world = World(40, seed=10)
        world.introduce()
        node = world.all[0]
        before = len(node.routing._table)
        for other in world.all[1:]:
            other.is_dead = True
        async with asyncio.TaskGroup() as group:
            task = group.create_task(node.routing.run())
            await asyncio.sleep(4000.0)
            assert len(node.routing._table) == before
            task.cancel()

    run_virtual(work())


def test_a_claimed_address_is_dialled_before_it_is_told():
    """A peer that claims a port where another node listens would otherwise make an honest node pass on wrong
    addresses.
    """

    async def work() -> None:
        world = World(4, seed=11)
        node, framer, honest, asker = world.all
        framer.claimed_port = 1
        async with asyncio.TaskGroup() as group:
            task = group.create_task(node.routing.run())
            framer.connect(node, is_full=True)
            honest.connect(node, is_full=True)
            await asyncio.sleep(100.0)
            told = await asker.routing._queries.find_nodes(node.address, framer.address.id)
            assert told == (honest.address,)
            task.cancel()

    run_virtual(work())


@pytest.mark.parametrize("host", ["seed.example", "::ffff:1.2.3.4", "0.0.0.0", "2001:0db8::1"])
def test_a_contact_that_is_no_address_is_a_fault(host):
    async def work() -> None:
        world = World(2)
        asker, liar = world.all
        liar.lie = lambda request: (
            Providers(request.request, (Contact(bytes(32), host, 1),), ())
            if isinstance(request, FindProviders)
            else Nodes(request.request, (Contact(bytes(32), host, 1),))
        )
        with pytest.raises(Exception, match="a contact has no valid address"):
            await asker.routing._queries.find_nodes(liar.address, bytes(32))
        with pytest.raises(Exception, match="a contact has no valid address"):
            await asker.routing._queries.find_providers(liar.address, bytes(32))
        assert [code for _, code in asker.punished] == ["bad-contact"] * 2

    run_virtual(work())


def test_strangers_do_not_send_anybody_into_the_own_site():
    async def work() -> None:
        world = World(2)
        asker, liar = world.all
        inside = (Contact(bytes(32), "127.0.0.1", 22), Contact(bytes(32), "192.168.0.1", 80))
        outside = Contact(bytes([1]) * 32, "30.1.1.1", 9000)
        liar.lie = lambda request: Nodes(request.request, (*inside, outside))
        told = await asker.routing._queries.find_nodes(liar.address, bytes(32))
        assert told == (PeerAddress(bytes([1]) * 32, "30.1.1.1", 9000),)

    run_virtual(work())
