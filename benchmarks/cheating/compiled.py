"""Compile the cheats' C code together with the engine's own, as one library per kernel."""

import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any, Final

from cffi import FFI

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[1]
_ENGINE: Final = _ROOT / "work" / "backends" / "native" / "csrc"


class NoCheat(Exception):
    """The cheat cannot run on this machine; the text says why."""


@cache
def load_cheat(name: str) -> tuple[Any, Any]:
    """Return (ffi, lib) of the cheats with the engine's kernel `name`; the library stays in build/ until a source
    changes.

    Raises:
        NoCheat: there is no compiler.
        RuntimeError: the compiler refused the sources; the engine's have changed, and the cheat's must follow.
    """
    folder = _ROOT / "build" / "cheats"
    folder.mkdir(parents=True, exist_ok=True)
    made, library = folder / f"{name}.c", folder / f"{name}.so"
    sources = [*_ENGINE.glob("*.[ch]"), *_HERE.glob("csrc/*.h")]
    if not library.exists() or library.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        kernel = (_ENGINE / f"kernels_{name}.c").read_text()
        made.write_text(kernel.replace('#include "engine.h"', '#include "engine.h"\n#include "cheat.h"'))
        _compile(made, library)
    ffi = FFI()
    ffi.cdef((_ENGINE / "api.h").read_text() + (_HERE / "csrc" / "cheat_api.h").read_text())
    return ffi, ffi.dlopen(str(library))


def _compile(source: Path, library: Path) -> None:
    named = (sysconfig.get_config_var("CC") or "cc").split()[0]
    command = shutil.which(named) or shutil.which("cc")
    if command is None:
        raise NoCheat("no C compiler was found")
    flags = ["-O3", "-shared", "-fPIC", f"-I{_ENGINE}", f"-I{_HERE / 'csrc'}"]
    fresh = library.with_suffix(".new")
    done = subprocess.run([command, *flags, str(source), "-o", str(fresh)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} refused the cheat behind {source.name}: {done.stderr[-2000:]}")
    fresh.replace(library)
