"""One connection with a node: what it sends is kept as the work of the moment, and multiplied until it ends."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, assert_never

import aiohttp
import numpy as np
import structlog
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.errors import InosError
from inos.primitives.matrices import STRIP_ROWS, DType, compute_tickets
from inos.work import Operand, check_ref
from inos.work.strips import compute_grid
from inos.workers.client.local import LocalClient
from inos.workers.client.multiplier import Multiplier
from inos.workers.client.operands import Operands
from inos.workers.client.report import Reporter
from inos.workers.errors import WorkerError
from inos.workers.filler import make_operands
from inos.workers.limits import MAX_MESSAGE_BYTES
from inos.workers.messages import (
    MAX_ROWS_BYTES,
    MAX_TEXT,
    VERSION,
    Ack,
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Measured,
    Message,
    NewTemplate,
    Piece,
    Refused,
    Rows,
    RunData,
    Totals,
    Welcome,
    decode_from_node,
    encode_message,
)

log: Final = structlog.get_logger("worker")

FILLER_SLICE_S: Final = 0.25
PIECE_SLICE_S: Final = 1.0
"""A slice of a piece is longer, because W is packed for each."""
FETCH_S: Final = 60.0
"""A run arrives within this time."""


class RefusedError(WorkerError):
    """The node ended the connection; `retry_s` says when it takes the worker again."""

    def __init__(self, code: str, message: str, retry_s: int) -> None:
        super().__init__(code, message)
        self.retry_s = retry_s


class ReadyPiece(Struct, eq=False):
    """A piece whose operands are here."""

    number: int
    work: Piece
    x: Operand
    w: Operand
    share_target: int
    rows: NDArray[np.int32] | None
    """Memory for its rows; None if they are not wanted."""
    is_cancelled: bool = False


class ReadyFiller(Struct, frozen=True, eq=False):
    """A filler whose operands are made."""

    number: int
    x: Operand
    w: Operand
    share_target: int


class Link:
    """Holds what the node sent.

    Args:
        ws: the open WebSocket.
        room: a piece may take this many bytes.
        on_totals: is called with the totals of each acknowledgement.
    """

    def __init__(
        self,
        ws: aiohttp.ClientWebSocketResponse,
        *,
        backend: str,
        threads: int,
        room: int,
        on_totals: Callable[[Totals], None],
    ) -> None:
        self._ws = ws
        self._backend = backend
        self._threads = threads
        self._room = room
        self._on_totals = on_totals
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._runs: dict[tuple[bytes, int], asyncio.Future[RunData]] = {}
        self._operands = Operands(self._fetch, room)
        self._reporter = Reporter(self._send)
        self._multiplier: Multiplier | None = None
        self._welcome: Welcome | None = None
        self._template: NewTemplate | None = None
        self._filler: ReadyFiller | None = None
        self._filler_next = 0
        self._piece: ReadyPiece | None = None
        self._preparing: tuple[int, asyncio.Task[None]] | None = None
        self._changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self.pieces_done = 0

    async def run(self, hello: Message) -> None:
        """Work until the connection ends.

        Raises:
            RefusedError: the node says why. WorkerError: it breaks the protocol.
        """
        self._send(hello)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                tasks = [group.create_task(work()) for work in (self._write, self._work, self._flush)]
                await self._read()
                for task in tasks:
                    task.cancel()
                if self._preparing is not None:
                    self._preparing[1].cancel()
        except ExceptionGroup as group:
            known = group.subgroup((InosError, OSError))
            raise group if known is None else _get_first(known) from group
        finally:
            if self._multiplier is not None:
                await asyncio.to_thread(self._multiplier.close)
            if self._operands.local is not None:
                self._operands.local.close()

    def _send(self, message: Message) -> None:
        self._outgoing.put_nowait(encode_message(message))

    async def _write(self) -> None:
        while True:
            data = await self._outgoing.get()
            try:
                await self._ws.send_bytes(data)
            except ConnectionError:
                await self._ws.close()
                return
            finally:
                self._outgoing.task_done()

    async def _flush(self) -> None:
        """Tell what waits, when no slice ends for a while."""
        while True:
            await asyncio.sleep(1.0)
            if self._piece is None and self._filler is None:
                self._reporter.flush(time.monotonic())

    async def _read(self) -> None:
        async for message in self._ws:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            await self._process(decode_from_node(message.data, limit=MAX_MESSAGE_BYTES))

    async def _process(self, message: Message) -> None:
        match message:
            case Welcome():
                await self._begin(message)
            case NewTemplate():
                self._take_template(message)
            case Assignment():
                self._take_assignment(message)
            case Ack():
                self._on_totals(message.totals)
            case RunData():
                waiting = self._runs.pop((message.id, message.index), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case Cancelled():
                self._cancel(message.assignment)
            case Refused():
                raise RefusedError(message.code, message.message, message.retry_s)
            case _:
                raise WorkerError("unexpected-message", f"a node sent {type(message).__name__}")

    async def _begin(self, welcome: Welcome) -> None:
        if welcome.version != VERSION:
            text = f"the node speaks version {welcome.version} of the protocol, and this worker version {VERSION}"
            raise WorkerError("other-version", text, hint="install the version of inos that the node has")
        self._welcome = welcome
        self._multiplier = Multiplier(self._backend, self._threads, welcome.prefix)
        if welcome.local is not None:
            self._operands.local = await asyncio.to_thread(LocalClient.connect, welcome.local)
        is_local = self._operands.local is not None
        log.info("joined", network=welcome.network, pays=welcome.beneficiary.hex(), maps_files=is_local)

    def _take_template(self, template: NewTemplate) -> None:
        if self._welcome is None or template.header.beneficiary != self._welcome.beneficiary:
            raise WorkerError("other-beneficiary", "a template pays another address than this node said")
        self._template = template
        if self._piece is None:
            self._interrupt()
        self._changed.set()

    def _take_assignment(self, assignment: Assignment) -> None:
        assert self._group is not None  # It is set before anything is read.
        if self._multiplier is None:
            raise WorkerError("unexpected-message", "a node sent an assignment before its welcome")
        number, target = assignment.number, int.from_bytes(assignment.share_target, "big")
        match assignment.work:
            case Filler():
                self._group.create_task(self._prepare_filler(number, assignment.work, target))
            case Piece():
                task = self._group.create_task(self._prepare_piece(number, assignment.work, target))
                self._preparing = number, task
            case _:
                assert_never(assignment.work)

    async def _prepare_filler(self, number: int, filler: Filler, target: int) -> None:
        x, w = await asyncio.to_thread(make_operands, filler)
        if self._filler is None or self._filler.number < number:
            self._filler, self._filler_next = ReadyFiller(number, x, w, target), 0
            self._changed.set()

    async def _prepare_piece(self, number: int, work: Piece, target: int) -> None:
        """Bring a piece's operands, then let it begin."""
        try:
            self._check_piece(work)
            x = await self._operands.open(work.x, work.first, work.last)
            w = await self._operands.open(work.w, 0, compute_grid(DType.INT7, work.w.rows, work.w.cols)[0])
            rows = await self._make_rows(work)
        except (InosError, OSError, MemoryError) as error:
            self._send(Declined(number, str(error)[:MAX_TEXT]))
            return
        self._piece = ReadyPiece(number, work, x, w, target, rows)
        self._interrupt()
        self._changed.set()

    def _check_piece(self, work: Piece) -> None:
        """Refuse a piece that does not fit together, or takes too much memory."""
        for ref in (work.x, work.w):
            check_ref(ref, DType.INT7)
        strips, _ = compute_grid(DType.INT7, work.x.rows, work.x.cols)
        if work.x.cols != work.w.cols or not 0 <= work.first < work.last <= strips:
            raise WorkerError("bad-piece", f"strips {work.first} to {work.last} of {work.x.rows} x {work.x.cols}")
        rows = STRIP_ROWS * (work.last - work.first)
        size = work.w.rows * work.w.cols + rows * (work.x.cols + 4 * work.w.rows)
        if size > self._room:
            raise WorkerError("too-large", f"the piece takes {size} bytes, and this worker has {self._room}")

    def _cancel(self, number: int) -> None:
        if self._piece is not None and self._piece.number == number:
            self._piece.is_cancelled = True
            self._interrupt()
        elif self._preparing is not None and self._preparing[0] == number:
            self._preparing[1].cancel()
        elif self._filler is not None and self._filler.number == number:
            self._filler = None
            self._interrupt()

    def _interrupt(self) -> None:
        if self._multiplier is not None:
            self._multiplier.interrupt()

    async def _fetch(self, operand: bytes, index: int) -> RunData:
        waiting: asyncio.Future[RunData] = asyncio.get_running_loop().create_future()
        self._runs[operand, index] = waiting
        self._send(GetRun(operand, index))
        try:
            async with asyncio.timeout(FETCH_S):
                return await waiting
        except TimeoutError as error:
            raise WorkerError("fetch-timeout", f"run {index} did not come within {FETCH_S:g} s") from error

    async def _work(self) -> None:
        while True:
            if self._template is None or self._multiplier is None:
                await self._wait()
            elif self._piece is not None:
                await self._multiply_piece(self._piece, self._multiplier)
            elif self._filler is not None:
                await self._multiply_filler(self._filler, self._template, self._multiplier)
            else:
                await self._wait()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _multiply_filler(self, filler: ReadyFiller, template: NewTemplate, multiplier: Multiplier) -> None:
        first = self._filler_next
        per_strip = compute_tickets(1, filler.w.ref.rows, filler.w.ref.cols)
        count = max(1, int(multiplier.speed * FILLER_SLICE_S) // per_strip) if multiplier.speed else 1
        last = min(filler.x.strips, first + count)
        self._filler_next = last % filler.x.strips
        targets = filler.share_target, int.from_bytes(template.win_target, "big")
        drawn = await multiplier.draw(filler.x, filler.w, template, max(targets), (first, last))
        self._reporter.add(filler.number, template.number, drawn.tickets, drawn.found, targets, time.monotonic())

    async def _multiply_piece(self, piece: ReadyPiece, multiplier: Multiplier) -> None:
        """Multiply a piece slice by slice, each under the template of the moment, and send its rows."""
        work, at, rows = piece.work, piece.work.first, piece.rows
        per_strip = compute_tickets(1, work.w.rows, work.w.cols)
        while at < work.last and not piece.is_cancelled:
            template = self._template
            assert template is not None  # Work begins with the first one.
            count = max(1, int(multiplier.speed * PIECE_SLICE_S) // per_strip)
            last = min(work.last, at + count)
            targets = piece.share_target, int.from_bytes(template.win_target, "big")
            out = None if rows is None else rows[STRIP_ROWS * (at - work.first) : STRIP_ROWS * (last - work.first)]
            drawn = await multiplier.draw(piece.x, piece.w, template, max(targets), (at, last), out=out)
            self._reporter.add(piece.number, template.number, drawn.tickets, drawn.found, targets, time.monotonic())
            if drawn.is_complete:
                at = last
        if self._piece is piece:  # Another one may be ready already if this one was cancelled.
            self._piece = None
        if piece.is_cancelled:
            return
        if rows is not None:
            await self._send_rows(piece.number, rows)
        self._reporter.flush(time.monotonic(), is_last=True)
        self.pieces_done += 1
        if self._operands.down:
            self._send(Measured(int(multiplier.speed), self._operands.down, 0))
            self._operands.down = 0

    async def _make_rows(self, work: Piece) -> NDArray[np.int32] | None:
        """Return memory for the rows of a piece: that of a file on the node's own machine."""
        if not work.wants_rows:
            return None
        shape = min(STRIP_ROWS * work.last, work.x.rows) - STRIP_ROWS * work.first, work.w.rows
        local = self._operands.local
        return np.empty(shape, np.int32) if local is None else await asyncio.to_thread(local.get_rows, *shape)

    async def _send_rows(self, number: int, rows: NDArray[np.int32]) -> None:
        """Hand the rows of a piece over as a file on the node's own machine, and send them elsewhere."""
        if self._operands.local is not None:
            await asyncio.to_thread(self._operands.local.hand, number)
            return
        view = np.ascontiguousarray(rows, "<i4").data.cast("B")
        for at in range(0, len(view), MAX_ROWS_BYTES):
            self._send(Rows(number, at, bytes(view[at : at + MAX_ROWS_BYTES])))
            await self._outgoing.join()


def _get_first(group: ExceptionGroup[Exception]) -> Exception:
    """Return one of the errors in a group."""
    first = group.exceptions[0]
    return _get_first(first) if isinstance(first, ExceptionGroup) else first
