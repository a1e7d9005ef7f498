"""One connected worker: its assignments, what it returned, and the limits that it keeps to."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, assert_never

import numpy as np
import structlog
from numpy.typing import NDArray

from inos.primitives.blocks import encode_target
from inos.primitives.errors import InosError
from inos.primitives.units import U256_MAX, Target, Tickets
from inos.workers.errors import Offence
from inos.workers.limits import FILLER_S, LATE_REST_S, SILENT_S, STRANGER_WINDOW_S
from inos.workers.messages import (
    VERSION,
    Ack,
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Hello,
    Measured,
    Message,
    Piece,
    Result,
    Rows,
    RunData,
    Welcome,
    encode_message,
    peek_kind,
)
from inos.workers.ports import make_worker_info
from inos.workers.server.allotment import DEFAULT_SPEEDS, Allotment, Line
from inos.workers.server.pieces import PieceInProgress
from inos.workers.server.rates import Window
from inos.workers.server.reading import MessageReader
from inos.workers.server.runs import RunReader
from inos.workers.server.share_counter import ShareCounter
from inos.workers.server.shared import Shared
from inos.workers.server.shares import Drawing
from inos.workers.server.status import WorkerStatus
from inos.workers.server.templates import IssuedTemplate

log: Final = structlog.get_logger("workers")

FLEET_SHARE_S: Final = 5.0
"""A worker of the own fleet finds about one share in this time, which shows that it computes."""
KEPT_WORKS: Final = 8
"""Shares of so many assignments are counted: of the filler, however old, and of the newest others."""
SUDDEN: Final = 8
"""A filler gets a share target that is this many times harder at once, and others with the next template."""
RATE_S: Final = 60.0


class Session:
    """Talks with one worker, once it has said hello.

    Args:
        prefix: the upper half of its nonces.
        send: queues a message for the worker.
    """

    def __init__(self, shared: Shared, hello: Hello, prefix: int, host: str, send: Callable[[bytes], None]) -> None:
        self._shared = shared
        self._send_bytes = send
        self._clock = shared.node.clock
        self.began = now = self._clock.monotonic()
        self.host = host
        self.is_fleet = hello.token is not None
        self.info = make_worker_info(hello, prefix)
        self.line = Line(hello.down, hello.up)
        self.speed = float(hello.speed or DEFAULT_SPEEDS[hello.kind])
        self._room = hello.room
        self._reader = MessageReader()
        self._works: OrderedDict[int, Drawing] = OrderedDict()
        self._number = 0
        self._filler: tuple[int, Target, float] | None = None
        """The assignment, its share target, and when its operands were made."""
        self.template = 0
        """The number of the newest template that the worker was sent."""
        self._target = Target(0)
        """The share target of that template."""
        self._piece: tuple[int, PieceInProgress] | None = None
        self.runs = RunReader()
        self._heard_at = now
        self._counter = ShareCounter(shared, self.info)
        self._drawn = Window(RATE_S)
        self._delivered = Window(STRANGER_WINDOW_S)
        self._tickets = self._pieces = self._late = 0
        self._rests_until = 0.0
        """A stranger that was late gets no piece before this time."""
        self.is_started = False
        """The worker is connected and has a template, and gets each one that follows."""

    async def start(self, key: bytes) -> None:
        """Welcome the worker, and give it a filler, or a piece at once.

        Args:
            key: names this connection on the Unix socket.

        Raises:
            InosError: the node can make no template now.
        """
        shared, issued = self._shared, await self._shared.templates.renew()
        network = shared.node.network
        local = shared.make_local(key) if self.is_fleet else None
        largest = 0 if self._room == 0 else self._get_allotment().largest
        self.send(
            Welcome(
                VERSION,
                network.name[:200],
                network.hrp,
                network.genesis_id,
                shared.beneficiary,
                self.info.connection,
                largest,
                local,
            )
        )
        self.send_template(issued)
        self.is_started = True
        await self.refresh_filler()
        self.assign_piece()

    def send(self, message: Message) -> None:
        """Queue a message for the worker."""
        self._send_bytes(encode_message(message))

    def note_sending(self, data: bytes) -> None:
        """Note that a message has left the queue."""
        if peek_kind(data) is RunData:
            self.runs.note_sending()

    def send_template(self, issued: IssuedTemplate) -> None:
        """Replace the worker's template, with which its share target may become twice as hard or easy.

        The target of a piece in progress becomes no easier, so that all of its shares count in full.
        """
        old, target = self._target, self._compute_share_target()
        if target < old // 2 or (target > 2 * old and self._piece is None):
            self._target = target
        self.template = issued.number
        self._counter.begin(issued.number, self._target)
        self._send_bytes(issued.message)

    async def process(self, data: bytes) -> None:
        """Process one message.

        Raises:
            Offence: it is none, or the worker broke a rule.
        """
        message = self._reader.read(data, self._clock.monotonic())
        match message:
            case Result():
                await self._process_result(message)
            case Rows():
                piece = self._find_piece(message.assignment)
                if piece is not None:
                    piece.add_rows(message.offset, message.data)
            case GetRun():
                await self._process_get_run(message)
            case Measured():
                self.line.note_measured(message.down, message.up)
                self.speed = float(message.speed or self.speed)
            case Declined():
                await self._process_declined(message)
            case Hello():
                raise Offence("unexpected-message", "a worker says hello once")
            case _:
                assert_never(message)

    def assign_piece(self) -> None:
        """Give the worker a piece of the offered product, if there is one for it."""
        product, now = self._shared.product, self._clock.monotonic()
        if self._piece is not None or product is None or self._room == 0 or now < self._rests_until:
            return
        source, allotment = product.source, self._get_allotment()
        found = allotment.take(source, self.info.connection, self._shared)
        if found is None:
            return
        first, last, seconds = found
        piece = PieceInProgress(product, first, last, now, seconds)
        self._shared.rows_room -= piece.row_bytes
        drawing = Drawing(source.x, source.w, first, last, self._target, is_piece=True)
        work = Piece(source.x.ref, source.w.ref, first, last, True)
        self._piece = self._assign(drawing, work), piece
        self.runs.begin(source, first, last)

    def look_at_piece(self) -> None:
        """Take a piece back that is not needed any more, and give one to a worker without."""
        if self._piece is not None:
            number, piece = self._piece
            is_open = piece.product.source.is_open(piece.first, piece.last)
            if not is_open:
                self._note_late(piece)
            if not is_open or piece.product is not self._shared.product:
                self._drop_piece()
                self.send(Cancelled(number))
        self.assign_piece()

    async def look(self) -> None:
        """Look at the clock, and give or take back a filler.

        Raises:
            Offence: "silent".
        """
        now = self._clock.monotonic()
        if self._piece is not None:
            number, piece = self._piece
            if now - piece.began > max(SILENT_S, 4 * piece.seconds):
                raise Offence("silent", f"piece {number} was expected {now - piece.began - piece.seconds:.0f} s ago")
        if self._filler is not None and now - self._heard_at > SILENT_S:
            raise Offence("silent", f"no Result came for {SILENT_S:g} s")
        await self.refresh_filler()

    async def hand_rows(self, assignment: int, rows: NDArray[np.uint8]) -> None:
        """Copy a piece's rows from memory that the worker may change.

        Raises:
            Offence: it is no piece of this worker's, or not all of its rows.
        """
        piece = self._find_piece(assignment)
        if piece is not None:
            await piece.hand_rows(self.info.connection, rows, self._shared.row_memory)

    def end(self) -> None:
        """Give back what the worker had. It gets nothing more, and the pool hears no more of it."""
        self.is_started = False
        self._drop_piece()
        if self._shared.pool is not None:
            self._shared.pool.remove_worker(self.info)

    def get_piece_speed(self) -> float:
        """Return the tickets of pieces per second on which the miner may count: those that a worker of the own fleet
        says, and those that a stranger's shares proved if it has delivered a piece lately. Many draw fillers only.
        """
        now = self._clock.monotonic()
        if self._room == 0 or not (self.is_fleet or self._delivered.get_sum(now)):
            return 0.0
        return self.speed if self.is_fleet else min(self.speed, self._counter.proven.get_rate(now, self.began))

    def get_status(self) -> WorkerStatus:
        now, info = self._clock.monotonic(), self.info
        window = self._drawn if self.is_fleet else self._counter.proven
        return WorkerStatus(
            connection=info.connection,
            name=info.name,
            kind=info.kind,
            backend=info.backend,
            threads=info.threads,
            address=info.address,
            host=self.host,
            is_local=self.line.is_local,
            seconds=now - self.began,
            tickets_per_second=window.get_rate(now, self.began),
            tickets=Tickets(self._tickets),
            shares=self._counter.totals.shares,
            pieces=self._pieces,
            late=self._late,
            has_piece=self._piece is not None,
        )

    async def _process_result(self, result: Result) -> None:
        self._heard_at = self._clock.monotonic()
        drawing = self._works.get(result.assignment)
        if drawing is None and not 1 <= result.assignment <= self._number:
            raise Offence("unknown-assignment", f"there was no assignment {result.assignment}")
        issued = self._shared.templates.find(result.template)
        counted, before = 0, self._counter.totals.tickets
        if drawing is not None and issued is not None:
            counted = await self._counter.count(result.shares, drawing, issued)
        if drawing is not None:
            proven = self._counter.totals.tickets - before
            self._count_drawn(result.assignment, result.drawn if self.is_fleet else proven)
        self.send(Ack(result.assignment, counted, self._counter.get_totals()))
        if result.is_last and self._piece is not None and self._piece[0] == result.assignment:
            await self._finish_piece(self._piece[1])

    def _count_drawn(self, assignment: int, tickets: int) -> None:
        """Count tickets: as the worker says for the own fleet, by its shares for a stranger."""
        self._drawn.add(self._heard_at, tickets)
        self._tickets += tickets
        if self._piece is not None and self._piece[0] == assignment:
            self._piece[1].product.source.count_tickets(Tickets(tickets))

    async def _finish_piece(self, piece: PieceInProgress) -> None:
        """Take the rows of a piece. The worker gets its next one before these are checked."""
        now, source = self._clock.monotonic(), piece.product.source
        rows = piece.get_rows()
        self._piece = None
        self._note_speed(piece, now - piece.began)
        self.assign_piece()
        taker = self.info.connection
        try:
            if not await piece.check(rows):
                raise Offence("wrong-rows", f"strips {piece.first} to {piece.last - 1} are not the rows of X by W")
            is_used = await source.finish(taker, piece.first, piece.last, rows)
        except Offence:
            raise
        except InosError as error:  # this node's disk is at fault, not the worker
            log.warning("a worker's rows could not be kept", code=error.code, error=error.message)
            is_used = False
        finally:
            source.give_back(taker, piece.first, piece.last)
            self._shared.rows_room += piece.row_bytes
        self._pieces += is_used
        self._delivered.add(now, is_used * piece.tickets)
        self._late += not is_used
        if is_used and not self.is_fleet and self._shared.pool is not None:
            self._shared.pool.add_piece(self.info, source.job, Tickets(piece.tickets), self._clock.now_ms())

    def _note_speed(self, piece: PieceInProgress, seconds: float) -> None:
        """Learn the worker's speed of a piece, with all that it waited for."""
        before, speed = self.speed, piece.tickets / max(seconds, 1e-3)
        self.speed = 0.5 * before + 0.5 * speed
        if self.is_fleet:
            self._shared.note_speed(self.speed - before, is_local=self.line.is_local)

    def _note_late(self, piece: PieceInProgress) -> None:
        """Learn that another taker finished this worker's piece, because it was late."""
        now = self._clock.monotonic()
        self._late += 1
        self._note_speed(piece, now - piece.began)
        if not self.is_fleet:
            self._rests_until = now + LATE_REST_S

    async def _process_get_run(self, message: GetRun) -> None:
        run = await self.runs.read(message, None if self._piece is None else self._piece[1].product.source)
        if run is not None:
            self.line.note_sent(run.id)
            self.send(run)

    async def _process_declined(self, message: Declined) -> None:
        if self._piece is None or self._piece[0] != message.assignment:
            return
        log.info("a worker declined a piece", worker=self.info.name, reason=message.reason)
        self._room = 0
        self._late += 1
        self._drop_piece()

    def _find_piece(self, assignment: int) -> PieceInProgress | None:
        """Return the piece in progress; None for an older assignment, about which the worker may say what it likes."""
        if self._piece is not None and self._piece[0] == assignment:
            return self._piece[1]
        if not 1 <= assignment <= self._number:
            raise Offence("unknown-assignment", f"there was no assignment {assignment}")
        return None

    def _drop_piece(self) -> None:
        if self._piece is None:
            return
        _, piece = self._piece
        self._piece = None
        self._shared.rows_room += piece.row_bytes
        piece.product.source.give_back(self.info.connection, piece.first, piece.last)

    def _assign(self, drawing: Drawing, work: Filler | Piece) -> int:
        self._number += 1
        self._works[self._number] = drawing
        if len(self._works) > KEPT_WORKS:
            filler = 0 if self._filler is None else self._filler[0]
            del self._works[next(each for each in self._works if each != filler)]
        self.send(Assignment(self._number, encode_target(drawing.share_target), work))
        return self._number

    async def refresh_filler(self) -> None:
        """Give a filler if there was none, its share target is not the template's, or its operands are a day old; take
        it back if workers are to be idle.

        A worker that is far faster than its target says gets a harder one before the next template, so that it does
        not send too many shares. Until then those that it sends weigh what they did before.
        """
        shared, old, now = self._shared, self._filler, self._clock.monotonic()
        if not self.is_started:
            return
        if not shared.has_fillers:
            if old is not None:
                self._filler = None
                self.send(Cancelled(old[0]))
            return
        target, harder = self._target, self._compute_share_target()
        if harder < target // SUDDEN:
            target = harder if old is None or not old[1] // 2 <= harder <= 2 * old[1] else old[1]
        if old is not None and old[1] == target and now - old[2] < FILLER_S:
            return
        pair = await shared.fillers.get(self.info.kind, now)
        if not self.is_started:  # It ended meanwhile.
            return
        if old is None:
            self._heard_at = self._clock.monotonic()
        number = self._assign(Drawing(pair.x, pair.w, 0, pair.x.strips, target), pair.filler)
        self._filler = number, target, pair.made_at

    def _compute_share_target(self) -> Target:
        pool = self._shared.pool
        if not self.is_fleet and pool is not None:
            return pool.get_share_target(self.info)
        return Target(U256_MAX // max(1, int(self.speed * FLEET_SHARE_S)))

    def _get_allotment(self) -> Allotment:
        """Return what pieces this worker may have now."""
        pool = self._shared.pool
        if self.is_fleet:
            return Allotment(self.speed, self.line, self._room, None)
        is_allowed = pool is not None and pool.may_take_pieces(self.info)
        return Allotment(
            self.speed, self.line, self._room, self._counter.proven.get_sum(self._clock.monotonic()) * is_allowed
        )
