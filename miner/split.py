"""A product that is multiplied by several at once: the miner's own engine, and workers.

Strips are taken in order, a part at a time, and finished in any order. Rows are kept in order, as `Product` needs them;
those that came before the rows above them wait in memory. Strips whose taker is late are given to another one too, and
the first to finish counts, so that no taker delays the product by more than the part that it has.

The rows of a product in memory may be written where they are kept before they are checked. One taker of a part does so;
the rows of another one are copied there when it finishes first, once nothing is written there any more.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.miner.product import Product
from inos.miner.stats import MinerStats
from inos.primitives.clock import Clock
from inos.primitives.units import JobId, Tickets
from inos.work import Operand

OWN: Final = 0
"""The number of the miner's own engine as a taker. Those of workers are larger."""
LATE_FACTOR: Final = 2.0
"""A part that takes this many times its expected time is late."""
LEAST_LATE_S: Final = 0.5
"""No part is late before it took this much longer than expected: a busy machine pauses for so long."""
SHARE: Final = 0.9
"""A taker gets at most this part of what is left for it, by its speed, so that all end at about the same time."""
LEAST_PART_S: Final = 0.03
"""Parts are not smaller than this, because each costs a few milliseconds besides."""
MAX_WAITING_BYTES: Final = 256 << 20
"""While so many bytes of rows wait for the rows above them, only the strips that they wait for are given out."""


class Part(Struct, eq=False):
    """Strips [first, last) that were taken."""

    first: int
    last: int
    takers: set[int]
    late_at: float
    seconds: float
    """The latest taker is expected to need so long."""
    due_at: float
    writer: int | None = None
    """The taker whose rows are written where they are kept."""


