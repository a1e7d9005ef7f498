"""What multiplies: an engine takes pairs of int7 matrices and returns their exact products."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from inos.primitives.matrices import MAX_DEPTH

Pair: TypeAlias = tuple[NDArray[np.int8], NDArray[np.int8]]
"""A pair is X, int8 m x k, and W, int8 n x k, with entries -64..63 and k at most 65,536."""
Use: TypeAlias = Callable[[int, NDArray[Any]], None]
"""It is called with each product and its number, from any thread."""


class Engine(Protocol):
    """It turns pairs into their exact products X * W^T, in order, one by one or many at a time.

    Args:
        use: reads each product as soon as it is made, if given, while it lies in the cache of the core that made it.
    """

    def __call__(self, pairs: Iterable[Pair], use: Use | None = None, /) -> Iterable[NDArray[Any]]: ...


@runtime_checkable
class ModularEngine(Engine, Protocol):
    """An engine that can reduce its products itself, as soon as they are made."""

    def multiply_modulo(
        self, x: NDArray[np.int8], w: NDArray[np.int8], moduli: tuple[int, ...], out: NDArray[np.int8]
    ) -> bool:
        """Write x[b] * w[b]^T modulo each modulus, or return False if it does not do that for such shapes.

        Args:
            x, w: moduli x m x k and moduli x n x k, the part of each modulus contiguous.
            out: moduli x m x n, likewise. It gets congruent numbers of at most 112 in magnitude.
        """
        ...


def cut_depth(x: NDArray[np.int8], w: NDArray[np.int8]) -> Iterator[Pair]:
    """Yield pairs that an engine takes, whose products add up to X * W^T of any depth."""
    for start in range(0, x.shape[1], MAX_DEPTH):
        piece = slice(start, start + MAX_DEPTH)
        yield np.ascontiguousarray(x[:, piece]), np.ascontiguousarray(w[:, piece])


def multiply_deep(x: NDArray[np.int8], w: NDArray[np.int8], engine: Engine) -> NDArray[np.int64]:
    """Return X * W^T of any depth."""
    return sum_pieces(iter(engine(cut_depth(x, w))), x.shape[1])


def sum_pieces(products: Iterator[NDArray[Any]], depth: int) -> NDArray[np.int64]:
    """Return the sum of as many products as `cut_depth` makes of this depth."""
    total = next(products).astype(np.int64)
    for _ in range(MAX_DEPTH, depth, MAX_DEPTH):
        total += next(products)
    return total
