"""What all graphics cards have in common: blocks of both operands, their noise, and the check of every win.

A `Card` multiplies blocks. The backend over it cuts operands into blocks that fit the card, keeps the noisy W there,
makes a call last about 15 ms so that it can be stopped, and computes each ticket that the card calls a winner again on
the processor before anybody hears of it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.primitives.errors import InosError
from inos.primitives.matrices import PANEL_BYTES, STRIP_BYTES, STRIP_ROWS
from inos.work.backends.base import Drawn, OnWin, Slice
from inos.work.backends.numpy_noise import compute_columns, compute_inverse
from inos.work.matrices import Operand
from inos.work.noise import STEP, compute_noise_w, compute_noise_x
from inos.work.stopping import Stopped, check_stop
from inos.work.strips import compute_strip
from inos.work.tickets import compute_ticket

BLOCK_BYTES: Final = 64 << 20
"""A block of an operand or a product has at most this many bytes: WebGPU binds 128 MiB at least."""
TICKET_BYTES: Final = 64
"""A card keeps at most so much of each ticket of a call."""
KEPT_BYTES: Final = 1 << 30
"""The noisy W stays on the card up to this size, and is made again for every block of X above it."""
CALL_S: Final = 0.015
"""A call should last this long: `stop` is looked at between two calls."""
FIRST_WORK: Final = 1 << 28
"""Multiplications of the first call, when the speed is not known."""


class CardFailed(InosError):
    """The card or its driver fails, or it multiplied wrongly."""


class Noise(Struct, frozen=True, eq=False):
    """The noise of some rows of one operand."""

    rows: NDArray[np.int8]
    """F_L of W, or E_L - 64 of X: rows x 64. What is added to X is 128 less than the protocol's, which fits a byte."""
    columns: NDArray[np.uint8]
    """P_b[c] of all columns of the padded operand."""
    inverse: NDArray[np.uint8]
    """For each step and noise column q the column of the step to which q was added."""


class Card(Protocol):
    """One kind of card. Rows are whole strips, and columns whole panels, padded with zeros."""

    name: str
    failures: tuple[type[Exception], ...]
    """The errors of its library."""

    def load(self, rows: NDArray[np.int8], noise: Noise) -> Any:
        """Copy rows of an operand to the card, and add their noise there."""

    def multiply(
        self, x: Any, w: Any, seed_x: bytes, target: int, *, needs_rows: bool
    ) -> tuple[NDArray[np.int32] | None, Sequence[tuple[int, int, int]]]:
        """Return the exact product of two blocks if it is needed, and (i, j, p) of the tickets that may have won.

        All winners are among them; i and j count from the blocks' first strips.
        """


