"""Tests events: every subscriber gets them, queues are bounded, and the newest is never lost."""

import asyncio

from inos.chain.events import MatrixAdded, MatrixWanted
from inos.core.events import EventBus
from inos.primitives.units import MatrixId


def make_event(number: int) -> MatrixAdded:
    return MatrixAdded(MatrixId(bytes([number]) * 32))


async def test_every_listener_gets_what_comes_after_it_began() -> None:
    bus = EventBus()
    bus.publish(make_event(0))
    async with bus.subscribe() as first, bus.subscribe() as second:
        bus.publish(make_event(1))
        assert [await anext(first), await anext(second)] == [make_event(1)] * 2
    bus.publish(make_event(2))


async def test_overflow_drops_the_oldest_and_counts_it() -> None:
    bus = EventBus()
    async with bus.subscribe(limit=2) as events:
        for number in range(5):
            bus.publish(make_event(number))
        assert events.missed == 3
        assert [await anext(events), await anext(events)] == [make_event(3), make_event(4)]


async def test_waiting_for_a_kind_passes_over_others_and_ends_in_time() -> None:
    bus = EventBus()
    async with bus.subscribe() as events:
        bus.publish(MatrixWanted((MatrixId(bytes(32)),)))
        bus.publish(make_event(1))
        bus.publish(make_event(2))
        async with asyncio.timeout(60):
            await events.wait_for(MatrixAdded, limit_s=60)
            assert await anext(events) == make_event(2)
            await events.wait_for(MatrixAdded, limit_s=0.01)
