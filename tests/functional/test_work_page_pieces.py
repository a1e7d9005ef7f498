"""Test pieces of products in a page: headless Chromium against a node's worker service that checks every share and row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from inos.miner.split import SplitProduct
from inos.primitives.units import U256_MAX, Target
from inos.workers.messages import WorkerKind
from support.browser import Page, find_chromium, open_browser
from support.work_lab import WorkLab, make_matrices, multiply, open_lab
from support.work_page import STATE, begin, click, fill

CHROMIUM = find_chromium()
PIECES = "Number(document.getElementById('pieces').textContent)"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(240),
]


@pytest.fixture(autouse=True)
def take_any_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a loaded machine's line be good enough for small products."""
    monkeypatch.setattr("inos.workers.server.allotment.LINE_PART", 0)


@asynccontextmanager
async def open_working_page(folder: Path, threads: int = 2) -> AsyncIterator[tuple[WorkLab, Page]]:
    """Open a page that works for a pool of which it is the only member, and has shown what it can."""
    assert CHROMIUM is not None
    async with open_lab(has_pool=True) as lab, open_browser(CHROMIUM, folder / "browser") as page:
        lab.pool.target = Target(U256_MAX // 1000)
        await open_work(lab, page, threads)
        yield lab, page


async def open_work(lab: WorkLab, page: Page, threads: int = 2) -> None:
    await page.open(f"{lab.url.removesuffix('/work')}/explorer/work/")
    await page.wait(f"{STATE} === 'ready'")
    await page.run(f"document.getElementById('threads').max = {threads}")
    await fill(page, "threads", str(threads))
    await begin(page)
    await lab.until(lambda: len(lab.pool.shares) > 10)


async def finish(lab: WorkLab, split: SplitProduct) -> None:
    await lab.node.until(lambda: split.product.is_complete, 90.0)


async def test_a_page_multiplies_a_product_whose_sizes_fit_nothing(tmp_path: Path) -> None:
    x, w = make_matrices(rows=1003, cols=341, depth=2100)
    async with open_working_page(tmp_path) as (lab, page):
        split = lab.offer(x, w)
        await finish(lab, split)
        assert np.array_equal(split.product.result(), multiply(x, w))
        assert lab.service.get_status().errors == {}
        done = len(lab.pool.pieces)
        assert sum(tickets for _, tickets in lab.pool.pieces) == 63 * 22 * 3
        assert {info.kind for info, _ in lab.pool.pieces} == {WorkerKind.PAGE}
        await page.wait(f"{PIECES} === {done}")
        before = len(lab.pool.shares)
        await lab.until(lambda: len(lab.pool.shares) > before + 5)  # fillers go on
        assert page.errors == []
