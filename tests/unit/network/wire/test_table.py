"""The table of messages in the documentation is the one of the code, and the tests that its page names exist."""

import re

import pytest

from inos.network.wire.limits import LIMITS
from inos.network.wire.table import insert_table
from support.documents import ROOT


def test_the_page_shows_the_table_as_it_is():
    page = (ROOT / "docs/network.md").read_text(encoding="utf-8")
    assert insert_table(page) == page, "run: python -m inos.network.wire.table docs/network.md"
    for kind in LIMITS:
        assert f"| `{kind.__name__}` |" in page
    with pytest.raises(ValueError, match="no marks"):
        insert_table("a page without marks")


def test_tests_named_on_the_page_exist():
    page = (ROOT / "docs/network.md").read_text(encoding="utf-8")
    there = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/unit/network").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 5
    assert [name for name in named if f"def {name}(" not in there] == []
