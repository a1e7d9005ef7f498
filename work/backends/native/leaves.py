"""Hashes of an operand's strips and of the tree over them, by the kernels."""

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.primitives.hashing import PREFIX, Context
from inos.work.backends.native.library import find_best, load
from inos.work.backends.native.memory import cast
from inos.work.backends.native.running import Flag, get_default_threads, run_all

HASH_BYTES: Final = 32
STRIPS_PER_THREAD: Final = 8
"""A thread is not started for fewer strips: 128 KiB of each panel."""


def hash_leaves(array: NDArray[Any], stop: threading.Event | None) -> bytearray | None:
    """Return the leaves of an int8 matrix, 32 bytes each, one after the other.

    It returns None if no kernel can hash it: none is compiled, the matrix is not contiguous, or it has
    an entry out of range, which the caller names. It raises `Stopped` if it is stopped.
    """
    loaded, kernel = load(), find_best()
    if loaded is None or kernel is None or not array.flags.c_contiguous:
        return None
    ffi, lib = loaded
    rows, cols = array.shape
    strips, panels = -(-rows // 16), -(-cols // 1024)
    leaves, flag = bytearray(strips * panels * HASH_BYTES), Flag()
    view, context = np.frombuffer(leaves, dtype=np.uint8), _encode(ffi, Context.MATRIX_STRIP)
    job = ffi.new("inos_leaves *")
    job.raw, job.rows, job.cols = cast(ffi, "int8_t *", array), rows, cols
    job.context, job.leaves, job.stop = context, cast(ffi, "uint8_t *", view), flag.pointer
    threads = max(1, min(get_default_threads(), strips * panels // STRIPS_PER_THREAD))
    run_all(lambda: lib.inos_run_hash_leaves(kernel.number, job), threads, stop, flag)
    return None if job.is_bad else leaves


def hash_parents(nodes: bytearray) -> bytearray | None:
    """Return the level of the tree above these nodes, an odd last node carried up; None if there are no kernels."""
    loaded, kernel = load(), find_best()
    if loaded is None or kernel is None:
        return None
    ffi, lib = loaded
    count = len(nodes) // HASH_BYTES
    parents = bytearray(-(-count // 2) * HASH_BYTES)
    context = _encode(ffi, Context.MATRIX_NODE)
    lib.inos_run_hash_parents(
        kernel.number, ffi.from_buffer("uint8_t[]", nodes), count, context, ffi.from_buffer("uint8_t[]", parents)
    )
    return parents


def _encode(ffi: Any, context: Context) -> Any:
    return ffi.new("char[]", (PREFIX + context).encode())
