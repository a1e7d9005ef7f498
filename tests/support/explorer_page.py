"""The explorer of a running node in headless Chromium."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.browser import Page, find_chromium, open_browser

PHONE, DESK = (390, 844), (1400, 900)


@asynccontextmanager
async def open_page(folder: Path, url: str, place: str = "") -> AsyncIterator[Page]:
    """Open a browser with one page of the explorer."""
    chromium = find_chromium()
    assert chromium is not None
    async with open_browser(chromium, folder / "browser") as page:
        await go(page, url, place)
        yield page


async def go(page: Page, url: str, place: str) -> None:
    """Show a page afresh, and wait until it is complete."""
    await page.open("about:blank")
    await page.open(f"{url}/explorer/#/{place}")
    await page.wait("document.getElementById('main').dataset.page && !document.getElementById('main').ariaBusy")


async def search(page: Page, text: str) -> None:
    """Search for a text, in one step: the page that is being opened empties the box."""
    await page.run(
        f"(() => {{ document.getElementById('query').value = {json.dumps(text)};"
        "document.getElementById('search').requestSubmit(); })()"
    )
