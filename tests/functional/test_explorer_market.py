"""Test the explorer's pages about market, accounts and finality in headless Chromium, on a chain in this process."""

import csv
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.client.blocking_client import connect
from inos.primitives.units import Address
from inos.testing import TestChain
from inos.wallet.addresses import encode_address
from support.browser import Page, find_chromium
from support.explorer_page import DESK, PHONE, go, open_page

pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(120),
]
PAGES = ("", "blocks", "market", "jobs", "pending", "miners", "miners/settled", "accounts", "charts", "finality")


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    """A chain with payments and a job that was computed and paid."""
    with TestChain() as chain:
        alice, bob, *_ = chain.accounts
        chain.send(alice, bob, "5.25")
        rng = np.random.default_rng(4)
        x, w = (rng.integers(-64, 64, (rows, 64), np.int8) for rows in (20, 10))
        with connect(chain.url, alice.key) as client:
            client.post_job(x, w, reward="2")
        chain.mine(8)
        yield chain


async def read_rows(page: Page, holder: str = "main") -> Any:
    """Return the tables' rows, each as a dictionary from a column's title to a cell's text."""
    return await page.run(
        f"[...document.querySelectorAll('{holder} tbody tr')].map((row) => Object.fromEntries("
        "[...row.children].map((cell) => [cell.dataset.title, cell.textContent])))"
    )


async def test_every_page_fits_both_widths_and_lists_its_calls(tmp_path: Path, chain: TestChain) -> None:
    alice = chain.accounts[0].address
    places = (*PAGES, *(f"account/{alice}/{part}" for part in ("history", "posted", "worked", "reputation", "proof")))
    async with open_page(tmp_path, chain.url) as page:
        for place in places:
            await go(page, chain.url, place)
            assert await page.run("document.querySelectorAll('.calls li').length") > 0, place
            assert await page.run("document.querySelector('main [role=alert]')?.textContent") is None, place
            for width, height in (PHONE, DESK):
                await page.resize(width, height, is_dark=width == DESK[0])
                assert await page.run("document.documentElement.scrollWidth") <= width, place
        assert page.errors == []


async def test_an_address_has_a_qr_code(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url, f"account/{chain.accounts[0].address}") as page:
        assert await page.run("document.querySelector('img.qr')") is None
        await page.run("document.querySelector('main details summary').click()")
        await page.wait("document.querySelector('img.qr')?.naturalWidth > 20")
        assert await page.run("document.querySelector('img.qr').alt") == (
            f"QR code of the address {chain.accounts[0].address}"
        )
        assert page.errors == []


async def test_the_front_page_takes_a_new_block_at_once(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url) as page:
        newest = "document.querySelector('.strip [data-id] b').textContent"
        assert await page.run(newest) == str(chain.height)
        assert await page.run("document.querySelectorAll('.chart svg').length") == 3
        await page.wait("document.getElementById('live').textContent === '● live'")
        chain.mine()
        await page.wait(f"{newest} === '{chain.height}'")
        assert await page.run("document.querySelector('.strip li a').getAttribute('href')") == "#/pending"


async def test_the_market_tells_prices_and_what_a_product_would_cost(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url, "market") as page:
        product, *_ = await read_rows(page)
        assert (product["kind"], product["open"]) == ("product", "0")
        assert float(product["typical"].split("\u202f")[0]) > 0
        await page.wait("document.querySelector('#quote dl')")
        quote = chain.call("job_quote", m=1024, k=1024, n=1024)
        assert f"{quote['tickets']:,} tickets".replace(",", "\u202f") in await page.run(
            "document.getElementById('quote').textContent"
        )
        field = "document.getElementById('quote-k')"
        await page.run(f"{field}.value = '0'; {field}.dispatchEvent(new Event('input', {{ bubbles: true }}))")
        await page.wait(f"{field}.ariaInvalid === 'true'")
        assert "Enter a whole number" in await page.run("document.getElementById('quote').textContent")


async def test_miners_and_workers_are_ranked(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url, "miners") as page:
        first, *_ = await read_rows(page)
        assert first["blocks"] == str(chain.height)
        await go(page, chain.url, "miners/settled")
        (worker,) = await read_rows(page)
        assert (worker["settled"], worker["lapsed"], worker["earned by jobs"]) == ("1 of 1", "0", "2")


async def test_the_richest_accounts_come_first(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url, "accounts") as page:
        rows = await read_rows(page)
        values = [float(row["credits"].replace("\u202f", "")) for row in rows]
        assert values == sorted(values, reverse=True)
        assert len(rows) >= len(chain.accounts)


