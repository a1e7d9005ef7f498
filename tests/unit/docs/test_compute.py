"""The Python of docs/compute.md runs as it is printed, on a test chain."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inos.testing import TestChain

PAGE = Path(__file__).parents[3] / "docs" / "compute.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=1) as chain:
        yield chain


def run(block: str, chain: TestChain) -> None:
    key = chain.accounts[0].key
    text = block.replace("http://127.0.0.1:8645", chain.url).replace('wallet="default", password="..."', "wallet=KEY")
    text = text.replace('max_cost="2.5"', 'max_cost="9000"')  # posting burns more at the test chain's low difficulty
    values: dict[str, Any] = {"KEY": key, "ADDRESS": chain.accounts[0].address}
    exec(compile(text, str(PAGE), "exec"), values)


def find(word: str) -> str:
    (block,) = (each for each in BLOCKS if word in each)
    return block


def test_a_product_is_quoted_and_paid(chain: TestChain, capsys: pytest.CaptureFixture[str]) -> None:
    run(find("inos.quote"), chain)
    printed = capsys.readouterr()
    assert re.match(r"\d+ jobs [\d.]+ credits [\d.]+ s\n|\d+ jobs [\d.]+ credits None s\n", printed.out), printed.out
    assert "done after" in printed.err


def test_tables_have_labels(chain: TestChain, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed: make extras")
    run(find("import inos, pandas"), chain)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["monday", "tuesday"], ["anna", "5", "7"], ["ben", "24", "34"],
    ]  # fmt: skip


def test_arrays_multiply(chain: TestChain, capsys: pytest.CaptureFixture[str]) -> None:
    run(find("inos.array(np.arange"), chain)
    assert capsys.readouterr().out.count("14") == 4


def test_models_mine(chain: TestChain, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="the extra `torch` is not installed")
    run(find("inos.torch.mine"), chain)
    assert "8192 tickets " in capsys.readouterr().out


def test_a_ticket_has_a_price(chain: TestChain, capsys: pytest.CaptureFixture[str]) -> None:
    chain.mine()
    run(find("per_ticket"), chain)
    assert float(capsys.readouterr().out.split()[0]) == pytest.approx(50e9 * 63 / 64 / 16, rel=0.01)


def test_every_block_is_run() -> None:
    assert len(BLOCKS) == 5
