"""The reference page, the page on troubleshooting, and the links between pages."""

import re
from pathlib import Path

from inos.rpc.description.reference import make_reference
from inos.rpc.methods import ALL_METHODS

ROOT = Path(__file__).parents[4]
PACKAGES = (
    "primitives",
    "work",
    "consensus",
    "chain",
    "genesis",
    "wallet",
    "mesh",
    "network",
    "miner",
    "rpc",
    "node",
    "inos",
)


def test_every_method_has_its_place_in_the_reference() -> None:
    page = make_reference()
    described = re.findall(r"^### (\S+)", page, re.MULTILINE)
    assert set(described) == set(ALL_METHODS)
    assert len(described) == len(set(described))
    for name, method in ALL_METHODS.items():
        section = page.split(f"### {name}", 1)[1].split("\n### ", 1)[0]
        assert all(f"`{param}`" in section for param in method.params.model_fields), name
        assert ("*token*" in section.splitlines()[0]) == method.is_protected
    assert all(line.count("|") - line.count("\\|") == 4 for line in page.splitlines() if line.startswith("| `"))


def test_every_type_that_is_named_is_described() -> None:
    page = make_reference()
    links = set(re.findall(r"\]\(#(type-\w+)\)", page))
    headings = re.findall(r"^#### \w+ \{#(type-\w+)\}$", page, re.MULTILINE)
    assert len(headings) == len(set(headings)) > 60
    assert links <= set(headings)


def test_every_code_in_troubleshooting_exists() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    codes = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert len(codes) > 25
    assert len(codes) == len(set(codes))
    source = "\n".join(path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    unknown = [code for code in codes if f'"{code}"' not in source]
    assert unknown == []


def test_pages_link_to_what_there_is() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if not target.startswith(("http", "rpc.md")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
