"""Tests the work that a peer may cause, when it hears of transactions, and the page that describes this."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from inos.core.bounded import TokenBucket
from inos.network.peers.kinds import LinkKind
from inos.network.peers.peer import Peer
from inos.network.peers.send_queue import SendQueue
from inos.network.peers.work_budget import (
    MAX_WAIT_S,
    PeerWorkBudget,
    compute_answer_cost,
    compute_cost,
    make_shared_budget,
)
from inos.network.sync.relay.announcer import Announcer
from inos.network.wire.chain import GetBlocks, Headers
from inos.network.wire.compact import CompactBlock
from inos.network.wire.control import Hello
from inos.network.wire.limits import (
    LEAST_COST_MS,
    LIMITS,
    RECEIVED_COST_MS,
    RESERVE_MS_BURST,
    SHARED_MS_BURST,
    SHARED_MS_PER_S,
)
from inos.network.wire.matrices import Strip, Strips
from inos.network.wire.transactions import AnnounceTransactions
from inos.primitives.transactions import compute_tx_id
from support.network_fakes import make_tx, until
from support.sim_loop import virtually

IDS = [compute_tx_id(make_tx(nonce)) for nonce in range(4)]


class HandClock:
    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now

    def now_ms(self) -> int:
        return int(self.now * 1000)


def make_peer(clock: HandClock, kind: LinkKind = LinkKind.INBOUND) -> Peer:
    link = SimpleNamespace(remote_address="127.0.0.1:9", remote_id=bytes(32))
    hello = Hello(1, 7, bytes(32), "test", bytes(32), 0, bytes(32), 9, False)
    return Peer(link, hello, clock, kind)


def test_spending_more_than_there_is_must_be_waited_for():
    bucket = TokenBucket(10.0, 20.0, 0.0)
    assert bucket.spend(0.0, 20.0) == 0.0
    assert bucket.spend(0.0, 5.0) == pytest.approx(0.5)
    assert bucket.spend(0.5, 0.0) == pytest.approx(0.0)
    assert bucket.spend(100.0, 20.0) == 0.0


def test_a_peer_that_asks_too_much_waits_and_one_that_asks_little_never_does():
    shared = make_shared_budget(0.0)
    greedy, modest = PeerWorkBudget(shared, 0.0), PeerWorkBudget(shared, 0.0)
    cost = compute_answer_cost(GetBlocks, 1 << 20)
    assert cost == pytest.approx(LIMITS[GetBlocks].cost_ms + 10.24)
    spent, waits = 0.0, []
    while spent < RESERVE_MS_BURST + SHARED_MS_BURST + 1000:
        waits.append(greedy.charge(0.0, cost))
        spent += cost
    assert waits[: int(RESERVE_MS_BURST / cost)] == [0.0] * int(RESERVE_MS_BURST / cost)
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(1000 / SHARED_MS_PER_S, rel=0.05)
    # The other one has a reserve, and when that is used up it waits as long as all.
    assert modest.charge(0.0, cost) == 0.0
    while modest.charge(0.0, cost) == 0.0:
        spent += cost
    assert modest.charge(0.0, cost) == MAX_WAIT_S
    # With time all is paid for.
    assert greedy.charge(60.0, cost) == modest.charge(60.0, cost) == 0.0


def test_the_cost_of_news_follows_its_size_and_that_of_a_block_does_not():
    half = LIMITS[AnnounceTransactions].max_bytes // 2
    received = RECEIVED_COST_MS
    news = LIMITS[AnnounceTransactions].cost_ms
    assert compute_cost(AnnounceTransactions, half) == pytest.approx(news / 2 + half * received)
    assert compute_cost(AnnounceTransactions, 40) == LEAST_COST_MS + 40 * received
    assert compute_cost(CompactBlock, 40) == LIMITS[CompactBlock].cost_ms + 40 * received
    assert compute_cost(GetBlocks, 500) == LEAST_COST_MS + 500 * received


async def test_an_answers_bytes_are_counted_and_those_of_bulk_are_not():
    lanes = SendQueue()
    await lanes.put(Headers(1, ()))
    size = lanes.put_bytes
    assert size > 0
    await lanes.put(Strips(1, 0, (Strip(bytes(16_384), ()),)))
    assert lanes.put_bytes == size


class Dice:
    """Returns the given numbers in turn, and the last one for ever."""

    def __init__(self, *numbers: float) -> None:
        self._numbers = list(numbers)

    def random(self) -> float:
        return self._numbers.pop(0) if len(self._numbers) > 1 else self._numbers[0]


async def collect(peer: Peer, told: list[tuple[str, bytes]], name: str) -> None:
    def send(message: object) -> bool:
        assert isinstance(message, AnnounceTransactions)
        told.extend((name, id) for id in message.ids)
        return True

    peer.send = send  # type: ignore[method-assign]


@pytest.fixture
def pool() -> SimpleNamespace:
    return SimpleNamespace(list_ids=list, has=lambda id: id != IDS[3], get=lambda _: None)


async def run_until(announcer: Announcer, is_true: Callable[[], object]) -> None:
    async with asyncio.TaskGroup() as group:
        work = group.create_task(announcer.run())
        await until(is_true)
        work.cancel()


@virtually
async def test_each_peer_hears_at_its_own_time(pool):
    clock = SimpleNamespace(monotonic=asyncio.get_running_loop().time, now_ms=lambda: 0)
    near, far = make_peer(clock, LinkKind.OUTBOUND), make_peer(clock, LinkKind.INBOUND)
    told: list[tuple[str, bytes]] = []
    await collect(near, told, "near")
    await collect(far, told, "far")
    # Same draw for both: who dialled here waits twice as long.
    announcer = Announcer(SimpleNamespace(mempool=pool), 0.05, clock, Dice(0.5), lambda: (near, far))
    announcer.add_peer(far)
    announcer.add_peer(near)
    far.known_transactions.add(IDS[1])
    for id in IDS:
        announcer.on_transaction(id)
    await run_until(announcer, lambda: len(told) == 5)
    assert told == [("near", IDS[0]), ("near", IDS[1]), ("near", IDS[2]), ("far", IDS[0]), ("far", IDS[2])]


@virtually
async def test_what_a_full_lane_refuses_is_told_later(pool):
    clock = SimpleNamespace(monotonic=asyncio.get_running_loop().time, now_ms=lambda: 0)
    peer = make_peer(clock)
    told: list[tuple[str, bytes]] = []
    await collect(peer, told, "it")
    take, refusals = peer.send, [False, False]
    peer.send = lambda message: refusals.pop() if refusals else take(message)  # type: ignore[method-assign]
    announcer = Announcer(SimpleNamespace(mempool=pool), 0.005, clock, Dice(0.3, 0.9, 0.1), lambda: (peer,))
    announcer.add_peer(peer)
    announcer.on_transaction(IDS[0])
    announcer.on_transaction(IDS[1])
    await run_until(announcer, lambda: len(told) == 2)
    assert told == [("it", IDS[0]), ("it", IDS[1])]
    assert not refusals
