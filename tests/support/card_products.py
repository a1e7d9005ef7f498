"""Products of a card backend against the reference, for the tests of graphics cards.

As a program it compares the backend that it is given the name of, and prints one line for each product: Triton reads
TRITON_INTERPRET when it is imported, so its interpreter has a process of its own.
"""

import sys
from typing import Any

import numpy as np

from inos.work import Operand
from inos.work.backends import Backend, get_backend
from inos.work.backends.base import Slice
from inos.work.noise import compute_seed_w, compute_seed_x

ANCHOR = bytes(range(32))
ALL = 2**256 - 1
TILES = ((17, 40, 1030, ALL), (3, 2, 2500, 1 << 255), (33, 17, 64, 1 << 254), (1, 1, 1, ALL))
"""m, n, k and the target: 23 tickets, of which most win, in strips and panels that are not whole."""


def compare(
    backend: Backend, m: int, n: int, k: int, target: int, *, fill: int | None = None, in_parts: bool = True
) -> int:
    """Compare a product and its tickets with numpy's, and return how many tickets won.

    Args:
        fill: the value of all entries; by default they are random.
        in_parts: compare the strips from the second one on too, and the tickets drawn without rows.
    """
    rng = np.random.default_rng(m)
    arrays = [
        rng.integers(-64, 64, (rows, k), np.int8) if fill is None else np.full((rows, k), fill, np.int8)
        for rows in (m, n)
    ]
    x, w = (Operand.commit(array) for array in arrays)
    (expected, right), (found, wins) = (draw(each, x, w, target, 0) for each in (get_backend("numpy"), backend))
    assert np.array_equal(found.product, expected.product), f"product {m} x {n} x {k}"
    assert found.tickets == expected.tickets
    assert wins == right, f"tickets of {m} x {n} x {k}"
    if in_parts and x.strips > 1:
        part, some = draw(backend, x, w, target, 1)
        assert np.array_equal(part.product, expected.product[16:])
        assert some == [win for win in right if win[0] >= 1]
    if in_parts:
        bare, same = draw(backend, x, w, target, 0, needs_rows=False)
        assert bare.product.shape == (0, n)
        assert (bare.tickets, same) == (expected.tickets, right)
    return len(wins)


def draw(
    backend: Backend, x: Operand, w: Operand, target: int, first: int, *, needs_rows: bool = True
) -> tuple[Any, list[Any]]:
    """Multiply the strips of X from `first` on, and return the outcome and the wins in order."""
    wins: list[Any] = []
    seed_w = compute_seed_w(ANCHOR, w.ref.id)
    piece = Slice(x, w, compute_seed_x(seed_w, x.ref.id), seed_w, target, first, x.strips, 1, needs_rows)
    prepared = backend.prepare(w, seed_w, threads=1, stop=None)
    drawn = backend.multiply(piece, prepared, lambda *win: wins.append(win), None)
    return drawn, sorted(wins)


if __name__ == "__main__":
    for tile in TILES:
        print(tile[:3], compare(get_backend(sys.argv[1]), *tile, in_parts=False), flush=True)
