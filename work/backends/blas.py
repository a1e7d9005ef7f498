"""Limits numpy's OpenBLAS to one thread per product while this package runs threads of its own.

Two threads that each ask OpenBLAS for two more wait for one another: they reached 60 instead of
105 Gop/s on two cores. numpy has no function for this, so the one in its library is used if it exists.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final

import numpy as np

_SUFFIXES: Final = ("64_", "")
_PREFIXES: Final = ("scipy_openblas", "openblas")
_lock: Final = threading.Lock()
_state: Final = {"users": 0, "threads": 1}


@cache
def _find_calls() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """Return (get, set) of the number of threads, or None if numpy uses another BLAS."""
    with suppress(OSError, AttributeError):
        module: Any = np._core._multiarray_umath  # type: ignore[attr-defined]
        library = ctypes.CDLL(module.__file__)
        for prefix in _PREFIXES:
            for suffix in _SUFFIXES:
                with suppress(AttributeError):
                    return (
                        getattr(library, f"{prefix}_get_num_threads{suffix}"),
                        getattr(library, f"{prefix}_set_num_threads{suffix}"),
                    )
    return None


def is_controllable() -> bool:
    """Return True if the number of BLAS threads can be set here."""
    return _find_calls() is not None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Allow one BLAS thread per product inside; the last user to leave restores the number."""
    calls = _find_calls()
    if calls is None:
        yield
        return
    get_threads, set_threads = calls
    with _lock:
        if _state["users"] == 0:
            _state["threads"] = get_threads()
            set_threads(1)
        _state["users"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["users"] -= 1
            if _state["users"] == 0:
                set_threads(_state["threads"])
