"""Rules of the source tree that no other tool checks: which module may make what, and how many hops a call takes."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = tuple(sorted(path.name for path in (ROOT / "inos").iterdir() if path.is_symlink()))


def iterate_modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield the path from the root, and the parsed source, of every module of the product."""
    for package in (*PACKAGES, "inos"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if not any(parent.is_symlink() for parent in path.parents):
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def test_core_verification_alone_makes_checked_blocks() -> None:
    makers = {
        path
        for path, module in iterate_modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "CheckedBlock"
    }
    assert makers == {"core/verification/blocks.py"}