class CardBackend:
    """Runs on a card, one slice at a time.

    Args:
        name: that of `--backend`.
        open_card: returns the card, or raises CardFailed with the reason why there is none.
    """

    def __init__(self, name: str, open_card: Callable[[], Card]) -> None:
        self.name = name
        self._open_card = open_card
        self._lock = threading.Lock()
        self._speed = 0.0
        """Multiplications a second."""

    @cached_property
    def _found(self) -> Card | str:
        try:
            return self._open_card()
        except CardFailed as error:
            return error.message

    @property
    def card(self) -> Card:
        """Return the card.

        Raises:
            CardFailed: there is none.
        """
        if isinstance(self._found, str):
            raise CardFailed("no-card", self._found, hint="inos work backends shows what can be used")
        return self._found

    def get_obstacle(self) -> str:
        return self._found if isinstance(self._found, str) else ""

    def prepare(self, w: Operand, seed_w: bytes, *, threads: int, stop: threading.Event | None) -> "PreparedW":
        check_stop(stop)
        return PreparedW(self.card, w, seed_w)

    def multiply(self, piece: Slice, prepared: "PreparedW", on_win: OnWin, stop: threading.Event | None) -> Drawn:
        try:
            with self._lock:
                return self._multiply(piece, prepared, on_win, stop)
        except self.card.failures as error:
            text = f"{self.card.name} fails: {error}"[:300]
            raise CardFailed("card-failed", text, hint="see what the system's log says of its driver") from error

    def _multiply(self, piece: Slice, prepared: "PreparedW", on_win: OnWin, stop: threading.Event | None) -> Drawn:
        top = piece.first * STRIP_ROWS
        rows = min(piece.last * STRIP_ROWS, piece.x.ref.rows) - top
        product, tickets = np.empty((rows if piece.needs_rows else 0, piece.w.ref.rows), np.int32), 0
        columns, inverse = make_permutations(piece.seed_x, piece.x.panels)
        first = piece.first
        try:
            while first < piece.last:
                last = min(first + self._plan(piece, prepared), piece.last)
                raw = compute_noise_x(piece.seed_x, first * STRIP_ROWS, last * STRIP_ROWS).view(np.int8)
                x = self.card.load(cut_rows(piece.x, first, last), Noise(raw - np.int8(64), columns, inverse))
                for left, right, w in prepared.load_blocks():
                    check_stop(stop)
                    began = time.monotonic()
                    part, found = self.card.multiply(x, w, piece.seed_x, piece.target, needs_rows=piece.needs_rows)
                    self._note_speed((last - first) * (right - left) * piece.x.panels, time.monotonic() - began)
                    if part is not None:
                        _copy(part, product, first * STRIP_ROWS - top, left * STRIP_ROWS)
                    for i, j, p in found:
                        _check_win(piece, (first + i, left + j, p), on_win)
                    tickets += (last - first) * (right - left) * piece.x.panels
                first = last
        except Stopped:
            return Drawn(None, tickets)
        return Drawn(product, tickets)

    def _plan(self, piece: Slice, prepared: "PreparedW") -> int:
        """Return how many strips of X a call takes: as many as it multiplies in its time, and as fit."""
        work = int(self._speed * CALL_S) or FIRST_WORK
        fits = min(
            BLOCK_BYTES // (piece.x.panels * STRIP_BYTES),
            BLOCK_BYTES // (STRIP_ROWS * STRIP_ROWS * 4 * prepared.strips),
            BLOCK_BYTES // (TICKET_BYTES * piece.x.panels * prepared.strips),
        )
        return max(1, min(fits, work // (piece.x.panels * STRIP_BYTES * STRIP_ROWS * prepared.strips)))

    def _note_speed(self, tickets: int, seconds: float) -> None:
        speed = tickets * STRIP_BYTES * STRIP_ROWS / max(seconds, 1e-6)
        self._speed = speed if self._speed == 0 else (3 * self._speed + speed) / 4


class PreparedW:
    """W under one anchor, in blocks on the card."""

    def __init__(self, card: Card, w: Operand, seed_w: bytes) -> None:
        self._card, self._w, self._seed = card, w, seed_w
        self._columns, self._inverse = make_permutations(seed_w, w.panels)
        # A product of 16 rows by a block has to fit too.
        fits = min(BLOCK_BYTES // (w.panels * STRIP_BYTES), BLOCK_BYTES // (STRIP_ROWS * STRIP_ROWS * 4))
        self.strips = min(w.strips, fits)
        """Strips of a block."""
        self._is_kept = w.strips * w.panels * STRIP_BYTES <= KEPT_BYTES
        self._kept: dict[int, Any] = {}

    def load_blocks(self) -> Iterator[tuple[int, int, Any]]:
        """Yield the first and the last strip of each block, and the block on the card."""
        for left in range(0, self._w.strips, self.strips):
            right = min(left + self.strips, self._w.strips)
            block = self._kept.get(left)
            if block is None:
                rows = compute_noise_w(self._seed, left * STRIP_ROWS, right * STRIP_ROWS)
                noise = Noise(rows, self._columns, self._inverse)
                block = self._card.load(cut_rows(self._w, left, right), noise)
                if self._is_kept:
                    self._kept[left] = block
            yield left, right, block


def make_permutations(seed: bytes, panels: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return `Noise.columns` and `Noise.inverse` of an operand."""
    columns = compute_columns(seed, panels)
    inverse = compute_inverse(columns) % STEP
    return columns.astype(np.uint8).reshape(-1), inverse.astype(np.uint8).reshape(-1)


def cut_rows(operand: Operand, first: int, last: int) -> NDArray[np.int8]:
    """Return strips [first, last) with all columns, padded with zeros to whole strips and panels."""
    part = operand.array[first * STRIP_ROWS : last * STRIP_ROWS]
    shape = (last - first) * STRIP_ROWS, operand.panels * PANEL_BYTES
    if part.shape == shape:
        return np.ascontiguousarray(part)
    padded = np.zeros(shape, np.int8)
    padded[: part.shape[0], : part.shape[1]] = part
    return padded


def _copy(part: NDArray[np.int32], product: NDArray[np.int32], top: int, left: int) -> None:
    """Copy a block of the product to its place, without its padding."""
    place = product[top : top + part.shape[0], left : left + part.shape[1]]
    place[...] = part[: place.shape[0], : place.shape[1]]


def _check_win(piece: Slice, place: tuple[int, int, int], on_win: OnWin) -> None:
    """Compute a ticket again, and hand it on if it won."""
    i, j, p = place
    x = compute_strip(piece.x.array, i * piece.x.panels + p)
    w = compute_strip(piece.w.array, j * piece.w.panels + p)
    digest = compute_ticket(x, w, piece.seed_x, piece.seed_w, place)
    if int.from_bytes(digest, "big") <= piece.target:
        on_win(i, j, p, digest)
