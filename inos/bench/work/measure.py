"""Rounds that alternate between all contenders, so that a busy moment of the machine slows all of them."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from inos.bench.work.contenders import BARE, CERTIFIED, FREIVALDS, NUMPY, TORCH, Contenders

SHAPES: Final = (
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (4096, 4096, 4096),
    (8192, 8192, 8192),
    (1024, 11008, 4096),
    (16, 4096, 4096),
)
"""m, n, k. The last two are layers of a language model, for a long prompt and for a few words."""
PAUSE_S: Final = 0.03
"""Threads of OpenMP and OpenBLAS spin for a while after their work, and would take a core from the next contender."""
SPEEDS: Final = ((CERTIFIED, TORCH), (CERTIFIED, NUMPY), (CERTIFIED, BARE), (BARE, TORCH))
"""Ratios of speed that are shown, the first over the second."""


class Measured(Struct, frozen=True):
    """The times of one shape."""

    m: int
    n: int
    k: int
    rounds: int
    seconds: dict[str, float]
    """Medians by contender."""
    ratios: dict[str, float]
    """Medians over the rounds of the ratio within one round."""
    limit_works: dict[str, int] = {}
    """Multiplications of the loop of each limit."""

    def get_speed(self, name: str) -> float | None:
        """Return Gop/s; a multiplication and an addition are two operations."""
        work = self.limit_works.get(name, self.m * self.n * self.k)
        return 2e-9 * work / self.seconds[name] if name in self.seconds else None


def measure(shape: tuple[int, int, int], backend: str, threads: int, rounds: int) -> Measured:
    """Time every contender once per round, after one round to warm up."""
    contenders = Contenders(*shape, backend, threads)
    calls = contenders.calls
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            elapsed = _time(call)
            if turn:
                times[name].append(elapsed)
    return Measured(
        *shape,
        rounds,
        {name: statistics.median(values) for name, values in times.items()},
        dict(_compute_ratios(times, shape[0] * shape[1] * shape[2], contenders.limit_works)),
        contenders.limit_works,
    )


def _time(call: Callable[[], object]) -> float:
    time.sleep(PAUSE_S)
    started = time.perf_counter()
    result = call()
    elapsed = time.perf_counter() - started
    del result  # freeing its memory is not part of the product
    return elapsed


def _compute_ratios(
    times: dict[str, list[float]], work: int, limit_works: dict[str, int]
) -> Iterator[tuple[str, float]]:
    """Yield ratios of speed by name; each limit's loop makes other multiplications than the product's `work`."""
    for limit, limit_work in limit_works.items():
        for name in (CERTIFIED, BARE):
            if name in times:
                quotients = [b / a * work / limit_work for a, b in zip(times[name], times[limit], strict=True)]
                yield f"{name} / {limit}", statistics.median(quotients)
    for fast, slow in SPEEDS:
        if fast in times and slow in times:
            quotients = [b / a for a, b in zip(times[fast], times[slow], strict=True)]
            yield f"{fast} / {slow}", statistics.median(quotients)
    quotients = [a / b for a, b in zip(times[FREIVALDS], times[CERTIFIED], strict=True)]
    yield f"time of {FREIVALDS} / {CERTIFIED}", statistics.median(quotients)
