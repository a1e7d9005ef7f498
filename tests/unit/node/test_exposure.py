"""The table of what strangers can make a node spend names limits that the code uses, and tests that reach them."""

import ast
import re

import pytest

from inos.node.exposure import TABLE, Party, get_limit_value, insert_table
from support.documents import ROOT
from support.forwarding import parse_modules

PAGE = ROOT / "docs/security.md"
RESOURCES = {"places", "memory", "disk", "processor", "time", "log"}
LIMITS = sorted({name for row in TABLE for name in row.limits})


def list_reads():
    """Return every name and attribute that the product reads, with its module."""
    return {
        (node.id if isinstance(node, ast.Name) else node.attr)
        for path, module in parse_modules()
        if path != "node/exposure.py"
        for node in ast.walk(module)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


READS = list_reads()


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_in_the_code_and_read_by_it(name):
    assert get_limit_value(name) > 0
    assert name.rpartition(":")[2].rpartition(".")[2] in READS


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.party.name} {row.what}")
def test_every_row_says_its_bound_and_a_test_reaches_it(row):
    assert row.bound.count("{}") == len(row.limits) > 0
    assert row.resource in RESOURCES
    file, _, function = row.test.partition("::")
    assert re.search(rf"^(async )?def {function}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_party_has_rows_and_no_row_is_there_twice():
    assert {row.party for row in TABLE} == set(Party)
    assert len({(row.party, row.what) for row in TABLE}) == len(TABLE)


def test_the_page_shows_the_table_as_it_is():
    page = PAGE.read_text(encoding="utf-8")
    assert insert_table(page) == page, "run: python -m inos.node.exposure docs/security.md"
    with pytest.raises(ValueError, match="no marks"):
        insert_table("a page without marks")


def test_a_limit_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError):
        get_limit_value("network.peers.inbox:MAX_NONSENSE")
