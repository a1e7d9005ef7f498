"""The compilation of these kernels when the package is installed: `setup.py` passes `ffi` to cffi.

No processor flag is set. Where no compiler is found the installation continues without them (`optional`).
"""

from pathlib import Path

from cffi import FFI

_SOURCES = "inos/primitives/native/csrc"
"""The path is relative to the root of the repository, where builds run."""

ffi = FFI()
ffi.cdef((Path(_SOURCES) / "api.h").read_text())
ffi.set_source(
    "inos.primitives.native._native",
    '#include "inos_primitives.h"',
    sources=[f"{_SOURCES}/{path.name}" for path in sorted(Path(_SOURCES).glob("*.c"))],
    depends=[str(path) for path in sorted(Path(_SOURCES).glob("*.h"))],
    include_dirs=[_SOURCES],
    extra_compile_args=["-O3"],
    optional=True,
)
