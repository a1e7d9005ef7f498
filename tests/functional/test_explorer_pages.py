"""Test the explorer's pages in headless Chromium on a chain in this process, at both widths, and without a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.node.process import NodeSpec, start_node, stop_process
from inos.testing import TestChain
from support.browser import find_chromium
from support.explorer_page import DESK, PHONE, go, open_page

PLAIN = ("--network", "devnet", "--p2p-port", "0", "--log-format", "json", "--explorer")

pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    """A chain with some payments, which no test changes."""
    with TestChain() as chain:
        alice, bob, *_ = chain.accounts
        for amount in ("1234.567890123", "2", "3"):
            chain.send(alice, bob, amount)
        yield chain


async def test_pages_fit_narrow_and_wide_screens(tmp_path: Path, chain: TestChain) -> None:
    alice = chain.accounts[0].address
    async with open_page(tmp_path, chain.url) as page:
        for place in ("block/1", f"account/{alice}", "peers", "nonsense"):
            for width, height in (PHONE, DESK):
                await page.resize(width, height, is_dark=width == PHONE[0])
                await go(page, chain.url, place)
                assert await page.run("document.documentElement.scrollWidth") <= width, place
                foot = await page.run("document.querySelector('footer').getBoundingClientRect().bottom")
                assert foot >= height - 1, f"{place}: the footer is in mid-page"
        assert page.errors == []


async def test_a_phone_shows_every_column_with_its_title(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url) as page:
        await page.resize(*PHONE)
        await go(page, chain.url, "block/1")
        shown = "[...document.querySelectorAll('tbody tr:first-child td')].filter((one) => one.offsetWidth > 0)"
        titles = await page.run(f"{shown}.map((one) => getComputedStyle(one, '::before').content.slice(1, -1))")
        assert titles == ["transaction", "kind", "from", "to", "credits", "fee"]
        await page.run("document.getElementById('menu').click()")
        await page.wait("document.getElementById('pages').offsetHeight > 0")
        assert await page.run("document.getElementById('menu').ariaExpanded") == "true"


async def test_a_number_is_never_broken(tmp_path: Path, chain: TestChain) -> None:
    alice = chain.accounts[0].address
    async with open_page(tmp_path, chain.url, f"account/{alice}") as page:
        await page.resize(320, 700)
        balance = "document.querySelector('.stat .whole > .whole, .stat .whole')"
        assert await page.run(f"{balance}.textContent") == "8\u202f760.432"
        assert await page.run(f"{balance}.getClientRects().length") == 1
        assert await page.run("document.documentElement.scrollWidth") <= 320


async def test_the_search_box_is_empty_on_the_page_that_was_found_by_a_link(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url) as page:
        await page.run(
            "document.getElementById('query').value = 'f00f'; document.getElementById('search').requestSubmit()"
        )
        await page.wait("document.getElementById('main').dataset.page === 'search'")
        assert await page.run("document.getElementById('query').value") == "f00f"
        await page.run("location.hash = '#/block/1'")
        await page.wait("document.querySelector('h1').textContent === 'Block 1'")
        assert await page.run("document.getElementById('query').value") == ""


async def test_a_page_lists_its_calls_to_copy(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url, "block/1") as page:
        calls = await page.run("[...document.querySelectorAll('.calls code')].map((one) => one.textContent)")
        assert 'chain_getBlock {"block":1}' in calls
        await page.run("document.querySelector('#calls summary').click()")
        await page.run("document.querySelector('#calls .copy').click()")
        await page.wait("document.getElementById('said').textContent.includes('chain_getBlock')")


async def test_a_page_says_that_the_node_is_down_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    node = await start_node(NodeSpec("node", tmp_path / "node", (*PLAIN, "--rpc-port", "0")))
    port = node.rpc_url.rpartition(":")[2]
    again = None
    try:
        async with open_page(tmp_path, node.rpc_url) as page:
            await page.wait("document.getElementById('live').textContent === '● live'")
            await stop_process(node.process)
            await page.wait("!document.getElementById('down').hidden")
            assert "does not answer" in await page.run("document.getElementById('down').textContent")
            await page.run("document.querySelector('.ranges button').click()")
            await page.wait("document.querySelector('.ranges .problem')?.textContent.includes('does not answer')")
            await page.run("location.hash = '#/finality'")
            await page.wait("document.querySelector('main [role=alert]')")
            said = await page.run("document.querySelector('main').innerText")
            assert f"The node at 127.0.0.1:{port} does not answer: no connection was made." in said
            assert "tries again" in said
            again = await start_node(NodeSpec("node", tmp_path / "node", (*PLAIN, "--rpc-port", port)))
            await page.wait("document.querySelector('.stats')", 60)
            await page.wait("document.getElementById('down').hidden")
    finally:
        await stop_process(node.process)
        if again is not None:
            await stop_process(again.process)
