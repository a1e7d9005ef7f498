"""Keeps memory for rows between pieces: clearing new pages of the system costs a fifth of multiplying into them."""

import ctypes
import sys
from contextlib import suppress
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
"""Parameters of glibc's mallopt."""
KEPT_BYTES: Final = 64 << 20
"""So much free memory is kept; arrays up to this size come from it."""


def keep_freed_memory() -> None:
    """Let this process reuse the memory of large arrays; nothing happens where the C library is another one."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES // 2)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
