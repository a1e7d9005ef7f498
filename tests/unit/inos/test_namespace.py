"""Every package is imported under `inos`, and under no other name."""

import tomllib
from importlib import import_module

import pytest

from support.bare_names import BARE_NAMES
from support.documents import ROOT


@pytest.mark.parametrize("name", sorted(BARE_NAMES))
def test_a_bare_name_is_refused_and_its_full_name_is_not(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"{name} is imported as inos.{name}"):
        import_module(name)
    assert import_module(f"inos.{name}").__name__ == f"inos.{name}"


def test_links_are_relative_and_lead_to_packages_of_the_same_name() -> None:
    for name in BARE_NAMES:
        link = ROOT / "inos" / name
        assert str(link.readlink()) == f"../{name}"
        assert (ROOT / name / "__init__.py").is_file()


def test_the_linter_knows_every_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert settings["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"].keys() == BARE_NAMES
    contracts = settings["importlinter"]["contracts"]
    forbidden = next(each for each in contracts if each["name"] == "Packages are imported under inos only")
    assert set(forbidden["forbidden_modules"]) == BARE_NAMES


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import inos

    with pytest.raises(AttributeError, match="'inos' has no attribute 'wrk'"):
        inos.wrk  # noqa: B018
