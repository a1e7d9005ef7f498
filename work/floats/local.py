"""The engine of this machine: every product is certified, and its tickets count for nothing."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.errors import InosError
from inos.work.backends.native.running import get_default_threads, run_each
from inos.work.engine import mine
from inos.work.floats.engines import Pair

NO_ANCHOR: Final = bytes(32)
ALONE_WORK: Final = 1 << 33
"""From so many multiplications on, all threads share one product. Smaller ones are made side by side, a thread each,
because threads that share one wait for each other several times."""


def multiply_here(pairs: Iterable[Pair]) -> Iterator[NDArray[Any]]:
    """Yield the product of each pair, in order."""
    waiting = iter(pairs)
    for x, w in waiting:
        if len(x) * len(w) * x.shape[1] >= ALONE_WORK or get_default_threads() == 1:
            yield _multiply((x, w))
        else:
            yield from run_each(_multiply, _chain((x, w), waiting), get_default_threads())


def _chain(first: Pair, others: Iterator[Pair]) -> Iterator[Pair]:
    yield first
    yield from others


def _multiply(pair: Pair) -> NDArray[np.int32]:
    product = mine(*pair, NO_ANCHOR, 0).product
    if product is None:
        raise InosError("stopped", "the product was stopped")
    return product
