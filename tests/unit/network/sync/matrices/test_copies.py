"""Tests what a node does about the copies of its matrices, with a router whose answers the test sets."""

import asyncio
import random
from types import SimpleNamespace

import pytest

from inos.mesh.copies import FLOOR, compute_rank
from inos.network.errors import LinkError
from inos.network.identity import PeerAddress
from inos.network.sync.matrices.copies import TRIES, CopyMaintenance
from inos.network.wire.matrices import CopyAnswer, OfferCopy
from inos.primitives.clock import SystemClock
from support.network_fakes import FakeNode, get_address, make_identity, make_service, raw_link, running, until

NODES = [PeerAddress(make_identity(seed).node_id, "127.0.0.1", 8000 + seed) for seed in range(1, 30)]
OWN = make_identity(99).node_id
STRIPS = [b"\x05" * 16_384] * 3


class FakeRouter:
    """`providers` prove to have the matrix; peers that are asked are recorded, and those in `refusing` are not
    reached.
    """

    def __init__(self, keeper_asks):
        self.providers, self.refusing, self.asked = [], set(), keeper_asks
        self.searches = 0

    async def find_providers(self, id, limit):
        self.searches += 1
        return self.providers[:limit]

    async def find_nearest(self, id):
        return sorted(NODES, key=lambda each: compute_rank(each.id, id, [other.id for other in NODES]))

    async def get_or_dial(self, address, limit_s):
        self.asked.append(address)
        if address in self.refusing:
            raise LinkError("nobody", "told so")
        return FakePeer()


class FakePeer:
    """A peer that says yes."""

    def __init__(self):
        self.requests = self

    def open(self, kind):
        return self

    def __enter__(self):
        return SimpleNamespace(request=1, next=self._next)

    def __exit__(self, *_):
        return False

    async def _next(self, limit_s):
        return CopyAnswer(1, True)

    async def send_request(self, pending, request, limit_s):
        assert isinstance(request, OfferCopy)


@pytest.fixture
def keeper():
    """Return a keeper of one matrix that looks every 40 ms, with its node, its router, and the peers that it asked."""
    node, asked = FakeNode(), []
    id = node.matrices.put(STRIPS)
    router = FakeRouter(asked)
    keeper = CopyMaintenance(
        OWN,
        node,
        router,
        router.get_or_dial,
        lambda info, s: True,
        lambda id: None,
        0.04,
        SystemClock(),
        random.Random(1),
    )
    return SimpleNamespace(keeper=keeper, node=node, router=router, asked=asked, id=id)


async def run_until(keeper, check):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        await until(check)
        task.cancel()


async def test_too_few_copies_of_what_is_promised_are_asked_for_near_the_id(keeper):
    keeper.node.matrices.promised.add(keeper.id)
    nearest = await keeper.router.find_nearest(keeper.id)
    keeper.router.refusing = {nearest[1]}
    await run_until(keeper.keeper, lambda: keeper.keeper.invited >= FLOOR - 1)
    assert keeper.asked[:FLOOR] == nearest[:FLOOR]


async def test_holders_are_not_asked_and_enough_are_enough(keeper):
    keeper.node.matrices.promised.add(keeper.id)
    nearest = await keeper.router.find_nearest(keeper.id)
    keeper.router.providers = nearest[:2]
    # The two others are nearer to the id: this one acts when they have not, twice.
    assert compute_rank(OWN, keeper.id, [each.id for each in nearest[:2]]) == 2
    await run_until(keeper.keeper, lambda: keeper.keeper.invited)
    assert keeper.asked == [nearest[2]]
    keeper.router.providers = nearest[:3]
    keeper.asked.clear()
    looked = []
    keeper.router.find_providers = lambda id, limit, old=keeper.router.find_providers: (
        looked.append(id) or old(id, limit)
    )
    await run_until(keeper.keeper, lambda: len(looked) > 5)
    assert keeper.asked == []


async def test_nobody_is_pestered(keeper):
    keeper.node.matrices.promised.add(keeper.id)
    keeper.router.refusing = set(NODES)
    await run_until(keeper.keeper, lambda: keeper.asked)
    assert len(keeper.asked) <= TRIES * (FLOOR - 1)
    assert keeper.keeper.invited == 0


