"""Compile the browser's kernel to WebAssembly: `python -m wasm_kernel` writes kernel.wasm and kernel.sha256.

The compiler is the clang of the Python package ziglang, at the version below. It gives the same bytes on every machine,
so that everybody can check that the committed module is that of the committed source.
"""

import hashlib
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ZIGLANG: Final = "0.17.1"
ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "work" / "backends" / "wasm"
FLAGS: Final = (
    *("-target", "wasm32-freestanding", "-O3", "-std=c11", "-nostdlib"),
    *("-msimd128", "-mbulk-memory", "-mno-relaxed-simd"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-psabi"),
    *("-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,--strip-all"),
)
LIMIT_S: Final = 300


def find_obstacle() -> str:
    """Return why the kernel cannot be compiled here, or ""."""
    if importlib.util.find_spec("ziglang") is None:
        return f"the compiler is missing: pip install ziglang=={ZIGLANG}"
    found = importlib.metadata.version("ziglang")
    return "" if found == ZIGLANG else f"ziglang {found} is installed, and the kernel needs {ZIGLANG}"


def compile_kernel() -> bytes:
    """Return the module's bytes.

    Raises:
        RuntimeError: the compiler failed; its messages are the text.
    """
    with TemporaryDirectory() as folder:
        # Paths are relative, so that no name of this machine's folders can reach the module.
        command = (
            *(sys.executable, "-m", "ziglang", "cc", *FLAGS, "-isystem", "include", "-I", "../native/csrc"),
            *("kernel.c", "-o", str(Path(folder) / "kernel.wasm")),
        )
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"the kernel cannot be compiled:\n{done.stderr}")
        return (Path(folder) / "kernel.wasm").read_bytes()


def main() -> int:
    if obstacle := find_obstacle():
        print(obstacle, file=sys.stderr)
        return 1
    module = compile_kernel()
    digest = hashlib.sha256(module).hexdigest()
    (FOLDER / "kernel.wasm").write_bytes(module)
    (FOLDER / "kernel.sha256").write_text(f"{digest}  kernel.wasm\n")
    print(f"kernel.wasm: {len(module)} bytes, SHA-256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
