"""The compiled kernels, or the reason why there are none."""

import shutil
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

KERNELS: Final[dict[str, str]] = {
    "amx": "an x86-64 processor with AMX for bytes, and Linux, which lends its tiles",
    "avx512vbmi": "an x86-64 processor with AVX512-VNNI and VBMI",
    "avx512": "an x86-64 processor with AVX512-VNNI",
    "avxvnni": "an x86-64 processor with AVX-VNNI",
    "avx2": "an x86-64 processor with AVX2",
    "i8mm": "a 64-bit Arm processor with i8mm",
    "dotprod": "a 64-bit Arm processor with dotprod",
    "portable": "any little-endian processor",
}
"""Every kernel, the best first, and the instructions that it needs."""


class Kernel(Struct, frozen=True, eq=False):
    """One compiled kernel that can run here."""

    name: str
    number: int
    x_scale: int
    """The bytes of packed X per byte of X."""


@cache
def load() -> tuple[Any, Any] | None:
    """Return (ffi, lib) of the compiled extension, or None if the package was installed without it."""
    try:
        from inos.work.backends.native import _kernels  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return None
    return _kernels.ffi, _kernels.lib


@cache
def find_kernels() -> dict[str, Kernel]:
    """Return the compiled kernels that this processor can run, best first."""
    loaded = load()
    if loaded is None:
        return {}
    ffi, lib = loaded
    numbers = [number for number in range(lib.inos_count()) if lib.inos_is_supported(number)]
    kernels = [
        Kernel(ffi.string(lib.inos_name(number)).decode(), number, lib.inos_x_scale(number)) for number in numbers
    ]
    return {kernel.name: kernel for kernel in kernels}


@cache
def find_best() -> Kernel | None:
    """Return the best kernel that can run here and is faster than numpy, which plain C is not."""
    return next((kernel for name, kernel in find_kernels().items() if name != "portable"), None)


@cache
def find_obstacle(name: str) -> str:
    """Return why kernel `name` cannot run here, or ""."""
    loaded = load()
    if loaded is None:
        return describe_missing_build()
    if name in find_kernels():
        return ""
    return f"it needs {KERNELS[name]}"


def describe_missing_build() -> str:
    """Describe what was missing when the package was installed, if it is still missing."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    missing = []
    if shutil.which(compiler) is None and shutil.which("cc") is None:
        missing.append(f"a C compiler ({compiler})")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        missing.append("Python's headers (Python.h)")
    found = " and ".join(missing)
    remedy = f"install {found}, then install inos again" if found else "install inos again: it can be compiled here now"
    return f"the kernels were not compiled when inos was installed; {remedy}"