async def test_a_surplus_copy_goes_where_the_store_lets_it_and_no_other(keeper):
    nearest = await keeper.router.find_nearest(keeper.id)
    keeper.router.providers = nearest[:10]
    kept = keeper.node.matrices.put([b"\x06" * 16_384])
    keeper.node.matrices.surplus.add(keeper.id)
    await run_until(keeper.keeper, lambda: not keeper.node.matrices.has(keeper.id))
    assert keeper.keeper.dropped == 1
    assert keeper.node.matrices.has(kept)


async def test_an_offered_copy_is_fetched_from_whoever_has_it():
    first, second = FakeNode(), FakeNode()
    id = first.matrices.put(STRIPS)
    first.matrices.promised.add(id)
    a = make_service(first, 1, copy_check_s=0.1)
    await a.start()
    b = make_service(second, 2, get_address(a), copy_check_s=0.0)
    async with running(a, b):
        await until(lambda: second.matrices.has(id))
    assert second.matrices.lent == {id}


async def test_offers_are_refused_without_room_and_for_what_cannot_be():
    node = FakeNode()
    node.matrices.has_room = False
    a = make_service(node, 1)
    await a.start()
    info = FakeNode().matrices
    id = info.put(STRIPS)
    head = info.heads[id]
    async with running(a), raw_link(9, get_address(a)) as link:
        from support.raw_links import hear, say

        await say(link, OfferCopy(1, head.dtype, head.rows, head.cols, head.root))
        assert await hear(link, CopyAnswer) == CopyAnswer(1, False)
        node.matrices.has_room = True
        await say(link, OfferCopy(2, 2, 2**24, 1, bytes(32)))
        assert await hear(link, CopyAnswer) == CopyAnswer(2, False)
        await say(link, OfferCopy(3, head.dtype, head.rows, head.cols, head.root))
        assert await hear(link, CopyAnswer) == CopyAnswer(3, True)
    assert node.matrices.lent == {id}


GIB = 1 << 30
ROOM = 10 * GIB


class Offered:
    """A keeper whose clock and room the test sets, and peers of several groups that offer copies of 2 GiB."""

    def __init__(self):
        self.node, self.now, self.begun, self.abandoned = FakeNode(), 0.0, [], []
        self.node.matrices.count_lending_room = lambda: (ROOM, ROOM)
        clock = SimpleNamespace(monotonic=lambda: self.now)
        router = FakeRouter([])
        self.keeper = CopyMaintenance(
            OWN, self.node, router, None, self.fetch, self.abandoned.append, 0.0, clock, random.Random(1)
        )

    def fetch(self, info, limit_s):
        self.begun.append(info.id)
        return True

    async def offer(self, group, number):
        said = []

        async def put(message):
            said.append(message.is_taken)

        peer = SimpleNamespace(group=group, out=SimpleNamespace(put=put))
        await self.keeper.handle_request(peer, OfferCopy(1, 1, 2**15, 2**16, number.to_bytes(32, "big")))
        return said[0]

    async def pass_time(self, seconds):
        self.now += seconds
        await self.keeper._follow_promises(self.now)


async def test_one_group_never_takes_all_the_room_for_copies():
    offered = Offered()
    assert [await offered.offer(b"4aa", number) for number in range(4)] == [True, True, False, False]
    assert await offered.offer(b"4bb", 10)
    assert await offered.offer(b"4cc", 11)
    assert not await offered.offer(b"4dd", 12), "all of the room is promised"


async def test_what_is_offered_and_never_sent_is_given_up_and_another_is_taken():
    offered = Offered()
    assert [await offered.offer(b"4aa", number) for number in range(3)] == [True, True, False]
    await offered.pass_time(59)
    assert offered.abandoned == []
    offered.node.matrices.parts[offered.begun[0]] = {0: b"a proven run"}
    await offered.pass_time(2)
    assert offered.abandoned == [offered.begun[1]]
    assert await offered.offer(b"4aa", 3)
    await offered.pass_time(900)
    assert offered.abandoned == [offered.begun[1], offered.begun[0], offered.begun[2]]
    assert offered.begun[0] not in offered.node.matrices.parts


async def test_many_small_offers_of_one_group_are_bounded_in_number():
    offered = Offered()
    offered.node.matrices.count_lending_room = lambda: (1 << 60, 1 << 60)
    taken = [await offered.offer(f"4{number % 2}x".encode(), number) for number in range(100)]
    assert sum(taken) == 32
    taken = [await offered.offer(f"5{number % 4}x".encode(), 1000 + number) for number in range(100)]
    assert sum(taken) == 32
