"""Reads runs of an operand for workers that fetch it over the socket."""

from typing import Final

from inos.primitives.units import Hash
from inos.work import Operand
from inos.work.strips import pack_strips

RUN_LEVEL: Final = 6
RUN_STRIPS: Final = 1 << RUN_LEVEL


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
