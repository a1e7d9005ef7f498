"""What a worker of the cluster does. It runs in Ray's processes, and does not import Ray."""

import os
import socket
import threading
from importlib.metadata import version
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.errors import InosError
from inos.primitives.matrices import MatrixRef
from inos.primitives.units import Hash
from inos.work.engine import Lottery
from inos.work.matrices import Operand
from inos.work.strips import StripTree


class Order(Struct, frozen=True):
    """What all parts of one slice have in common."""

    x: MatrixRef
    w: MatrixRef
    anchor: bytes
    target: int
    backend: str
    threads: int
    needs_rows: bool


class Part(Struct, frozen=True, eq=False):
    """The outcome of one part: rows 16 * first .. of the product, and the winning tickets as (i, j, p, digest)."""

    product: NDArray[np.int32] | None
    tickets: int
    wins: tuple[tuple[int, int, int, bytes], ...]
    machine: str
    error: tuple[str, str] | None = None
    """Code and message of what went wrong, if there is no product."""


class Description(Struct, frozen=True):
    """What a worker is."""

    version: str
    auth_mode: str


_prepared: Final[dict[tuple[bytes | int | str, ...], Lottery]] = {}
"""The last W under its noise: the next part of the same slice finds it packed."""


def describe_worker() -> Description:
    """Return which INOS this worker has, and whether its cluster asks for a token."""
    return Description(version("inos"), os.environ.get("RAY_AUTH_MODE", "").lower())


def multiply_part(order: Order, x: NDArray[np.int8], w: NDArray[np.int8], first: int, last: int) -> Part:
    """Multiply strips [first, last) of X with all of W. Both lie in the object store's memory, and are not copied."""
    wins: list[tuple[int, int, int, bytes]] = []

    def on_win(i: int, j: int, p: int, digest: bytes) -> None:
        wins.append((i, j, p, digest))

    machine = socket.gethostname()
    try:
        lottery = _get_lottery(order, w)
        # With an event, which nobody sets, the kernels also notice when Ray interrupts this task.
        stop = threading.Event()
        operand = _make_operand(x, order.x)
        drawn = lottery.draw(operand, first, last, on_win, stop=stop, needs_rows=order.needs_rows)
    except InosError as error:
        return Part(None, 0, (), machine, (error.code, error.message))
    rows = drawn.product if drawn.product is None or order.needs_rows else drawn.product[:0]
    return Part(rows, drawn.tickets, tuple(wins), machine)


def _get_lottery(order: Order, w: NDArray[np.int8]) -> Lottery:
    key = order.w.id, order.anchor, order.target, order.backend, order.threads
    if key not in _prepared:
        _prepared.clear()  # before the next W is packed, so that only one is in memory
        _prepared[key] = Lottery(
            _make_operand(w, order.w), order.anchor, order.target, backend=order.backend, threads=order.threads
        )
    return _prepared[key]


def _make_operand(array: NDArray[np.int8], ref: MatrixRef) -> Operand:
    """Return an operand without its tree: kernels read the entries and the id, and the node opens the strips."""
    return Operand(array, ref, StripTree([Hash(ref.root)]))
