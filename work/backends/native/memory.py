"""Memory for the kernels. Some is kept between calls, since clearing new pages costs as much as packing into them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LINE: Final = 64
MAX_KEPT_BYTES: Final = 24 << 20
"""At most this many bytes are kept for later calls."""
MAX_PRODUCT_BYTES: Final = (64 << 20) + LINE
"""So many bytes of products that nobody refers to any more are kept for later ones: a product of 4096 x 4096."""
MIN_PRODUCT_BYTES: Final = 1 << 20
"""What smaller products leave is used again without our help."""


def allocate(count: int) -> NDArray[np.uint8]:
    """Return `count` bytes that begin a cache line: a load across two lines costs twice as much."""
    memory = np.empty(count + LINE, dtype=np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    return memory[start : start + count]


class _Loan:
    """Memory that a numpy array uses. It goes back once neither the array nor any part of it is referred to."""

    def __init__(self, whole: NDArray[np.uint8], count: int, give_back: Callable[[NDArray[np.uint8]], None]) -> None:
        self.__array_interface__ = whole[:count].__array_interface__
        self._whole, self._give_back = whole, give_back

    def __del__(self) -> None:
        self._give_back(self._whole)


class Memory:
    """It lends memory, and keeps some of what came back.

    Args:
        most: at most so many bytes are kept for later calls.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: list[NDArray[np.uint8]] = []

    @contextmanager
    def borrow(self, counts: list[int]) -> Iterator[list[NDArray[np.uint8]]]:
        """Lend arrays of at least these sizes, in memory that was used before if some of about the size is kept."""
        with self._lock:
            arrays = [self._take(count) for count in counts]
        try:
            yield arrays
        finally:
            with self._lock:
                self._keep(arrays)

    def lend(self, count: int) -> NDArray[np.uint8]:
        """Return `count` bytes, used before if there are some, that come back by themselves once nobody needs them."""
        with self._lock:
            whole = self._take(count)
        return np.asarray(_Loan(whole, count, self._give_back))

    def _give_back(self, array: NDArray[np.uint8]) -> None:
        # The collector may call this in the middle of anything, even of what holds the lock. Then the memory is freed.
        if self._lock.acquire(blocking=False):
            try:
                self._keep([array])
            finally:
                self._lock.release()

    def _keep(self, arrays: list[NDArray[np.uint8]]) -> None:
        self._kept.extend(arrays)
        while sum(map(len, self._kept)) > self._most:
            self._kept.pop(0)

    def _take(self, count: int) -> NDArray[np.uint8]:
        for at, array in enumerate(self._kept):
            if count <= len(array) <= 2 * count:
                return self._kept.pop(at)
        return allocate(count)


borrow: Final = Memory(MAX_KEPT_BYTES).borrow
_products: Final = Memory(MAX_PRODUCT_BYTES)


def allocate_rows(rows: int, cols: int) -> NDArray[np.int32]:
    """Return undefined int32 rows for a product, in memory of an earlier one where there is some: to clear new pages
    takes a tenth of a large product's time."""
    count = 4 * rows * cols
    memory = allocate(count) if count < MIN_PRODUCT_BYTES else _products.lend(count)
    return memory.view(np.int32).reshape(rows, cols)


def cast(ffi: Any, kind: str, array: NDArray[Any]) -> Any:
    """Return a C pointer to an array. It does not keep the array alive."""
    if array.flags.c_contiguous:
        return ffi.from_buffer(kind, array)  # a fifth of the time, and a small product needs twenty pointers
    return ffi.cast(kind, array.ctypes.data)
