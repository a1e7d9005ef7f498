"""A product in progress: which strips of X are done and the rows of Y they gave."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.miner.ports import RowFile
from inos.primitives.matrices import STRIP_ROWS, compute_tickets
from inos.primitives.units import Tickets
from inos.work import Operand


class Product:
    """X * W^T made strip by strip. Rows once kept are never lost, whatever happens to the lottery.

    Args:
        x: operand m x k, int8.
        w: operand n x k, int8.
        file: where the rows are kept, and what is there already; in memory without.
    """

    def __init__(self, x: Operand, w: Operand, file: RowFile | None = None) -> None:
        self.x = x
        self.w = w
        self.file = file
        shape = (x.ref.rows if file is None else 0, w.ref.rows)
        self._y: NDArray[np.int32] = np.zeros(shape, dtype=np.int32)
        self._next = 0 if file is None else -(-file.rows_done // STRIP_ROWS)

    @property
    def strips(self) -> int:
        """Strips of X: ceil(m / 16)."""
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
        """Tickets of one strip of X against all of W."""
        return Tickets(compute_tickets(1, self.w.ref.rows, self.w.ref.cols))

    @property
    def tickets_left(self) -> Tickets:
        return Tickets((self.strips - self._next) * self.tickets_per_strip)

    def plan(self, tickets: int) -> tuple[int, int]:
        """The next strips [first, last) worth about `tickets` tickets, at least one strip."""
        count = max(1, tickets // self.tickets_per_strip)
        return self._next, min(self.strips, self._next + count)

    def keep(self, first: int, last: int, rows: NDArray[Any]) -> None:
        """Take the rows of strips [first, last); where they are kept in a file this waits for the disk.

        Raises:
            ValueError: the slice is not the next one, or its rows have another shape.
            InosError: the disk refuses; the slice is still to be done.
        """
        top, bottom = first * STRIP_ROWS, min(last * STRIP_ROWS, self.x.ref.rows)
        if first != self._next or last > self.strips:
            raise ValueError(f"strips {first} to {last} do not follow {self._next} of {self.strips}")
        if rows.shape != (bottom - top, self.w.ref.rows):
            raise ValueError(f"a slice of {bottom - top} x {self.w.ref.rows} was due, not {rows.shape}")
        if self.file is None:
            self._y[top:bottom] = rows
        else:
            self.file.write(top, rows)
        self._next = last

    def rewind(self) -> None:
        """Start over, for a product that is made only for its tickets."""
        self._next = 0

    def result(self) -> NDArray[np.int32]:
        """Y, int32, m x n, of a product in memory.

        Raises:
            ValueError: strips are still to be done, or the rows are in a file.
        """
        if self.file is not None:
            raise ValueError("the rows of this product are in a file")
        if not self.is_complete:
            raise ValueError(f"{self.strips - self._next} of {self.strips} strips are still to be done")
        return self._y
