"""Memory for the kernels. Some is kept between calls, since clearing new pages costs as much as packing into them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LINE: Final = 64
MAX_KEPT_BYTES: Final = 24 << 20
"""At most this many bytes are kept for later calls."""


def allocate(count: int) -> NDArray[np.uint8]:
    """Return `count` bytes that begin a cache line: a load across two lines costs twice as much."""
    memory = np.empty(count + LINE, dtype=np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    return memory[start : start + count]


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
                self._kept.extend(arrays)
                while sum(map(len, self._kept)) > self._most:
                    self._kept.pop(0)

    def _take(self, count: int) -> NDArray[np.uint8]:
        for at, array in enumerate(self._kept):
            if count <= len(array) <= 2 * count:
                return self._kept.pop(at)
        return allocate(count)


borrow: Final = Memory(MAX_KEPT_BYTES).borrow


def cast(ffi: Any, kind: str, array: NDArray[Any]) -> Any:
    """Return a C pointer to an array. It does not keep the array alive."""
    if array.flags.c_contiguous:
        return ffi.from_buffer(kind, array)  # a fifth of the time, and a small product needs twenty pointers
    return ffi.cast(kind, array.ctypes.data)
