"""A stranger opens a node's page, makes a key, presses one button, and is paid: headless Chromium and a real pool."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.client.client import Client
from inos.devnet.intro import DEV_PHRASE
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from inos.primitives import bech32m
from inos.wallet.keys import derive_key
from support.browser import Page, find_chromium, open_browser
from support.cluster import ask, await_that
from support.work_lab import multiply

CHROMIUM = find_chromium()
NODE = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", "--explorer")
POOL = ("--mine", "auto", "--threads", "0", "--pool")
STATE = "document.getElementById('state').textContent"
DRAWN = "Number(document.getElementById('drawn').textContent.replace(/\\D/g, ''))"
PAID_S = 150

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(300),
]


async def make_key(page: Page) -> str:
    """Make a key in the page, and return its words."""
    await page.run(
        "document.getElementById('password').value = 'ten letters'; document.getElementById('make-key').click()"
    )
    await page.wait("document.querySelectorAll('.words li').length === 12")
    words: str = await page.run("[...document.querySelectorAll('.words li')].map((one) => one.textContent).join(' ')")
    return words


async def check_division(page: Page, url: str, address: str) -> None:
    """The page computes again what the pool divides, and notices a pool that counts wrong."""
    await page.wait("document.querySelectorAll('#incomes .good').length > 1", 60)
    assert await page.run("document.querySelectorAll('#incomes .bad').length") == 0
    window = await ask(url, "pool_window", {"limit": 2})
    wrong = [json.loads(json.dumps(window["incomes"][0])) for _ in range(2)]
    wrong[0]["parts"][0]["credit"] = str(int(wrong[0]["parts"][0]["credit"]) - 1)
    wrong[1]["parts"].append({"address": "another", "tickets": wrong[1]["of"], "credit": "0"})
    judged = await page.run(
        f"(async ([incomes, address]) => {{ const {{ checkIncome }} = await import('/explorer/work/pool.js');"
        f" return incomes.map((one) => {{ const {{ fits, credit }} = checkIncome(one, address);"
        f" return [fits, credit.toString()]; }}); }})({json.dumps([[*window['incomes'], *wrong], address])})"
    )
    assert [fits for fits, _ in judged] == [True, True, False, False]
    for income, (_, credit) in zip(window["incomes"], judged, strict=False):
        assert credit == next((part["credit"] for part in income["parts"] if part["address"] == address), "0")


async def check_product(page: Page, node: RunningNode) -> None:
    """The page makes the whole product of a job, since nobody else can."""
    rng = np.random.default_rng(3)
    x, w = (rng.integers(-64, 64, (rows, 3000), np.int8) for rows in (500, 400))
    async with Client(node.rpc_url, wallet=derive_key(DEV_PHRASE)) as client:
        job = await client.post_job(x, w, reward="2")
        await client.wait_job(job, 120)
        assert np.array_equal(await client.result(job), multiply(x, w))
    groups = {group["kind"]: group for group in (await ask(node.rpc_url, "miner_workers"))["groups"]}
    assert groups["page"]["pieces"] > 0
    await page.wait("Number(document.getElementById('pieces').textContent) > 0")


async def test_a_stranger_presses_one_button_and_is_paid(tmp_path: Path) -> None:
    """The node computes nothing itself: every block is the page's."""
    assert CHROMIUM is not None
    async with contextlib.AsyncExitStack() as stack:
        node = await start_node(NodeSpec("pool", tmp_path / "pool", (*NODE, *POOL)))
        stack.push_async_callback(stop_process, node.process)
        page = await stack.enter_async_context(open_browser(CHROMIUM, tmp_path / "browser"))
        await page.open(f"{node.rpc_url}/explorer/work/")
        await page.wait(f"{STATE} === 'ready'")
        words = await make_key(page)
        key = derive_key(words)
        hrp = (await ask(node.rpc_url, "node_version"))["hrp"]
        address = bech32m.encode(hrp, key.address)
        assert await page.run("document.getElementById('address').value") == address
        await page.run("document.getElementById('start').click()")
        await page.wait(f"{DRAWN} > 0", 60)

        async def read_pages() -> dict[str, Any] | None:
            groups = (await ask(node.rpc_url, "miner_workers"))["groups"]
            return next((group for group in groups if group["kind"] == "page" and group["tickets"] > 0), None)

        assert (await await_that("the node counts the page's tickets", read_pages, 60))["workers"] == 1

        async def read_balance() -> int:
            account = await ask(node.rpc_url, "state_getAccount", {"address": address})
            return int(account["balance"])

        assert await await_that("the page's address was paid", read_balance, PAID_S) > 0
        await page.wait("parseFloat(document.getElementById('paid').textContent) > 0", 60)
        await check_division(page, node.rpc_url, address)
        await check_product(page, node)
        assert (await ask(node.rpc_url, "miner_workers"))["errors"] == {}
        assert page.errors == []
        await page.open("about:blank")

        async def is_gone() -> bool:
            return await read_pages() is None

        assert await await_that("the page that was closed is gone", is_gone, 10)
        places = {each.split("/")[2] for each in page.requests if not each.startswith(("about:", "blob:"))}
        assert places == {node.rpc_url.removeprefix("http://")}, json.dumps(sorted(places))
