"""The engine of this machine: every product is certified, and its tickets count for nothing."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.errors import InosError
from inos.work.backends.native.modular import multiply_modulo
from inos.work.backends.native.running import get_default_threads, run_each
from inos.work.engine import mine
from inos.work.floats.engines import Pair, Use

NO_ANCHOR: Final = bytes(32)
ALONE_WORK: Final = 1 << 33
"""From so many multiplications on, all threads share one product. Smaller ones are made side by side, a thread each,
because threads that share one wait for each other several times."""


class LocalEngine:
    """Products by the kernels of this machine, in all threads."""

    def __call__(self, pairs: Iterable[Pair], use: Use | None = None, /) -> Iterator[NDArray[Any]]:
        """Yield the product of each pair, in order."""

        def multiply(item: tuple[int, Pair]) -> NDArray[np.int32]:
            number, (x, w) = item
            product = mine(x, w, NO_ANCHOR, 0).product
            if product is None:
                raise InosError("stopped", "the product was stopped")
            if use is not None:
                use(number, product)
            return product

        waiting = iter(enumerate(pairs))
        for item in waiting:
            x, w = item[1]
            if len(x) * len(w) * x.shape[1] >= ALONE_WORK or get_default_threads() == 1:
                yield multiply(item)
            else:
                yield from run_each(multiply, chain([item], waiting), get_default_threads())

    def multiply_modulo(
        self, x: NDArray[np.int8], w: NDArray[np.int8], moduli: tuple[int, ...], out: NDArray[np.int8]
    ) -> bool:
        """Write each product modulo its number, as `ModularEngine` says."""
        return multiply_modulo(x, w, moduli, out) is not None


multiply_here: Final = LocalEngine()
