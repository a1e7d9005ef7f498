"""How a slice is cut: tasks for the threads, tiles for the cache."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from primitives.matrices import STRIP_BYTES
from work.backends.base import Slice

MAX_TILE_TICKETS: Final = 256
"""Of one panel, as `csrc/inos_native.h` has it: 256 KiB of accumulators beside two operands of as much."""
TILE_ROWS: Final = 16
"""Strips of X in a tile: W' is read from memory once for all of them."""
MAX_PACKED_X: Final = 8 << 20
"""Bytes of X' that a thread keeps packed."""
TASKS_PER_THREAD: Final = 8


class Task(NamedTuple):
    """X strips [top, bottom) by W strips [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


def compute_tile_rows(strips: int, panels: int, x_scale: int) -> int:
    """Strips of X per tile."""
    return max(1, min(TILE_ROWS, strips, MAX_PACKED_X // (panels * STRIP_BYTES * x_scale)))


def plan_tasks(piece: Slice, tile_rows: int) -> Iterator[Task]:
    """Tiles of X by all of W, or by parts of it where they are too few to keep all threads busy to the end."""
    strips = piece.w.strips
    across = MAX_TILE_TICKETS // tile_rows
    tops = range(piece.first, piece.last, tile_rows)
    parts = -(-piece.threads * TASKS_PER_THREAD // len(tops)) if piece.threads > 1 else 1
    width = -(-strips // parts)
    # Whole tiles where there are enough of them; else an even number, since kernels take two strips at once.
    width = -(-width // across) * across if strips >= parts * across else width + width % 2
    for top in tops:
        for left in range(0, strips, width):
            yield Task(top, min(top + tile_rows, piece.last), left, min(left + width, strips))


def cut_task(task: Task) -> Iterator[tuple[int, int]]:
    """Columns [left, right) of a task's tiles, in strips."""
    across = MAX_TILE_TICKETS // (task.bottom - task.top)
    for left in range(task.left, task.right, across):
        yield left, min(left + across, task.right)
