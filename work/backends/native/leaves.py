"""Hashes of an operand's strips, by the kernels."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primitives.hashing import PREFIX, Context
from work.backends.native.library import find_best, load
from work.backends.native.running import Flag, get_default_threads, run_all

PIECE = 16
"""Strips hashed in one call, times the panels."""
HASH_BYTES = 32


def hash_leaves(array: NDArray[Any], stop: threading.Event | None) -> bytearray | None:
    """The leaves of an int8 matrix, 32 bytes each, one after the other.

    None where there are no kernels for it: not compiled, a matrix that is not contiguous, or one with
    an entry out of range, which the caller is to name. Raises `Stopped`.
    """
    loaded, kernel = load(), find_best()
    if loaded is None or kernel is None or not array.flags.c_contiguous:
        return None
    ffi, lib = loaded
    rows, cols = array.shape
    strips, panels = -(-rows // 16), -(-cols // 1024)
    leaves, flag = bytearray(strips * panels * HASH_BYTES), Flag()
    view = np.frombuffer(leaves, dtype=np.uint8)
    context = ffi.new("char[]", (PREFIX + Context.MATRIX_STRIP).encode())
    bad: list[int] = []

    def run(first: int) -> None:
        last = min(first + PIECE, strips)
        out = ffi.cast("uint8_t *", view[first * panels * HASH_BYTES :].ctypes.data)
        raw = ffi.cast("int8_t *", array.ctypes.data)
        done = lib.inos_run_hash_leaves(kernel.number, raw, rows, cols, first, last, context, out, flag.pointer)
        if done < last - first:
            bad.append(first)

    threads = min(get_default_threads(), -(-strips // PIECE))
    run_all(run, range(0, strips, PIECE), threads, stop, flag)
    return None if bad else leaves
