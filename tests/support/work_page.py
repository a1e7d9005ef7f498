"""The page that works for a node, in headless Chromium, and what a person does with it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from inos.primitives import bech32m
from inos.primitives.units import Address
from support.browser import Page, find_chromium, open_browser
from support.page_node import HRP, PageNode, open_page_node

CHROMIUM = find_chromium()
PAYEE = Address(bytes([7] * 20))
STATE = "document.getElementById('state').textContent"


@asynccontextmanager
async def open_page(
    folder: Path, *flags: str, host: str = "127.0.0.1", script: str = ""
) -> AsyncIterator[tuple[PageNode, Page]]:
    """Open the page, in which `script` runs before its own scripts."""
    assert CHROMIUM is not None
    async with open_page_node(host) as node, open_browser(CHROMIUM, folder / "browser", flags) as page:
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        await page.open(f"{node.url}/explorer/work/")
        await page.wait(f"{STATE} === 'ready'")
        yield node, page


async def click(page: Page, name: str) -> None:
    await page.run(f"document.getElementById({name!r}).click()")


async def fill(page: Page, name: str, text: str) -> None:
    script = f"const field = document.getElementById({name!r}); field.value = {json.dumps(text)};"
    await page.run(f"(() => {{ {script} field.dispatchEvent(new Event('input')); }})()")


async def begin(page: Page) -> None:
    """Type an address and press the button."""
    await fill(page, "address", bech32m.encode(HRP, PAYEE))
    await click(page, "start")
