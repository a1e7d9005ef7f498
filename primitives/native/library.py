"""The compiled extension."""

from functools import cache
from typing import Any


@cache
def load() -> tuple[Any, Any] | None:
    """Return (ffi, lib) of the compiled extension, or None if the package was installed without it."""
    try:
        from inos.primitives.native import _native  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return None
    return _native.ffi, _native.lib
