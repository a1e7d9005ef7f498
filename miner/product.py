"""A product in progress knows which strips of X are done, and holds the rows of Y that they gave."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.miner.ports import RowFile
from inos.primitives.matrices import STRIP_ROWS, compute_tickets
from inos.primitives.units import Tickets
from inos.work import Operand


class Product:
    """Holds X * W^T, made strip by strip. Rows that were kept are never lost, even if the lottery fails.

    Args:
        x: operand m x k, int8.
        w: operand n x k, int8.
        file: keeps the rows, and has those made before; without it they are in memory.
        keeps_rows: False for a product that is made only for its tickets.
    """

    def __init__(self, x: Operand, w: Operand, file: RowFile | None = None, *, keeps_rows: bool = True) -> None:
        self.x = x
        self.w = w
        self.file = file
        self.keeps_rows = keeps_rows
        shape = (x.ref.rows if file is None and keeps_rows else 0, w.ref.rows)
        self._y: NDArray[np.int32] = np.zeros(shape, dtype=np.int32)
        self._next = 0 if file is None else -(-file.rows_done // STRIP_ROWS)

    @property
    def strips(self) -> int:
        """Return the number of strips of X: ceil(m / 16)."""
        return -(-self.x.ref.rows // STRIP_ROWS)

    @property
    def strips_done(self) -> int:
        return self._next

    @property
    def rows_done(self) -> int:
        return min(self._next * STRIP_ROWS, self.x.ref.rows)

    @property
    def is_complete(self) -> bool:
        return self._next >= self.strips

    @property
    def tickets_per_strip(self) -> Tickets:
        """Return the tickets of one strip of X against all of W."""
        return Tickets(compute_tickets(1, self.w.ref.rows, self.w.ref.cols))

    @property
    def tickets_left(self) -> Tickets:
        return Tickets((self.strips - self._next) * self.tickets_per_strip)

    def plan(self, tickets: int) -> tuple[int, int]:
        """Return the next strips [first, last) worth about `tickets` tickets, at least one strip."""
        count = max(1, tickets // self.tickets_per_strip)
        return self._next, min(self.strips, self._next + count)

    def get_place(self, first: int, last: int) -> NDArray[np.int32] | None:
        """Return the memory where the rows of strips [first, last) are kept; None if they are in a file, or nowhere."""
        if self.file is not None or not self.keeps_rows:
            return None
        return self._y[first * STRIP_ROWS : last * STRIP_ROWS]

    def keep(self, first: int, last: int, rows: NDArray[Any]) -> None:
        """Take the rows of strips [first, last). If they are kept in a file, this waits for the disk. Rows that were
        made in their place (`get_place`) are not copied.

        Raises:
            ValueError: the slice is not the next one, or its rows have another shape.
            InosError: the disk refuses; the slice must be made again.
        """
        top, bottom = first * STRIP_ROWS, min(last * STRIP_ROWS, self.x.ref.rows)
        if first != self._next or last > self.strips:
            raise ValueError(f"strips {first} to {last} do not follow {self._next} of {self.strips}")
        if not self.keeps_rows:
            self._next = last
            return
        if rows.shape != (bottom - top, self.w.ref.rows):
            raise ValueError(f"a slice of {bottom - top} x {self.w.ref.rows} was expected, not {rows.shape}")
        if self.file is not None:
            self.file.write(top, rows)
        elif not np.may_share_memory(rows, self._y):
            self._y[top:bottom] = rows
        self._next = last

    def rewind(self) -> None:
        """Start again from the first strip, for a product that is made only for its tickets."""
        self._next = 0

    def result(self) -> NDArray[np.int32]:
        """Return Y (int32, m x n) of a product in memory.

        Raises:
            ValueError: strips are missing, or the rows are in a file.
        """
        if self.file is not None or not self.keeps_rows:
            raise ValueError("the rows of this product are in a file, or nowhere")
        if not self.is_complete:
            raise ValueError(f"{self.strips - self._next} of {self.strips} strips are not done yet")
        return self._y
