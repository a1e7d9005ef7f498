"""The compilation of the interpreter's C code when the package is installed: `setup.py` passes `ffi` to cffi.

No processor flag is set here: each C file names its own, so that one build serves every machine. Where no compiler is
found the installation continues without it (`optional`), and the numpy interpreter is used.
"""

from pathlib import Path

from cffi import FFI

_SOURCES = "inos/programs/native/csrc"
"""The path is relative to the root of the repository, where builds run."""

ffi = FFI()
ffi.cdef((Path(_SOURCES) / "api.h").read_text())
ffi.cdef('extern "Python" int inos_call_python(void *handle, int64_t number, void *const *operands, void *result);')
ffi.set_source(
    "inos.programs.native._programs",
    '#include "api.h"',
    sources=[f"{_SOURCES}/{path.name}" for path in sorted(Path(_SOURCES).glob("*.c"))],
    depends=[str(path) for path in sorted(Path(_SOURCES).glob("*.h"))],
    include_dirs=[_SOURCES],
    extra_compile_args=["-O3"],
    optional=True,
)
