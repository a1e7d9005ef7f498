"""The compilation of the kernels when the package is installed: `setup.py` passes `ffi` to cffi.

No processor flag is set here: each C file names its own, so that one build serves every machine. Where
no compiler is found the installation continues without them (`optional`), and the numpy backend is used.
"""

from pathlib import Path

from cffi import FFI

_SOURCES = "inos/work/backends/native/csrc"
"""The path is relative to the root of the repository, where builds run."""

_names = sorted(path.name for path in Path(_SOURCES).glob("*.c"))

ffi = FFI()
ffi.cdef((Path(_SOURCES) / "api.h").read_text())
ffi.set_source(
    "inos.work.backends.native._kernels",
    '#include "inos_native.h"',
    sources=[f"{_SOURCES}/{name}" for name in _names],
    depends=[str(path) for path in sorted(Path(_SOURCES).glob("*.h"))],
    include_dirs=[_SOURCES],
    extra_compile_args=["-O3"],
    optional=True,
)
