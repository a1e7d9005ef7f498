"""Memory for the kernels."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LINE: Final = 64


def allocate(count: int) -> NDArray[np.uint8]:
    """`count` bytes on a cache line of their own: a load across two lines costs twice."""
    memory = np.empty(count + LINE, dtype=np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + count]


def cast(ffi: Any, kind: str, array: NDArray[Any]) -> Any:
    """A C pointer to an array, which keeps nothing alive."""
    return ffi.cast(kind, array.ctypes.data)
