"""Durations of calls."""

import statistics
import time
from collections.abc import Callable


def time_median(call: Callable[[], object], rounds: int) -> float:
    """Return the median duration of a call in seconds."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
