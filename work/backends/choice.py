"""Chooses what multiplies: the kernel of this processor, or a graphics card if one is found to be right and faster."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

import numpy as np
from msgspec import Struct

from inos.work.backends import AUTO, CARDS, CardFailed, get_backend
from inos.work.engine import Lottery
from inos.work.matrices import Operand

MEASURED_S: Final = 1.0
"""Each one multiplies for so long before it is chosen."""
KNOWN_SHAPE: Final = 70, 50, 1100
"""A product whose strips and panels are not whole."""
KNOWN_TARGET: Final = 1 << 254
"""A quarter of the tickets win."""
SPEED_SIDE: Final = 1024


class Measured(Struct, frozen=True):
    """What was found about one backend."""

    name: str
    tickets_per_second: float
    trouble: str = ""
    """The reason why it is not used, or ""."""


def has_card_libraries() -> bool:
    """Return True if a library that drives graphics cards is installed; none is imported."""
    return any(find_spec(name) is not None for name in ("wgpu", "triton"))


def choose_backend(
    threads: int | None = None, clock: Callable[[], float] = time.monotonic
) -> tuple[str, list[Measured]]:
    """Return the name of the fastest backend that multiplies rightly here, and what was measured.

    Without a card it returns at once.
    """
    cards = [card.name for card in CARDS if not card.get_obstacle()]
    own = get_backend(AUTO).name
    if not cards:
        return own, []
    found = [_measure(name, threads, clock) for name in (own, *cards)]
    best = max(found, key=lambda each: (not each.trouble, each.tickets_per_second))
    return best.name, found


def check_known_answer(name: str) -> str:
    """Return "" if a backend draws the tickets and the product that the processor's kernel draws, else what differs."""
    m, n, k = KNOWN_SHAPE
    rng = np.random.default_rng(1)
    x, w = (Operand.commit(rng.integers(-64, 64, (rows, k), np.int8)) for rows in (m, n))
    expected, found = (
        Lottery(w, bytes(32), KNOWN_TARGET, backend=backend).mine_strips(x, 1, x.strips) for backend in (AUTO, name)
    )
    if not np.array_equal(np.asarray(expected.product), np.asarray(found.product)):
        return "its product is wrong"
    seals = [sorted(win.seal.digest for win in mined.wins) for mined in (expected, found)]
    return "" if seals[0] == seals[1] and expected.tickets == found.tickets else "its tickets are wrong"


def _measure(name: str, threads: int | None, clock: Callable[[], float]) -> Measured:
    try:
        if trouble := check_known_answer(name):
            return Measured(name, 0.0, trouble)
        rng = np.random.default_rng(2)
        x, w = (Operand.commit(rng.integers(-64, 64, (SPEED_SIDE, SPEED_SIDE), np.int8)) for _ in range(2))
        began, tickets, turn = clock(), 0, 0
        while clock() - began < MEASURED_S:
            turn += 1
            lottery = Lottery(w, turn.to_bytes(32, "big"), 0, backend=name, threads=threads)
            tickets += lottery.mine_strips(x, 0, x.strips).tickets
        return Measured(name, tickets / (clock() - began))
    except CardFailed as error:
        return Measured(name, 0.0, error.message)
