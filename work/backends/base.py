"""The interface of a backend, which multiplies under noise and draws the tickets."""

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.work.matrices import Operand

OnWin: TypeAlias = Callable[[int, int, int, bytes], None]
"""It is called with (i, j, p, digest) of every winning ticket, soon after it is drawn, by any thread."""


class Slice(Struct, frozen=True, eq=False):
    """The input of one call of a backend: X strips [first, last) by all of W."""

    x: Operand
    w: Operand
    seed_x: bytes
    seed_w: bytes
    target: int
    """A ticket wins if its digest, read big-endian, is at most this."""
    first: int
    last: int
    threads: int
    needs_rows: bool = True
    """Without it only tickets are drawn: kernels remove no noise, and cards keep their rows."""
    out: NDArray[np.int32] | None = None
    """Contiguous memory for the rows, where a backend that can writes them; `Lottery.draw` copies those of others."""


class Drawn(Struct, frozen=True, eq=False):
    """The outcome of one call of a backend."""

    product: NDArray[np.int32] | None
    """Exact rows 16 * first .. min(16 * last, m) of X * W^T, or None if it was stopped. It may be empty if no rows are
    needed."""
    tickets: int
    """The number of tickets drawn."""


class Backend(Protocol):
    """One implementation. The numpy one is the reference: all others return the same bits."""

    name: str

    def get_obstacle(self) -> str:
        """Return why it cannot run on this machine, or "" if it can."""

    def prepare(self, w: Operand, seed_w: bytes, *, threads: int, stop: threading.Event | None) -> Any:
        """Return what is the same for all X under one anchor, for `multiply`. It may raise `Stopped`."""

    def multiply(self, piece: Slice, prepared: Any, on_win: OnWin, stop: threading.Event | None) -> Drawn:
        """Multiply one slice. It looks at `stop` at least every 20 ms, and reports wins found until then."""
