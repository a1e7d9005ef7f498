"""Refuse imports such as `import chain`: from the repository's root they would load a second copy of `inos.chain`.

The classes of the two copies differ, so a test that patches the wrong one passes without effect. Ruff's TID251 refuses
the import statements; only this finder sees names in strings, such as `monkeypatch.setattr("chain.ledger.x", ...)`.
"""

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Final

PACKAGES: Final = Path(__file__).parents[2] / "inos"
BARE_NAMES: Final = frozenset(link.name for link in PACKAGES.iterdir() if link.is_symlink())


class BareNameFinder(MetaPathFinder):
    """An import hook that finds nothing and raises for a bare name."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError if `name` belongs to a package of INOS without its prefix."""
        if name.partition(".")[0] in BARE_NAMES:
            raise ModuleNotFoundError(f"{name} is imported as inos.{name}", name=name)


def refuse_bare_names() -> None:
    """Install the finder for the rest of the process."""
    sys.meta_path.insert(0, BareNameFinder())
