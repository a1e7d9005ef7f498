"""Mining: multiply two operands exactly, and draw the tickets of the product meanwhile."""

import os
import threading
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.matrices import STRIP_ROWS, Seal, Witness
from inos.work.backends import AUTO, Drawn, OnWin, Slice, get_backend
from inos.work.backends.native.backend import NativeBackend
from inos.work.backends.native.products import SmallProducts
from inos.work.certificate import Win, check_anchor
from inos.work.matrices import Operand
from inos.work.noise import compute_seed_w, compute_seed_x
from inos.work.stopping import Stopped
from inos.work.strips import InvalidMatrix, compute_strip

MAX_THREADS: Final = 256
"""No machine has processors for more threads, and so many might fail to start."""


class Mined(Struct, frozen=True, eq=False):
    """The outcome of `mine` or `mine_strips`."""

    product: NDArray[np.int32] | None
    """Exact X * W^T, or the requested rows; None if it was stopped. It may be empty if no rows are needed."""
    tickets: int
    """The number of tickets drawn, also if it was stopped."""
    wins: tuple[Win, ...]
    is_complete: bool


class Lottery:
    """W under one anchor: its noise is drawn once for any number of slices of any number of X.

    Args:
        anchor: 32 bytes, of the header without its seal.
        target: a ticket wins if its digest, read big-endian, is at most this.
        backend: a name of `list_backends`, or "auto".
        threads: None for one per processor this process may use; at most 256.

    Raises:
        InvalidBackend: there is no such backend here.
    """

    def __init__(
        self, w: Operand, anchor: bytes, target: int, *, backend: str = AUTO, threads: int | None = None
    ) -> None:
        check_anchor(anchor, target)
        self._backend = get_backend(backend)
        self._w = w
        self._target = target
        self._threads = get_threads() if threads is None else min(max(1, threads), MAX_THREADS)
        self._prepared: Any = None
        self._lock = threading.Lock()
        self.seed_w = compute_seed_w(anchor, w.ref.id)

    def mine_strips(
        self, x: Operand, first: int, last: int, *, stop: threading.Event | None = None, needs_rows: bool = True
    ) -> Mined:
        """Compute rows 16 * first .. min(16 * last, m) of X * W^T, and draw their tickets.

        Raises:
            InvalidMatrix: "depth-mismatch", "index-outside-matrix", "product-too-large".
        """
        finder = Finder(x, self._w)
        drawn = self.draw(x, first, last, finder.add, stop=stop, needs_rows=needs_rows)
        return Mined(drawn.product, drawn.tickets, tuple(finder.wins), drawn.product is not None)

    def draw(
        self,
        x: Operand,
        first: int,
        last: int,
        on_win: OnWin,
        *,
        stop: threading.Event | None = None,
        needs_rows: bool = True,
        out: NDArray[np.int32] | None = None,
    ) -> Drawn:
        """Do the same without seals and witnesses: any thread calls `on_win` with (i, j, p, digest).

        Args:
            out: contiguous memory that the rows are written into, which is then the outcome's product; what it holds
                is undefined if the call is stopped.

        Raises:
            InvalidMatrix: as `mine_strips`; "shape-mismatch": `out` has not the shape of the rows.
        """
        check_depths(x, self._w)
        if not 0 <= first < last <= x.strips:
            raise InvalidMatrix(
                "index-outside-matrix", f"strips {first} to {last} are not among the {x.strips} strips of X"
            )
        shape = (min(STRIP_ROWS * last, x.ref.rows) - STRIP_ROWS * first, self._w.ref.rows)
        if out is not None and (out.shape != shape or not out.flags.c_contiguous or out.dtype != np.int32):
            raise InvalidMatrix("shape-mismatch", f"contiguous rows of {shape} are written, not into {out.shape}")
        seed_x = compute_seed_x(self.seed_w, x.ref.id)
        piece = Slice(x, self._w, seed_x, self.seed_w, self._target, first, last, self._threads, needs_rows, out)
        try:
            drawn = self._backend.multiply(piece, self._prepare(stop), on_win, stop)
            if out is None or drawn.product is None or drawn.product is out:
                return drawn
            np.copyto(out, drawn.product)
            return Drawn(out, drawn.tickets)
        except Stopped:
            return Drawn(None, 0)
        except MemoryError as error:
            raise InvalidMatrix(
                "product-too-large", f"not enough memory: {error}", hint="mine it in slices, with mine_strips"
            ) from error

    def _prepare(self, stop: threading.Event | None) -> Any:
        with self._lock:
            if self._prepared is None:
                self._prepared = self._backend.prepare(self._w, self.seed_w, threads=self._threads, stop=stop)
            return self._prepared


