"""What a backend is: the kernel that multiplies under noise and draws the tickets."""

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.work.matrices import Operand

OnWin: TypeAlias = Callable[[int, int, int, bytes], None]
"""Called with (i, j, p, digest) of every winning ticket, soon after it is drawn, from any thread."""


class Slice(Struct, frozen=True, eq=False):
    """What one call of a backend multiplies: X strips [first, last) by all of W."""

    x: Operand
    w: Operand
    seed_x: bytes
    seed_w: bytes
    target: int
    """A ticket wins whose digest, read big-endian, is at most this."""
    first: int
    last: int
    threads: int


class Drawn(Struct, frozen=True, eq=False):
    """What came of it."""

    product: NDArray[np.int32] | None
    """Exact rows 16 * first .. min(16 * last, m) of X * W^T, or None where it was stopped."""
    tickets: int
    """Tickets really drawn."""


class Backend(Protocol):
    """One implementation. The numpy one is the reference: all others return the same, bit by bit."""

    name: str

    def get_obstacle(self) -> str:
        """Why it cannot run on this machine, or "" where it can."""

    def prepare(self, w: Operand, seed_w: bytes, *, threads: int, stop: threading.Event | None) -> Any:
        """What is the same for all X under one anchor, to be handed to `multiply`. May raise `Stopped`."""

    def multiply(self, piece: Slice, prepared: Any, on_win: OnWin, stop: threading.Event | None) -> Drawn:
        """Multiply one slice. Looks at `stop` at least every 20 ms; wins found until then are reported."""
