"""How large a piece a worker gets, if any: by its speed, its line, its memory, and what it has proven."""

from typing import Final

from msgspec import Struct

from inos.primitives.matrices import PANEL_BYTES, STRIP_ROWS
from inos.primitives.units import U64_MAX
from inos.workers.limits import FLEET_PIECE_S, LINE_PART, STRANGER_MOST_S, STRANGER_PART, STRANGER_PIECE_S
from inos.workers.messages import WorkerKind
from inos.workers.ports import PieceSource
from inos.workers.server.shared import Shared

DEFAULT_LINE: Final = 12_500_000
"""Bytes per second of a fleet's line that was not measured: 100 Mbit/s. Strangers without a measure get no pieces."""


DEFAULT_SPEEDS: Final = {WorkerKind.PAGE: 4_000, WorkerKind.CARD: 500_000, WorkerKind.MACHINE: 50_000}
"""Tickets per second of a worker that does not say its own."""


class Line:
    """What is known about a worker's line.

    Args:
        down, up: bytes per second, as the worker says; 0 if it does not.
    """

    def __init__(self, down: int, up: int) -> None:
        self.down = down
        self.up = up
        self.is_local = False
        """The worker maps this node's files, so that nothing is sent."""
        self._cached: set[bytes] = set()

    def note_measured(self, down: int, up: int) -> None:
        """Take new measurements; 0 says nothing new."""
        self.down, self.up = down or self.down, up or self.up

    def note_sent(self, operand: bytes) -> None:
        """Remember that the worker fetches an operand, which it may keep."""
        self._cached.add(operand)

    def has(self, operand: bytes) -> bool:
        return operand in self._cached


class Allotment(Struct, frozen=True, eq=False):
    """The pieces that a worker may have.

    Args:
        proven: the tickets that a stranger's shares proved lately; None for the own fleet.
    """

    speed: float
    line: Line
    room: int
    proven: int | None

    @property
    def largest(self) -> int:
        """Return the most tickets of a piece."""
        return U64_MAX if self.proven is None else self.proven // STRANGER_PART

    def take(self, source: PieceSource, taker: int, shared: Shared) -> tuple[int, int, float] | None:
        """Take strips of a product: return (first, last, the seconds that they should take), or None."""
        x, w = source.x.ref, source.w.ref
        strip_tickets = source.tickets_per_strip
        strip_bytes = STRIP_ROWS * (x.cols + 4 * w.rows)
        seconds = FLEET_PIECE_S if self.proven is None else STRANGER_PIECE_S
        room = self.room - w.rows * w.cols
        strips = min(
            max(1, int(self.speed * seconds) // strip_tickets),
            self.largest // strip_tickets,
            room // strip_bytes,
            shared.rows_room // (STRIP_ROWS * 4 * w.rows),
            self._count_timely(source, shared),
        )
        if strips < 1 or not self._is_worth(source, shared):
            return None
        sent = 0.0 if self.line.is_local else self._compute_sending(source, strips)
        tickets = strips * strip_tickets
        if self.proven is not None and tickets / self.speed + sent > STRANGER_MOST_S:
            return None
        total = shared.total_speed + source.own_speed
        found = source.take(taker, tickets, self.speed, total, sent, None if self.proven is None else tickets)
        if found is None:
            return None
        first, last = found
        return first, last, (last - first) * strip_tickets / self.speed + sent

    def _count_timely(self, source: PieceSource, shared: Shared) -> int:
        """Return how many strips the worker returns no later than the product would be done without it.

        Without it, what nobody has taken is left to those that need no line: the node's own engine and workers on this
        machine. For a stranger the whole fleet counts. Where nobody else can go on, every piece is in time.
        """
        others = self._sum_others(source, shared)
        if self.line.is_local or others <= 0:
            return source.x.strips
        once = self._compute_sending(source, 0)
        each = source.tickets_per_strip / self.speed + self._compute_sending(source, 1) - once
        return int((source.tickets_left / others - once) / each)

    def _sum_others(self, source: PieceSource, shared: Shared) -> float:
        """Return the tickets per second of those that go on without this worker."""
        return source.own_speed + (shared.local_speed if self.proven is None else shared.fleet_speed)

    def _is_worth(self, source: PieceSource, shared: Shared) -> bool:
        """Return True if the line takes at most a quarter of the computing, over this worker's share of the product, or
        if nobody else can go on."""
        if self.line.is_local:
            return True
        if self.proven is not None and not (self.line.down and self.line.up):
            return False
        if self.proven is not None and self._sum_others(source, shared) <= 0:
            return True
        part = min(1.0, self.speed / max(shared.total_speed + source.own_speed, self.speed))
        strips = max(1.0, part * source.x.strips)
        computing = strips * source.tickets_per_strip / self.speed
        return LINE_PART * self._compute_sending(source, strips) <= computing

    def _compute_sending(self, source: PieceSource, strips: float) -> float:
        """Return the seconds that W, unless it was sent, and so many strips of X and Y take on the line."""
        x, w = source.x.ref, source.w.ref
        down, up = self.line.down or DEFAULT_LINE, self.line.up or DEFAULT_LINE
        fetched = 0 if self.line.has(w.id) else w.rows * -(-w.cols // PANEL_BYTES) * PANEL_BYTES
        return (fetched + strips * STRIP_ROWS * x.cols) / down + strips * STRIP_ROWS * 4 * w.rows / up
