"""The generated files: where they lie, and what is in them."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from client_code.methods import make_methods
from client_code.models import make_models
from inos.rpc.description.openrpc import make_document
from inos.rpc.methods import ALL_METHODS

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "inos" / "client"


def make_files() -> dict[Path, str]:
    """Return what each generated file holds, formatted."""
    sources = {
        PACKAGE / "models.py": make_models(make_document(ALL_METHODS)),
        PACKAGE / "blocking_methods.py": make_methods(PACKAGE),
    }
    return {path: _format(path, source) for path, source in sources.items()}


def write_files() -> None:
    """Write the generated files that are not as they should be, and name them."""
    for path, source in make_files().items():
        if not path.exists() or path.read_text("utf-8") != source:
            path.write_text(source, "utf-8")
            print(path.relative_to(ROOT))


def _format(path: Path, source: str) -> str:
    """Sort the imports and lay the source out, as `make format` does."""
    for command in (("check", "--fix", "--quiet", "--select", "I"), ("format",)):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        source = subprocess.run(ruff, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return source
