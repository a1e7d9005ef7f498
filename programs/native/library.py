"""The compiled extension, and the instruction sets it can use here."""

from functools import cache
from typing import Any


@cache
def load() -> tuple[Any, Any] | None:
    """Return (ffi, lib) of the compiled extension, or None if the package was installed without it."""
    try:
        from inos.programs.native import _programs  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return None
    return _programs.ffi, _programs.lib


@cache
def find_targets() -> dict[str, int]:
    """Return the numbers of the compiled instruction sets that this processor has, best first."""
    loaded = load()
    if loaded is None:
        return {}
    ffi, lib = loaded
    numbers = [number for number in range(lib.inos_count()) if lib.inos_is_supported(number)]
    return {ffi.string(lib.inos_name(number)).decode(): number for number in numbers}
