"""This module shows losses to people: a line while a run goes on, and the whole curve as text."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TextIO

from inos.learn.losses import CROSS_ENTROPY, LOSS_BITS
from inos.learn.spec import RunSpec, StepRecord

DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille character's dots, by row and column."""
LINES: Final = 25


class Progress:
    """Prints about so many lines for a run: steps, the mean loss since the last line, seconds."""

    def __init__(self, steps: int, file: TextIO) -> None:
        self._every = max(1, steps // LINES)
        self._file = file
        self._loss = self._right = self._terms = 0
        self._seconds, self._count = 0.0, 0

    def __call__(self, spec: RunSpec, record: StepRecord, seconds: float) -> None:
        self._loss, self._right = self._loss + record.loss, self._right + record.right
        self._terms += spec.terms * spec.shards
        self._seconds, self._count = self._seconds + seconds, self._count + 1
        if record.step % self._every and record.step != spec.steps:
            return
        right = f"  right {self._right / self._terms:6.1%}" if spec.loss == CROSS_ENTROPY else ""
        loss = self._loss / 2.0**LOSS_BITS / self._terms
        each = self._seconds / self._count
        print(f"step {record.step} of {spec.steps}  loss {loss:.4f}{right}  {each * 1000:.1f} ms a step",
              file=self._file, flush=True)  # fmt: skip
        self._loss = self._right = self._terms = self._count = 0
        self._seconds = 0.0


def draw_curve(values: Sequence[float], width: int = 72, height: int = 12) -> str:
    """Return a curve as text: means of neighbouring steps, drawn in braille dots, with the scale at the left."""
    if not values:
        return "no steps yet"
    columns = min(2 * width, len(values))
    bounds = [len(values) * n // columns for n in range(columns + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]
    low, high = min(means), max(means)
    rows, cells = 4 * height, [[0] * (-(-columns // 2)) for _ in range(height)]
    levels = [round((high - each) / (high - low or 1) * (rows - 1)) for each in means]
    for column, level in enumerate(levels):
        before = levels[column - 1] if column else level
        for y in range(min(before, level), max(before, level) + 1):
            cells[y // 4][column // 2] |= DOTS[y % 4][column % 2]
    marks = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    lines = [f"{marks.get(n, ''):>8} ┤{''.join([chr(0x2800 + each) for each in row])}" for n, row in enumerate(cells)]
    return "\n".join([*lines, f"{'step':>8} └{'1'}{len(values)!s:>{max(1, -(-columns // 2) - 1)}}"])
