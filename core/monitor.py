"""The monitor observes the node itself: the delay of its event loop, the blocks that arrive, the error of its clock."""

import asyncio
from collections import deque
from statistics import median
from typing import Final

from msgspec import Struct

from inos.chain.events import BlockEarly, TipChanged
from inos.core.events import Event, EventBus
from inos.primitives.clock import Clock
from inos.primitives.units import Address

LOOK_S: Final = 1.0
SAMPLES: Final = 11
"""The clock is compared with this many blocks of other miners."""
MIN_SAMPLES: Final = 5
RECENT_S: Final = 3600.0
MIN_EARLY: Final = 3
EARLY_S: Final = 30.0
"""If only blocks from the future came for so long, and at least MIN_EARLY of them, this clock is slow. It takes some
time, since anybody may send one."""
MAX_EARLY: Final = 64
LATE_BLOCKS: Final = 2
"""A tip that moves by more blocks was synced, so its time says nothing about this clock."""


class NodeStats(Struct, frozen=True, kw_only=True):
    """Holds what the node observed of itself since it was started."""

    uptime_s: float
    loop_lag_s: float
    """The last sleep of the event loop was this much longer than requested."""
    blocks_connected: int
    blocks_undone: int
    deepest_reorganisation: int
    """The deepest one of the last hour disconnected this many blocks."""
    clock_ahead_ms: int | None
    """This clock is this far ahead of the clocks of the miners; it is None before enough blocks have arrived."""


class NodeMonitor:
    """Observes the node until cancelled.

    Args:
        own: the node mines for this address. Blocks of it carry this node's own clock, and are not compared with it.
    """

    def __init__(self, events: EventBus, clock: Clock, own: Address | None) -> None:
        self._events = events
        self._clock = clock
        self._own = own
        self._ages_ms: deque[int] = deque(maxlen=SAMPLES)
        self._early: deque[tuple[float, int]] = deque(maxlen=MAX_EARLY)
        """Blocks from the future since the last one was connected: when they came, and how far ahead they were."""
        self._lag_s = 0.0
        self._connected = self._undone = 0
        self._reorganisations: deque[tuple[float, int]] = deque()
        """Time and depth of those that no later one exceeds, the deepest first."""
        self._started = clock.monotonic()

    def get_stats(self) -> NodeStats:
        """Return what was observed so far."""
        return NodeStats(
            uptime_s=self._clock.monotonic() - self._started,
            loop_lag_s=self._lag_s,
            blocks_connected=self._connected,
            blocks_undone=self._undone,
            deepest_reorganisation=self._get_deepest(),
            clock_ahead_ms=self._compute_ahead(),
        )

    async def run(self) -> None:
        """Observe until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_loop())
            group.create_task(self._watch_tip())

    async def _watch_loop(self) -> None:
        """Measure how much longer than requested a sleep takes, which is how long other work kept the loop."""
        while True:
            began = self._clock.monotonic()
            await asyncio.sleep(LOOK_S)
            self._lag_s = max(0.0, self._clock.monotonic() - began - LOOK_S)

    async def _watch_tip(self) -> None:
        async with self._events.subscribe() as events:
            async for event in events:
                self._count(event)

    def _count(self, event: Event) -> None:
        if isinstance(event, BlockEarly):
            self._early.append((self._clock.monotonic(), event.ahead_ms))
        elif isinstance(event, TipChanged):
            self._count_blocks(event)

    def _count_blocks(self, event: TipChanged) -> None:
        self._early.clear()
        self._connected += len(event.connected)
        self._undone += len(event.disconnected)
        if event.disconnected:
            self._add_reorganisation(len(event.disconnected))
        header = event.tip.header
        if len(event.connected) <= LATE_BLOCKS and header.beneficiary != self._own:
            self._ages_ms.append(self._clock.now_ms() - header.time_ms)

    def _add_reorganisation(self, depth: int) -> None:
        while self._reorganisations and self._reorganisations[-1][1] <= depth:
            self._reorganisations.pop()
        self._reorganisations.append((self._clock.monotonic(), depth))

    def _get_deepest(self) -> int:
        """Return the depth of the deepest reorganisation of the last hour; an older one is no reason for an alert."""
        since = self._clock.monotonic() - RECENT_S
        while self._reorganisations and self._reorganisations[0][0] < since:
            self._reorganisations.popleft()
        return self._reorganisations[0][1] if self._reorganisations else 0

    def _compute_ahead(self) -> int | None:
        """Return how far this clock is ahead of the miners' clocks, or None before enough of their blocks have come.

        A block is somewhat old when it arrives, never young. So a clock behind the miners' is noticed at once, and one
        ahead of them only beyond the time that blocks take to arrive. Deferred blocks tell of a clock that is so far
        behind that no block is taken.
        """
        if len(self._early) >= MIN_EARLY and self._early[-1][0] - self._early[0][0] >= EARLY_S:
            return -round(median(ahead_ms for _, ahead_ms in self._early))
        if len(self._ages_ms) < MIN_SAMPLES:
            return None
        return round(median(self._ages_ms))