class SplitProduct:
    """Satisfies inos.workers.ports.PieceSource. It belongs to the event loop.

    Args:
        job: None for a product that nobody pays.
        stats: counts the tickets of workers.
    """

    def __init__(self, product: Product, job: JobId | None, stats: MinerStats, clock: Clock) -> None:
        self.product: Final = product
        self.job: Final = job
        self.own_speed = stats.speed
        self._stats = stats
        self._clock = clock
        self._next = product.strips_done
        """No strip from here on was taken yet."""
        self._returned: list[tuple[int, int]] = []
        self._parts: list[Part] = []
        self._waiting: dict[int, tuple[int, NDArray[np.int32]]] = {}
        self._waiting_bytes = 0
        self._keeping = asyncio.Lock()
        self._writing: dict[asyncio.Future[None], tuple[int, int]] = {}
        """Strips whose place is written now. The worker whose rows these are may have lost them meanwhile."""
        self.changed: Final = asyncio.Event()
        """It is set when strips were finished or given back."""

    @property
    def x(self) -> Operand:
        return self.product.x

    @property
    def w(self) -> Operand:
        return self.product.w

    @property
    def tickets_per_strip(self) -> Tickets:
        return self.product.tickets_per_strip

    @property
    def tickets_left(self) -> Tickets:
        """Return the tickets of the strips that nobody has taken."""
        returned = sum(last - first for first, last in self._returned)
        return Tickets((self.product.strips - self._next + returned) * self.tickets_per_strip)

    @property
    def is_taken(self) -> bool:
        """Return True while others have all that is left, and none of them is late."""
        now = self._clock.monotonic()
        is_stalled = self._waiting_bytes >= MAX_WAITING_BYTES or self._next >= self.product.strips
        return is_stalled and not self._returned and all(part.late_at > now for part in self._parts)

    async def wait(self, limit_s: float) -> None:
        """Wait until strips are finished or given back, at most `limit_s` seconds."""
        self.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self.changed.wait()

    def take(
        self,
        taker: int,
        tickets: int,
        speed: float,
        total: float,
        transfer_s: float = 0.0,
        most: int | None = None,
    ) -> tuple[int, int] | None:
        """Return strips [first, last) to multiply; see inos.workers.ports.PieceSource."""
        now, per_strip = self._clock.monotonic(), self.tickets_per_strip
        strips = max(1, min(tickets, self._compute_share(speed, total, now)) // per_strip)
        found = self._take_free(strips) or self._take_late(taker, now, most)
        if found is None:
            return None
        seconds = (found[1] - found[0]) * per_strip / speed + transfer_s if speed > 0 else float("inf")
        late_at = now + max(LATE_FACTOR * seconds, seconds + LEAST_LATE_S)
        part = next((each for each in self._parts if (each.first, each.last) == found), None)
        if part is None:
            self._parts.append(Part(*found, {taker}, late_at, seconds, now + seconds))
        else:
            part.takers.add(taker)
            part.late_at, part.seconds, part.due_at = late_at, seconds, now + seconds
        return found

    def is_open(self, first: int, last: int) -> bool:
        """Return False if these strips are finished."""
        return self._find(first, last) is not None

    async def write_rows(
        self, taker: int, first: int, last: int, write: Callable[[NDArray[np.int32]], None]
    ) -> NDArray[np.int32] | None:
        """Write the rows of strips [first, last) where they are kept; see inos.workers.ports.PieceSource."""
        part, place = self._find(first, last), self.product.get_place(first, last)
        if part is None or place is None or taker not in part.takers or part.writer is not None:
            return None
        if self._find_writing(first, last) is not None:
            return None
        part.writer = taker
        writing = asyncio.ensure_future(asyncio.to_thread(write, place))
        self._writing[writing] = first, last
        writing.add_done_callback(self._writing.pop)
        await asyncio.shield(writing)
        return place

    def give_back(self, taker: int, first: int, last: int) -> None:
        """Return strips that the taker does not finish; nothing happens if they are finished."""
        part = self._find(first, last)
        if part is None or taker not in part.takers:
            return
        part.takers.discard(taker)
        if part.writer == taker:
            part.writer = None
        if not part.takers:
            self._parts.remove(part)
            self._returned.append((first, last))
            self._returned.sort()
            self.changed.set()

    async def finish(self, taker: int, first: int, last: int, rows: NDArray[np.int32]) -> bool:
        """Take the rows of strips [first, last); return False if another taker was faster.

        Raises:
            InosError: the disk refuses; the strips are to be made again.
        """
        while (writing := self._find_writing(first, last)) is not None:
            await asyncio.wait([writing])
        part = self._find(first, last)
        if part is None:
            return False
        self._parts.remove(part)
        self._waiting[first] = last, rows
        self._waiting_bytes += rows.nbytes
        try:
            async with self._keeping:
                await self._keep()
        finally:
            self.changed.set()
        return True

    def count_tickets(self, tickets: int) -> None:
        """Count tickets that a worker drew of this product."""
        self._stats.count_worker_tickets(tickets, is_job=self.job is not None)

    async def _keep(self) -> None:
        """Keep the rows that no row above them is missing for."""
        product = self.product
        while (found := self._waiting.get(product.strips_done)) is not None:
            first, (last, rows) = product.strips_done, found
            try:
                if product.file is None:
                    product.keep(first, last, rows)
                else:
                    await asyncio.to_thread(product.keep, first, last, rows)
            except BaseException:
                self._returned.append((first, last))
                self._returned.sort()
                raise
            finally:
                del self._waiting[first]
                self._waiting_bytes -= rows.nbytes

    def _find(self, first: int, last: int) -> Part | None:
        return next((part for part in self._parts if (part.first, part.last) == (first, last)), None)

    def _find_writing(self, first: int, last: int) -> asyncio.Future[None] | None:
        """Return what ends when some of these strips' places are not written any more; None if none is."""
        return next((each for each, (top, end) in self._writing.items() if top < last and first < end), None)

    def _compute_share(self, speed: float, total: float, now: float) -> int:
        """Return the tickets that a taker should have next: so many that all takers end at about the same time, which
        depends on what they still do of their parts too.
        """
        if speed <= 0 or speed >= total:
            return self.product.strips * self.tickets_per_strip  # it is alone, or its speed is not known yet
        left = self.tickets_left + sum(self._estimate_left(part, now) for part in self._parts)
        return int(max(SHARE * left * speed / total, LEAST_PART_S * speed))

    def _estimate_left(self, part: Part, now: float) -> float:
        """Return the tickets of a part that its taker has not drawn yet, by its speed."""
        rest = min(1.0, max(0.0, part.due_at - now) / part.seconds) if part.seconds < float("inf") else 1.0
        return (part.last - part.first) * self.tickets_per_strip * rest

    def _take_free(self, most: int) -> tuple[int, int] | None:
        if self._returned:
            first, last = self._returned.pop(0)
            if last - first > most:
                self._returned.insert(0, (first + most, last))
            return first, min(last, first + most)
        if self._next >= self.product.strips or self._waiting_bytes >= MAX_WAITING_BYTES:
            return None
        first = self._next
        self._next = min(self.product.strips, first + most)
        return first, self._next

    def _take_late(self, taker: int, now: float, most: int | None) -> tuple[int, int] | None:
        strips = self.product.strips if most is None else most // self.tickets_per_strip
        late = [
            part
            for part in self._parts
            if part.late_at <= now and taker not in part.takers and part.last - part.first <= strips
        ]
        if not late:
            return None
        part = min(late, key=lambda each: each.first)
        return part.first, part.last
