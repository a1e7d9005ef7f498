"""How fast this machine mines, and the target that fits that speed."""

import time
from typing import Final

import numpy as np

from inos import work
from inos.primitives.units import U256_MAX, Target

SIDE: Final = 1024
"""Rows and columns of the operands: those of a miner's filler by default."""
MEASURED_S: Final = 1.0


def measure_tickets_per_second(seconds: float = MEASURED_S) -> float:
    """Return the tickets per second of all of this machine's cores together, over about this many seconds."""
    rng = np.random.default_rng()
    x, w = (work.Operand.commit(rng.integers(-64, 64, (SIDE, SIDE), np.int8)) for _ in range(2))
    work.mine(x, w, bytes(32), 0)  # threads start, and kernels are loaded
    began, tickets, turn = time.perf_counter(), 0, 0
    while (elapsed := time.perf_counter() - began) < seconds or not tickets:
        turn += 1
        tickets += work.mine(x, w, turn.to_bytes(32, "big"), 0).tickets
    return tickets / elapsed


def compute_fitting_target(tickets_per_second: float, spacing_ms: int, easiest: Target) -> Target:
    """Return the target at which this many tickets per second win a block every `spacing_ms` on average."""
    tickets = max(1, round(tickets_per_second * spacing_ms / 1000))
    return Target(min((U256_MAX + 1) // tickets - 1, easiest))