class Finder:
    """Makes the seal and witness of each winning ticket. Wins that share a strip share its bytes."""

    def __init__(self, x: Operand, w: Operand) -> None:
        self._x, self._w = x, w
        self._opened: dict[tuple[bool, int], tuple[bytes, tuple[bytes, ...]]] = {}
        self.wins: list[Win] = []

    def add(self, i: int, j: int, p: int, digest: bytes) -> None:
        x_strip, x_path = self._open(True, i * self._x.panels + p)
        w_strip, w_path = self._open(False, j * self._w.panels + p)
        seal = Seal(self._x.ref, self._w.ref, i, j, p, digest)
        self.wins.append(Win(seal, Witness(x_strip, x_path, w_strip, w_path)))

    def _open(self, is_x: bool, index: int) -> tuple[bytes, tuple[bytes, ...]]:
        key = (is_x, index)
        if key not in self._opened:
            operand = self._x if is_x else self._w
            self._opened[key] = (compute_strip(operand.array, index), operand.tree.compute_path(index))
        return self._opened[key]


def make_small_products(anchor: bytes, target: int, *, backend: str = AUTO) -> SmallProducts | None:
    """Return what makes small products in one call each; None if the backend has only the general way.

    Raises:
        InvalidBackend: there is no such backend here.
    """
    check_anchor(anchor, target)
    found = get_backend(backend)
    return found.make_small_products(anchor, target) if isinstance(found, NativeBackend) else None


def get_threads() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_depths(x: Operand, w: Operand) -> None:
    """Check that X and W can be multiplied.

    Raises:
        InvalidMatrix: "depth-mismatch".
    """
    if x.ref.cols != w.ref.cols:
        raise InvalidMatrix(
            "depth-mismatch",
            f"X has {x.ref.cols} columns and W has {w.ref.cols}",
            hint="a product is X * W^T: X is m x k and W is n x k",
        )


def mine(
    x: Operand | NDArray[Any],
    w: Operand | NDArray[Any],
    anchor: bytes,
    target: int,
    *,
    backend: str = AUTO,
    threads: int | None = None,
    stop: threading.Event | None = None,
) -> Mined:
    """Multiply X (m x k) by W (n x k) transposed, exactly, drawing a ticket per 16 x 16 x 1024 piece.

    Args:
        x, w: int8 arrays with entries -64..63, or operands committed before, which saves hashing them.
        anchor: 32 bytes; target: 0 .. 2^256 - 1.
        backend, threads: as `Lottery`.
        stop: once it is set, the call returns within 50 ms with what it has.

    Raises:
        InvalidMatrix: an array is no operand; "depth-mismatch", "product-too-large".
        InvalidBackend: there is no such backend here.
    """
    get_backend(backend)
    check_anchor(anchor, target)
    try:
        committed_x = x if isinstance(x, Operand) else Operand.commit(x, stop, copy=False)
        committed_w = w if isinstance(w, Operand) else Operand.commit(w, stop, copy=False)
    except Stopped:
        return Mined(None, 0, (), False)
    return mine_strips(
        committed_x, committed_w, anchor, target, 0, committed_x.strips, backend=backend, threads=threads, stop=stop
    )


def mine_strips(
    x: Operand,
    w: Operand,
    anchor: bytes,
    target: int,
    first: int,
    last: int,
    *,
    backend: str = AUTO,
    threads: int | None = None,
    stop: threading.Event | None = None,
    needs_rows: bool = True,
) -> Mined:
    """Multiply strips [first, last) of X only. For several slices under one anchor keep a `Lottery`.

    Args:
        needs_rows: without it only the tickets count; no noise is removed, and a graphics card sends no rows back.
    """
    lottery = Lottery(w, anchor, target, backend=backend, threads=threads)
    return lottery.mine_strips(x, first, last, stop=stop, needs_rows=needs_rows)
