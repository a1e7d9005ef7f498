"""Reads runs of an operand for workers that fetch it over the socket."""

import asyncio
from typing import Final

from inos.primitives.units import Hash
from inos.work import Operand
from inos.work.strips import pack_strips
from inos.workers.errors import Offence
from inos.workers.limits import ASKED_RUNS, UNSENT_RUNS
from inos.workers.messages import GetRun, RunData
from inos.workers.ports import PieceSource

RUN_LEVEL: Final = 6
RUN_STRIPS: Final = 1 << RUN_LEVEL
RUN_REPEATS: Final = 2
"""A worker may fetch each run of a piece so often, because it may have lost what it had. It may fetch some more, which
it asked for before it heard that its last piece was taken back."""


class RunReader:
    """Reads the runs that one worker asks for: those of its piece, and each a bounded number of times."""

    def __init__(self) -> None:
        self._left: dict[bytes, int] = {}
        """By operand of the worker's newest piece, how many runs it may still fetch."""
        self._unsent = 0

    def begin(self, source: PieceSource, first: int, last: int) -> None:
        """Let the worker fetch what strips [first, last) of a product need."""
        self._left = {
            source.x.ref.id: RUN_REPEATS * count_needed_runs(source.x, first, last) + ASKED_RUNS,
            source.w.ref.id: RUN_REPEATS * count_runs(source.w) + ASKED_RUNS,
        }

    def has(self, operand: bytes) -> bool:
        """Return True for an operand of the worker's newest piece."""
        return operand in self._left

    def note_sending(self) -> None:
        """Note that a run has left the queue of messages."""
        self._unsent -= 1

    async def read(self, message: GetRun, source: PieceSource | None) -> RunData | None:
        """Return the run that the worker asks for, to be sent; None if it is of a piece that was taken back.

        Args:
            source: the product of the piece in progress.

        Raises:
            Offence: "unknown-run", "too-fast".
        """
        left = self._left.get(message.id)
        if left is None or source is None:
            return None
        if left == 0:
            raise Offence("unknown-run", f"every run of operand {message.id.hex()} was sent {RUN_REPEATS} times")
        operand = source.x if message.id == source.x.ref.id else source.w
        if message.index >= count_runs(operand):
            raise Offence("unknown-run", f"operand {message.id.hex()} has {count_runs(operand)} runs")
        if self._unsent >= UNSENT_RUNS:
            raise Offence("too-fast", f"{UNSENT_RUNS} runs wait to be sent already")
        self._left[message.id] = left - 1
        data, path = await asyncio.to_thread(read_run, operand, message.index)
        self._unsent += 1
        return RunData(message.id, message.index, data, path)


def count_runs(operand: Operand) -> int:
    return -(-operand.strips * operand.panels // RUN_STRIPS)


def read_run(operand: Operand, index: int) -> tuple[bytes, tuple[Hash, ...]]:
    """Return run `index` of an operand: its strips one after the other, and the path of its subtree's root."""
    first = index * RUN_STRIPS
    last = min(first + RUN_STRIPS, operand.strips * operand.panels)
    parts = []
    strip = first
    while strip < last:
        row, panel = divmod(strip, operand.panels)
        end = min(operand.panels, panel + last - strip)
        parts.append(pack_strips(operand.array, row, row + 1, panel, end).tobytes())
        strip += end - panel
    return b"".join(parts), operand.tree.compute_node_path(RUN_LEVEL, index)


def count_needed_runs(operand: Operand, first: int, last: int) -> int:
    """Return in how many runs strips [first, last) of rows are."""
    begin, end = first * operand.panels, last * operand.panels
    return -(-end // RUN_STRIPS) - begin // RUN_STRIPS