async def test_an_account_shows_and_saves_all_that_moved(tmp_path: Path, chain: TestChain) -> None:
    alice = chain.accounts[0].address
    async with open_page(tmp_path, chain.url, f"account/{alice}") as page:
        reasons = [row["reason"] for row in await read_rows(page)]
        assert {"allocated", "sent", "fee", "job reward escrowed", "job burn"} <= set(reasons)
        text = await page.run(
            f"Promise.all([import('/explorer/pages/account.js'), import('/explorer/csv.js')])"
            f".then(async ([a, c]) => c.makeCsv(await a.readAll('{alice}')))"
        )
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert len(rows) == len(reasons)
        assert sum(round(float(row["balance"]) * 10**9) for row in rows) == chain.get_balance(alice)
        await page.run("document.getElementById('csv').click()")
        await page.wait("document.getElementById('said').textContent.includes('saved')")


async def test_what_an_account_has_is_proven_in_the_browser(tmp_path: Path, chain: TestChain) -> None:
    alice, nobody = chain.accounts[0].address, encode_address(chain.network.hrp, Address(bytes(19) + b"\7"))
    async with open_page(tmp_path, chain.url, f"account/{alice}/proof") as page:
        await page.wait("document.querySelector('#verdict.good')")
        assert await page.run("document.querySelectorAll('#steps li.good').length") == 6
        assert f"{chain.get_balance(alice)} nano" in await page.run("document.getElementById('steps').textContent")
        await go(page, chain.url, f"account/{nobody}/proof")
        assert "no record" in await page.run("document.querySelector('#verdict.good ~ #steps').textContent")


async def test_a_transaction_shows_amounts_full_addresses_and_what_it_moved(tmp_path: Path, chain: TestChain) -> None:
    alice, bob, *_ = chain.accounts
    sent = next(
        each["id"]
        for each in chain.call("state_getHistory", address=alice.address)["entries"]
        if each["kind"] == "transfer"
    )
    async with open_page(tmp_path, chain.url, f"tx/{sent}") as page:
        text = await page.run("document.querySelector('main').innerText")
        assert bob.address in text
        assert alice.address in text
        assert "5.25 credits" in text
        assert "not final yet" in text
        assert await page.run("document.querySelector('nav [aria-current]').textContent") == "Blocks"
        moved = [(row["reason"], row["balance"]) for row in await read_rows(page)]
        assert ("sent", "\N{MINUS SIGN}5.25") in moved
        assert ("received", "+5.25") in moved
        await page.run("document.querySelector('.copy').click()")
        await page.wait("document.getElementById('said').textContent.includes('id')")


async def test_charts_tell_values_to_the_pointer_and_the_keyboard(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url, "charts") as page:
        await page.wait("document.querySelectorAll('.chart svg').length === 12")
        value = "document.querySelector('.chart .value').textContent"
        assert (await page.run(value)).startswith("now ")
        await page.run("document.querySelector('.chart .frame').focus()")
        await page.press("Home")
        first = await page.wait(f"!{value}.startsWith('now') && {value}")
        await page.press("End")
        await page.wait(f"{value} !== {first!r}")
        assert await page.run("document.querySelectorAll('.cursor circle').length") == 1
        await page.press("Tab")
        await page.wait(f"{value}.startsWith('now ')")
        place = await page.run(
            "(() => { const box = document.querySelector('.chart .frame').getBoundingClientRect();"
            "return [box.left + box.width / 2, box.top + 50]; })()"
        )
        await page.send("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
        await page.wait(f"!{value}.startsWith('now')")


async def test_a_link_keeps_the_focus_when_a_new_block_comes(tmp_path: Path, chain: TestChain) -> None:
    async with open_page(tmp_path, chain.url, "blocks") as page:
        await page.wait("document.getElementById('live').textContent === '● live'")
        link = f'document.querySelector(\'tbody a[href^="#/block/"][title="{chain.call("chain_head")["id"]}"]\')'
        await page.run(f"{link}.focus()")
        chain.mine()
        await page.wait(f"document.querySelector('tbody td').textContent === '{chain.height}'")
        assert await page.run(f"document.activeElement === {link}")
        assert await page.run("document.activeElement.closest('tr').rowIndex") == 2


async def test_tab_goes_through_a_page_in_the_order_of_the_eye(tmp_path: Path, chain: TestChain) -> None:
    """Each stop is visible and has a focus ring, and the page can be left at its end."""
    async with open_page(tmp_path, chain.url, "market") as page:
        await page.wait("document.querySelector('#quote dl')")
        stops: list[tuple[float, str]] = []
        for _ in range(60):
            await page.press("Tab")
            stop = await page.run(
                "(() => { const one = document.activeElement; if (one === document.body) return null;"
                "const box = one.getBoundingClientRect(); const style = getComputedStyle(one);"
                "return [box.top + scrollY, one.tagName + (one.id || one.textContent.slice(0, 12)), style.outlineStyle,"
                "box.width * box.height]; })()"
            )
            if stop is None:
                break
            assert stop[2] != "none", f"{stop[1]} shows no focus"
            assert stop[3] > 0, f"{stop[1]} is not visible"
            stops.append((stop[0], stop[1]))
        assert stop is None, "Tab does not leave the page"
        body = [top for top, _ in stops if top > 80]
        assert all(later >= earlier - 40 for earlier, later in pairwise(body)), stops
