"""Test that a page is gone for its node as soon as it is left, whatever waits in its socket: headless Chromium."""

from pathlib import Path

import pytest

from inos.workers.messages import Rows
from support.browser import Page, find_chromium, open_browser
from support.page_node import open_page_node
from support.work_page import STATE, begin, click, open_page

CHROMIUM = find_chromium()
NAMED = "--host-resolver-rules=MAP node.example 127.0.0.1"
WITHOUT_CACHE = "--disable-features=BackForwardCache"
LEFT_S = 20.0
"""The tests fail after this time. A browser keeps a page that was left for ten minutes."""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(180),
]

REMEMBER_SOCKET = """
(async () => {
  const { Connection } = await import("/explorer/work/connection.js");
  const { send } = Connection.prototype;
  Connection.prototype.send = function (bytes) {
    globalThis.socket = this.socket;
    return send.call(this, bytes);
  };
})()
"""
# 64 MiB of Rows that a node ignores: more than sockets of the kernel hold.
FILL_SOCKET = """
(async () => {
  const { makeRows, MAX_ROWS_BYTES } = await import("/explorer/work/messages.js");
  const rows = makeRows(1, 0, new Uint8Array(MAX_ROWS_BYTES));
  for (let at = 0; at < 256; at++) socket.send(rows);
})()
"""


async def fill_socket(page: Page) -> None:
    """Send much more than the node reads, and return when no more of it moves."""
    await page.run(FILL_SOCKET)
    await page.wait(
        "(() => { const before = globalThis.waiting; globalThis.waiting = socket.bufferedAmount;"
        " return waiting > 0 && waiting === before; })()"
    )


@pytest.mark.parametrize(
    ("host", "flags", "is_stopped"),
    [
        ("127.0.0.1", (NAMED,), False),
        ("127.0.0.1", (NAMED,), True),
        ("127.0.0.1", (NAMED, WITHOUT_CACHE), False),
        ("node.example", (NAMED,), False),
    ],
    ids=["working", "stopped", "without-cache", "plain-http"],
)
async def test_a_page_that_is_left_while_data_waits_in_its_socket_is_gone_at_once(
    tmp_path: Path, host: str, flags: tuple[str, ...], is_stopped: bool
) -> None:
    """A browser that keeps the page, frozen, neither sends what waits in its socket nor closes it behind that."""
    assert CHROMIUM is not None
    async with open_page_node() as node, open_browser(CHROMIUM, tmp_path / "browser", flags) as page:
        await page.open(f"{node.url.replace('127.0.0.1', host)}/explorer/work/")
        await page.wait(f"{STATE} === 'ready'")
        await page.run(REMEMBER_SOCKET)
        await begin(page)
        await node.wait(lambda: bool(node.shares))
        node.can_read.clear()
        await fill_socket(page)
        if is_stopped:
            await click(page, "start")
            await page.wait(f"{STATE} === 'stopped'")
        await page.open("about:blank")
        await page.wait("location.href === 'about:blank'")
        node.can_read.set()
        await node.wait(lambda: node.ended == 1, LEFT_S)
        assert node.problems == []


async def test_a_page_to_which_somebody_comes_back_works_again(tmp_path: Path) -> None:
    async with open_page(tmp_path) as (node, page):
        await begin(page)
        await node.wait(lambda: bool(node.shares))
        await page.open("about:blank")
        await node.wait(lambda: node.ended == 1, LEFT_S)
        history = await page.send("Page.getNavigationHistory")
        await page.send("Page.navigateToHistoryEntry", entryId=history["entries"][-2]["id"])
        await page.wait(f"['stopped', 'ready'].includes({STATE})")  # The browser has kept it, or loads it anew.
        before = len(node.shares)
        await begin(page)
        await node.wait(lambda: len(node.shares) > before)
        assert node.problems == []
        assert page.errors == []


async def test_a_page_that_stops_sends_all_and_closes_its_connection(tmp_path: Path) -> None:
    async with open_page(tmp_path) as (node, page):
        await page.run(REMEMBER_SOCKET)
        await begin(page)
        await node.wait(lambda: bool(node.shares))
        node.can_read.clear()
        await fill_socket(page)
        await click(page, "start")
        await page.wait(f"{STATE} === 'stopped'")
        node.can_read.set()
        await node.wait(lambda: node.ended == 1, LEFT_S)
        assert node.sockets[0].close_code == 0, "the page did not end it by a message"
        assert len(node.list_received(Rows)) >= 256
        assert node.problems == []
