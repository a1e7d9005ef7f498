"""What a node notices of itself over time: how late its loop is, how blocks come, whether its clock is theirs."""

import asyncio
from collections import deque
from statistics import median
from typing import Final

from inos.chain.events import TipChanged
from inos.core.service import NodeService
from inos.primitives.clock import Clock
from inos.primitives.units import Address
from inos.rpc import Pulse

LOOK_S: Final = 1.0
SAMPLES: Final = 11
"""Blocks of others that the clock is compared with."""
MIN_SAMPLES: Final = 5
LATE_BLOCKS: Final = 2
"""A block that brings more than so many others was synced, not just found: its time says nothing of our clock."""


class PulseTaker:
    """Runs until cancelled; `get` tells what it has seen.

    Args:
        own: whose blocks are made by this node's clock, and say nothing about it.
    """

    def __init__(self, service: NodeService, clock: Clock, own: Address | None) -> None:
        self._service = service
        self._clock = clock
        self._own = own
        self._ages_ms: deque[int] = deque(maxlen=SAMPLES)
        self._lag_s = 0.0
        self._connected = self._undone = self._deepest = 0
        self._started = clock.monotonic()

    def get(self) -> Pulse:
        """One picture."""
        return Pulse(
            uptime_s=self._clock.monotonic() - self._started,
            loop_lag_s=self._lag_s,
            blocks_connected=self._connected,
            blocks_undone=self._undone,
            deepest_reorganisation=self._deepest,
            clock_ahead_ms=self._compute_ahead(),
        )

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_loop())
            group.create_task(self._watch_tip())

    async def _watch_loop(self) -> None:
        """What a sleep takes longer than asked for is how long others kept the loop."""
        while True:
            began = self._clock.monotonic()
            await asyncio.sleep(LOOK_S)
            self._lag_s = max(0.0, self._clock.monotonic() - began - LOOK_S)

    async def _watch_tip(self) -> None:
        async with self._service.subscribe() as events:
            async for event in events:
                if isinstance(event, TipChanged):
                    self._count(event)

    def _count(self, event: TipChanged) -> None:
        self._connected += len(event.connected)
        self._undone += len(event.disconnected)
        self._deepest = max(self._deepest, len(event.disconnected))
        header = event.tip.header
        if len(event.connected) <= LATE_BLOCKS and header.beneficiary != self._own:
            self._ages_ms.append(self._clock.now_ms() - header.time_ms)

    def _compute_ahead(self) -> int | None:
        """How much this clock is ahead of those of the miners; None before enough of their blocks have come.

        A block is somewhat old when it comes, never young: so a clock behind theirs is seen at once, one ahead of
        them only beyond what blocks take to be found after their time was written.
        """
        if len(self._ages_ms) < MIN_SAMPLES:
            return None
        return round(median(self._ages_ms))
