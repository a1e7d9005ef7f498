"""Gives memory that was freed back to the system, and spares what lasts from garbage collections.

The C library keeps what lies between blocks in use, which after large matrices and messages is a third of its heap.
"""

import asyncio
import ctypes
import gc
from collections.abc import Callable
from typing import Final

TRIM_S: Final = 60.0


def load_trim() -> Callable[[], None] | None:
    """Return the function that gives free memory back, or None where the C library has none, as on macOS and musl."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return None
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    return lambda: trim(0)


def freeze_loaded() -> None:
    """Spare what was loaded until now from garbage collections.

    Modules, classes and services last as long as the process. Looking through them takes 40 to 80 ms, in which no other
    thread runs, and the collector would do so several times while a chain is synced.
    """
    gc.collect()
    gc.freeze()


async def keep_trimmed() -> None:
    """Give free memory back every minute, in a thread, until cancelled."""
    trim = load_trim()
    while trim is not None:
        await asyncio.sleep(TRIM_S)
        await asyncio.to_thread(trim)
