"""The monitor compares the clock with the blocks of other miners only."""

from types import SimpleNamespace
from typing import Any

from inos.core.monitor import MIN_SAMPLES, NodeMonitor


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
