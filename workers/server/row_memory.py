"""Memory for copies of rows, used again: the system takes as long to clear new memory as to copy rows into it."""

import threading
import weakref
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

KEPT_BYTES: Final = 64 << 20
"""At most so much is kept while nobody uses it."""


class RowMemory:
    """Lends memory, which comes back when the last array over it is gone. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[NDArray[np.uint8]] = []

    @property
    def kept_bytes(self) -> int:
        """Return how many bytes nobody uses now."""
        with self._lock:
            return sum(each.nbytes for each in self._free)

    def borrow(self, size: int) -> NDArray[np.uint8]:
        """Return memory of this many bytes, whatever it holds: it was used before if some of about the size is free."""
        with self._lock:
            fitting = [at for at, each in enumerate(self._free) if size <= each.nbytes <= 4 * size]
            memory = self._free.pop(min(fitting, key=lambda at: self._free[at].nbytes)) if fitting else None
        if memory is None:
            memory = np.empty(size, np.uint8)
        lent = _Lent(memory)
        weakref.finalize(lent, self._take_back, memory).atexit = False
        return np.asarray(lent)[:size]

    def clear(self) -> None:
        """Give the system what is not used now."""
        with self._lock:
            self._free.clear()

    def _take_back(self, memory: NDArray[np.uint8]) -> None:
        with self._lock:
            self._free.append(memory)
            while sum(each.nbytes for each in self._free) > KEPT_BYTES:
                self._free.pop(0)


class _Lent:
    """All arrays over the memory refer to this object, which is numpy's rule for objects with this interface."""

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self.__array_interface__: dict[str, Any] = memory.__array_interface__
