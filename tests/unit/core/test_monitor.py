"""The monitor compares the clock with the blocks of other miners only."""

from types import SimpleNamespace
from typing import Any

import pytest

from inos.core.monitor import MIN_SAMPLES, NodeMonitor
from inos.primitives.errors import ClockAhead


async def test_the_clock_is_compared_with_others_blocks_only(lab: Any) -> None:
    """A clock that is nine seconds slow sees the blocks of others come from the future."""
    ahead, behind = lab.open("ahead"), lab.open("behind")
    monitor = NodeMonitor(
        behind.events, SimpleNamespace(now_ms=lambda: lab.clock.now - 9000, monotonic=lambda: 0.0), None
    )
    mine = NodeMonitor(behind.events, lab.clock, lab.miner.address)
    async with behind.events.subscribe() as events:
        for _ in range(MIN_SAMPLES):
            assert monitor.get_stats().clock_ahead_ms is None
            await lab.extend(ahead, behind)
            event = await anext(events)
            monitor._count(event)
            mine._count(event)
    assert monitor.get_stats().clock_ahead_ms == -9000
    assert monitor.get_stats().blocks_connected == MIN_SAMPLES
    assert mine.get_stats().clock_ahead_ms is None


def test_the_deepest_reorganisation_is_that_of_the_last_hour() -> None:
    now = 0.0
    seen = []
    clock: Any = SimpleNamespace(now_ms=lambda: 0, monotonic=lambda: now)
    monitor = NodeMonitor(SimpleNamespace(), clock, None)  # type: ignore[arg-type]
    for time_s, depth in ((0, 8), (600, 2), (1200, 3), (3500, 0), (3700, 0), (4900, 1), (9000, 0)):
        now = float(time_s)
        if depth:
            monitor._add_reorganisation(depth)
        seen.append(monitor.get_stats().deepest_reorganisation)
    assert seen == [8, 8, 8, 8, 3, 1, 0]


async def test_a_clock_so_slow_that_no_block_is_taken_is_told(lab: Any) -> None:
    ahead, behind = lab.open("ahead"), lab.open("behind")
    await lab.extend(ahead)
    tip = ahead.ledger.tip
    header, now = tip.header, SimpleNamespace(value=0.0)
    real = lab.clock.now
    monitor = NodeMonitor(
        behind.events, SimpleNamespace(now_ms=lambda: lab.clock.now, monotonic=lambda: now.value), None
    )
    async with behind.events.subscribe() as events:
        lab.clock.now = real - 3_600_000
        for now.value in (0.0, 10.0, 20.0, 30.0):
            assert monitor.get_stats().clock_ahead_ms is None
            with pytest.raises(ClockAhead):
                await behind.blocks.add_headers([header])
            monitor._count(await anext(events))
        block, witness = ahead.ledger.get_block(tip.id), ahead.ledger.get_witness(tip.id)
        with pytest.raises(ClockAhead):
            await behind.blocks.add(block, witness)
        monitor._count(await anext(events))
        assert monitor.get_stats().clock_ahead_ms == lab.clock.now - header.time_ms
        lab.clock.now = real
        await behind.blocks.add(block, witness)
        monitor._count(await anext(events))
    assert monitor.get_stats().clock_ahead_ms is None
