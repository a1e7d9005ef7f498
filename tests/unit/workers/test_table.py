"""The tables of the page on workers are those of the code."""

import pytest

from inos.workers.limits import LIMITS, OFFENCES
from inos.workers.table import insert_tables
from support.documents import ROOT


def test_the_page_shows_the_tables_as_they_are() -> None:
    page = (ROOT / "docs/workers.md").read_text(encoding="utf-8")
    assert insert_tables(page) == page, "run: python -m inos.workers.table docs/workers.md"
    for name in (*(kind.__name__ for kind in LIMITS), *OFFENCES):
        assert f"| `{name}` |" in page
    with pytest.raises(ValueError, match="no marks"):
        insert_tables("a page without marks")
