"""Test pieces of products in a page: headless Chromium against a worker service that checks every row."""

import asyncio
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
from support.work_page import STATE, begin, fill

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


@pytest.fixture(autouse=True)
def take_any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fast machine send as many shares as it draws: these tests' pool has one target for every speed."""
    monkeypatch.setattr("inos.workers.server.share_counter.SHARES_BURST", 1_000_000.0)


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


async def test_a_page_keeps_w_and_does_a_product_again_whose_operands_are_one_matrix(tmp_path: Path) -> None:
    """X by itself: both operands have one id. The second product has the same W as the first."""
    x, w = make_matrices(rows=300, cols=200, depth=1500)
    async with open_working_page(tmp_path, threads=3) as (lab, page):
        for left, right in ((x, w), (x[:200], w), (w, w)):
            split = lab.offer(left, right)
            await finish(lab, split)
            assert np.array_equal(split.product.result(), multiply(left, right))
        assert lab.service.get_status().errors == {}
        assert page.errors == []


async def test_a_page_whose_slider_moves_in_the_middle_of_a_piece_finishes_it(tmp_path: Path) -> None:
    x, w = make_matrices(rows=2000, cols=300, depth=4096)
    async with open_working_page(tmp_path) as (lab, page):
        split = lab.offer(x, w)
        for count in (1, 2, 1, 2):
            await lab.until(lambda: lab.service.get_status().workers[0].has_piece)
            await fill(page, "threads", str(count))
        await finish(lab, split)
        assert np.array_equal(split.product.result(), multiply(x, w))
        assert lab.service.get_status().errors == {}
        assert page.errors == []


async def test_a_page_goes_on_under_new_templates_and_leaves_a_product_that_is_withdrawn(tmp_path: Path) -> None:
    x, w = make_matrices(rows=4000, cols=400, depth=4096)
    async with open_working_page(tmp_path) as (lab, page):
        facts = "document.getElementById('facts').textContent"
        seen = asyncio.ensure_future(page.wait(f"{facts}.includes('of a product of')", 60))
        split = lab.offer(x, w)
        for _ in range(6):
            await lab.until(lambda: lab.service.get_status().workers[0].has_piece)
            lab.node.make_block()
        await lab.until(lambda: split.product.strips_done > 0)
        await seen
        lab.service.offer(None)
        await lab.until(lambda: not lab.service.get_status().workers[0].has_piece)
        before = len(lab.pool.shares)
        await lab.until(lambda: len(lab.pool.shares) > before + 5)
        rows = split.product.rows_done
        assert np.array_equal(split.product._y[:rows], multiply(x[:rows], w))
        assert lab.service.get_status().errors == {}
        assert page.errors == []


async def test_a_page_that_is_closed_in_the_middle_of_a_piece_leaves_it_to_others(tmp_path: Path) -> None:
    x, w = make_matrices(rows=1500, cols=300, depth=4096)
    async with open_working_page(tmp_path) as (lab, page):
        split = lab.offer(x, w)
        await lab.until(lambda: lab.service.get_status().workers[0].has_piece)
        await page.open("about:blank")
        await lab.until(lambda: not lab.service.get_status().workers)
        async with lab.work():
            await finish(lab, split)
        assert np.array_equal(split.product.result(), multiply(x, w))
        assert lab.service.get_status().errors == {}


LIE = """
(async () => {
  const { Connection } = await import("/explorer/work/connection.js");
  const { send } = Connection.prototype;
  Connection.prototype.send = function (bytes) {
    const isOfPiece = bytes[2] > 1; // the number of the assignment; the filler is 1
    if (isOfPiece && bytes[1] === %s) bytes[bytes.length - %s] ^= 1;
    return send.call(this, bytes);
  };
})()
"""


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (LIE % ("4", "1"), "wrong-rows"),
        (LIE % ("3 && bytes.length > 40", "2"), "wrong-digest"),
    ],
)
async def test_a_page_that_lies_about_a_piece_is_gone_and_the_product_exact(
    tmp_path: Path, lie: str, code: str
) -> None:
    x, w = make_matrices(rows=1600, cols=1024, depth=2048)  # About ten shares.
    async with open_working_page(tmp_path) as (lab, page):
        lab.pool.target = Target(U256_MAX // 1200)
        await page.run(lie)
        split = lab.offer(x, w)
        await page.wait(f"{STATE}.startsWith('the node refused')", 60)
        assert lab.service.get_status().errors == {code: 1}
        assert lab.pool.pieces == [] or code == "wrong-digest"  # Rows of a piece without a wrong share are right.
        assert await page.run("document.getElementById('start').textContent") == "Start"
        await lab.until(lambda: not lab.service.get_status().workers)
        async with lab.work():
            await finish(lab, split)
        assert np.array_equal(split.product.result(), multiply(x, w))


SLOW = """
(() => {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...more) {
    if (message.kind !== "strips") return post.call(this, message, ...more);
    setTimeout(() => post.call(this, message, ...more), 60000);
  };
})()
"""


async def test_a_page_that_is_throttled_delays_a_product_by_its_piece_at_most(tmp_path: Path) -> None:
    """The page does not come to its strips for a minute. Its part is late soon, and the fleet's worker does it."""
    x, w = make_matrices(rows=3000, cols=300, depth=4096)
    async with open_working_page(tmp_path) as (lab, page):
        await page.run(SLOW)
        split = lab.offer(x, w)
        await lab.until(lambda: lab.service.get_status().workers[0].has_piece)
        began = lab.node.clock.monotonic()
        async with lab.work():
            await finish(lab, split)
        assert lab.node.clock.monotonic() - began < 45
        assert np.array_equal(split.product.result(), multiply(x, w))
        await lab.until(
            lambda: [one.late for one in lab.service.get_status().workers if one.kind is WorkerKind.PAGE] == [1]
        )
        assert lab.service.get_status().errors == {}
