"""Memory for the kernels, some of it kept from call to call: clearing new pages costs as much as packing into them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LINE: Final = 64
MAX_KEPT_BYTES: Final = 24 << 20
"""What waits for the next call, in all."""

_lock = threading.Lock()
_kept: list[NDArray[np.uint8]] = []


def allocate(count: int) -> NDArray[np.uint8]:
    """`count` bytes on a cache line of their own: a load across two lines costs twice."""
    memory = np.empty(count + LINE, dtype=np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + count]


@contextmanager
def borrow(counts: list[int]) -> Iterator[list[NDArray[np.uint8]]]:
    """The same, of memory that was used before where there is some of about the size."""
    with _lock:
        arrays = [_take(count) for count in counts]
    try:
        yield arrays
    finally:
        with _lock:
            _kept.extend(arrays)
            while sum(map(len, _kept)) > MAX_KEPT_BYTES:
                _kept.pop(0)


def _take(count: int) -> NDArray[np.uint8]:
    for at, array in enumerate(_kept):
        if count <= len(array) <= 2 * count:
            return _kept.pop(at)
    return allocate(count)


def cast(ffi: Any, kind: str, array: NDArray[Any]) -> Any:
    """A C pointer to an array, which keeps nothing alive."""
    return ffi.cast(kind, array.ctypes.data)
