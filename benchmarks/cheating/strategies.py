"""The cheats: each is a call that draws tickets under a new anchor."""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cheating.kernel import FACTORS, PLAIN, REUSE, SEVEN_BITS, Cheat, Deal
from cheating.sums import compute_sums
from inos import work
from inos.work import Operand
from inos.work.backends.base import OnWin

Shape = tuple[int, int, int]
"""The sizes m, n, k of a product."""

HONEST: Final = "honest"
REUSE_SHAPE: Final = (1024, 1024, 1024)
"""The sums of a ticket take 16 KiB and are kept in memory, so these 4,096 tickets take 64 MiB."""
VARIANTS: Final = 32
SHAPES: Final = ((512, 512, 1024), (1024, 1024, 1024), (4096, 256, 4096), (4096, 4096, 1), (8192, 8192, 1024))
"""Shapes in which packing costs more or less: small matrices, few strips of W, mostly padding, one wide panel."""


class Turn(Struct, frozen=True, eq=False):
    """The tickets that one call drew."""

    x: Operand
    w: Operand
    anchor: bytes
    tickets: int


Draw = Callable[[bytes, int, OnWin], Turn]
"""A function of an anchor, a target, and a callback for winning tickets."""


class Attack(Struct, frozen=True, eq=False):
    """One cheat, or the honest miner."""

    name: str
    skips: str
    """The part of the honest miner's work that the cheat skips."""
    draw: Draw


def list_attacks(cheat: Cheat, backend: str, threads: int, shape: Shape) -> Iterator[Attack]:
    """Return the honest miner first, then every cheat of this kernel; cheats that do not name a shape use `shape`."""
    m, n, k = shape
    x, w = make_random(m, k, 1), make_random(n, k, 2)
    yield Attack(HONEST, "nothing", _mine(x.array, w.array, backend, threads))
    row, column = make_random(1, k, 3).array, np.sign(make_random(max(m, n), 1, 4).array)
    alike = {
        "zeros": (np.zeros((m, k), np.int8), np.zeros((n, k), np.int8)),
        "one row repeated": (np.repeat(row, m, axis=0), np.repeat(row, n, axis=0)),
        "rank 1": (column[:m] * np.maximum(row, -63), column[:n] * np.maximum(row, -63)),
    }
    for name, (left, right) in alike.items():
        yield Attack(f"{name}, honest software", "nothing", _mine(left, right, backend, threads))
    yield Attack("same X and W, many nonces", "hashing", _mine_committed(x, w, backend, threads))
    filler = _mine_committed(x, w, backend, threads, needs_rows=False)
    yield Attack("filler, honest software", "hashing, peeling", filler)
    yield Attack("random, no product wanted", "hashing, peeling", _draw(cheat, x, w))
    for name, (left, right) in alike.items():
        operands = Operand.commit(left), Operand.commit(right)
        yield Attack(f"{name}, no product wanted", "hashing, peeling", _draw(cheat, *operands))
        if name == "zeros":
            draw = _draw(cheat, *operands, FACTORS)
            yield Attack("zeros, through the noise's factors", "hashing, peeling, packing W", draw)
    if cheat.has(REUSE):
        yield Attack("last sums reused, 1024 x 1024 x 1024", "hashing, peeling, X * W'", _draw_again(cheat))
    for other in SHAPES:
        operands = make_random(other[0], other[2], 5), make_random(other[1], other[2], 6)
        name = " x ".join(map(str, other))
        yield Attack(f"cheapest strips, {name}", "hashing, peeling", _draw(cheat, *operands))
    seven = Operand.commit(np.full((m, k), -64, np.int8)), Operand.commit(np.zeros((n, k), np.int8))
    yield Attack("noise kept to seven bits", "hashing, peeling, widening", _draw(cheat, *seven, SEVEN_BITS))


def make_random(rows: int, cols: int, seed: int) -> Operand:
    """Return a committed random matrix with entries from -64 to 63."""
    return Operand.commit(np.random.default_rng(seed).integers(-64, 64, (rows, cols), dtype=np.int8))


def _mine(x: NDArray[np.int8], w: NDArray[np.int8], backend: str, threads: int) -> Draw:
    """Do everything that a miner does for a customer who needs the product of new matrices. Like `work.mine`, it reads
    them where they are.
    """

    def draw(anchor: bytes, target: int, on_win: OnWin) -> Turn:
        left, right = Operand.commit(x, copy=False), Operand.commit(w, copy=False)
        drawn = work.Lottery(right, anchor, target, backend=backend, threads=threads).draw(left, 0, left.strips, on_win)
        return Turn(left, right, anchor, drawn.tickets)

    return draw


def _mine_committed(x: Operand, w: Operand, backend: str, threads: int, *, needs_rows: bool = True) -> Draw:
    def draw(anchor: bytes, target: int, on_win: OnWin) -> Turn:
        lottery = work.Lottery(w, anchor, target, backend=backend, threads=threads)
        drawn = lottery.draw(x, 0, x.strips, on_win, needs_rows=needs_rows)
        return Turn(x, w, anchor, drawn.tickets)

    return draw


def _draw(cheat: Cheat, x: Operand, w: Operand, way: int = PLAIN) -> Draw:
    def draw(anchor: bytes, target: int, on_win: OnWin) -> Turn:
        return Turn(x, w, anchor, cheat.draw(Deal(x, w, anchor, target, way), on_win))

    return draw


def _draw_again(cheat: Cheat, shape: Shape = REUSE_SHAPE) -> Draw:
    """Use one anchor for many X that differ only in their last strip, and reuse the products of W' with the other
    strips.

    Under another anchor, W' and all of its sums are new. Keeping X * W instead saves nothing, since X times the noise
    of W takes as long as X times W'.
    """
    m, n, k = shape
    first, w = make_random(m, k, 8), make_random(n, k, 7)
    operands = cycle([Operand.commit(other) for other in _vary(first.array)])
    kept: list[tuple[bytes, NDArray[np.int32]]] = []

    def draw(anchor: bytes, target: int, on_win: OnWin) -> Turn:
        if not kept:
            kept.append((anchor, compute_sums(first, w, anchor)[:-1]))
        deal = Deal(next(operands), w, kept[0][0], target, REUSE, kept[0][1])
        return Turn(deal.x, w, deal.anchor, cheat.draw(deal, on_win))

    return draw


def _vary(array: NDArray[np.int8]) -> Iterator[NDArray[np.int8]]:
    """Return a copy that differs in one entry of the last row."""
    for value in range(VARIANTS):
        other = array.copy()
        other[-1, 0] = value
        yield other
