"""The kernel that a page in a browser runs, compiled from kernel.c to WebAssembly; `make wasm` builds it again.

It draws a filler's operands and tickets, bit for bit as the node's backends do. It is no backend of a node: a node
serves the module to pages, which verify nothing and are never believed. Measurements run it in other engines.
"""

from functools import cache
from importlib.resources import files


@cache
def load_module() -> bytes:
    """Return the bytes of the compiled module."""
    return (files(__name__) / "kernel.wasm").read_bytes()
