"""Test a pool on a real node: a stranger multiplies, is paid on the chain, and checks what it earned."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inos.client.client import Client
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.keys import make_key
from inos.workers.client import Worker, WorkerOptions
from inos.workers.messages import Totals
from inos.workers.pool.split import recompute_earned
from support.browser import find_chromium, open_browser
from support.cluster import await_height, await_that

CHROMIUM = find_chromium()
# `inos worker --join URL --pay ADDRESS` runs the same Worker as here.
STRANGER = make_key(bytes(31) + b"\x0c").address
TEXT = encode_address("dinos", STRANGER)
COMMON = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--explorer", "--no-discovery")
POOL = ("--mine", "auto", "--pool", "--pool-fee", "20000", "--threads", "1", "--filler-rate", "30000")


async def start_pool(folder: Path) -> RunningNode:
    return await start_node(NodeSpec("pool", folder / "pool", (*COMMON, *POOL)))


@contextlib.asynccontextmanager
async def run_pool(folder: Path) -> AsyncIterator[tuple[RunningNode, Client]]:
    """Start a pool with one stranger that multiplies for it."""
    async with contextlib.AsyncExitStack() as stack:
        node = await start_pool(folder)
        stack.push_async_callback(stop_process, node.process)
        await await_height(node.rpc_url, 1)
        work = asyncio.ensure_future(Worker(WorkerOptions(url=node.rpc_url, address=STRANGER)).run())
        stack.callback(work.cancel)
        yield node, await stack.enter_async_context(Client(node.rpc_url))


async def check_earnings(client: Client) -> None:
    """The stranger computes what it earned from the windows that the pool publishes."""
    blocks, before = [], None
    told = int((await client.call("pool_worker", address=TEXT))["earned"])
    while True:
        page = await client.call("pool_window", limit=100, before=before)
        for income in page["incomes"]:
            parts = {decode_address("dinos", part["address"]): int(part["tickets"]) for part in income["parts"]}
            if income["state"] == "earned":
                blocks.append((int(income["amount"]), income["fee_ppm"], parts))
        before = page["next"]
        if before is None:
            break
    again = int((await client.call("pool_worker", address=TEXT))["earned"])
    assert 0 < told <= recompute_earned(STRANGER, blocks) <= again


@pytest.mark.timeout(180)
async def test_a_stranger_is_paid_for_its_shares_and_checks_them(tmp_path: Path) -> None:
    async with run_pool(tmp_path) as (node, client):

        async def is_paid() -> bool:
            return (await client.account(TEXT)).balance > 10**8

        await await_that("the stranger was paid", is_paid, 120)
        await check_earnings(client)
        history = await client.history(TEXT)
        assert {entry.kind for entry in history.entries} == {"transfer_many"}
        payouts = (await client.call("pool_payouts"))["payouts"]
        assert {payout["tx"] for payout in payouts} >= {entry.id for entry in history.entries}
        if CHROMIUM is None:
            return
        async with open_browser(CHROMIUM, tmp_path / "browser") as page:
            await page.open(f"{node.rpc_url}/explorer/#/pool")
            await page.wait("document.querySelector('h1')?.textContent === 'Pool'")
            await page.wait("!document.getElementById('pool-link').hidden")
            await page.wait(f"document.body.textContent.includes('{TEXT}')")
            await page.wait("document.querySelectorAll('main table a[href^=\"#/tx/\"]').length > 0")
            await page.shoot(tmp_path / "pool.png", whole=True)
            await page.open(f"{node.rpc_url}/explorer/#/pool/{TEXT}")
            await page.wait("document.querySelector('main .good')?.textContent === 'The same: '")
            await page.shoot(tmp_path / "member.png", whole=True)
            assert page.errors == []


@pytest.mark.timeout(180)
async def test_a_killed_pool_knows_every_share_that_it_acknowledged(tmp_path: Path) -> None:
    node, acknowledged = await start_pool(tmp_path), list[Totals]()
    try:
        await await_height(node.rpc_url, 1)
        for kill in range(2):
            worker = Worker(WorkerOptions(url=node.rpc_url, address=STRANGER), acknowledged.append)
            work = asyncio.ensure_future(worker.run())
            seen = len(acknowledged) + 5

            async def has_more(seen: int = seen) -> bool:
                return len(acknowledged) >= seen

            await await_that(f"shares came before kill {kill}", has_more, 60)
            node.process.kill()
            await node.process.wait()
            work.cancel()
            told = acknowledged[-1]
            node = await start_pool(tmp_path)
            async with Client(node.rpc_url) as client:
                member = await client.call("pool_worker", address=TEXT)
            assert (member["shares"], int(member["tickets"])) >= (told.shares, told.tickets)
            assert int(member["earned"]) == sum(int(member[name]) for name in ("paid", "pending", "owed"))
    finally:
        await stop_process(node.process)
