"""A worker finds out what a pool keeps from it, by what the pool publishes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from inos.cli.common import pool_watch
from inos.cli.common.pool_watch import describe, make_rpc_url, watch_pool
from inos.client.client import Client
from inos.primitives.errors import InosError
from inos.primitives.units import Nano
from inos.wallet.addresses import encode_address
from inos.workers.client.pool_check import PoolChecker, PoolVerdict
from support.pool_lab import CREDIT, MEMBERS, PoolLab
from support.rpc_requests import ALICE, FUNDS
from support.rpc_served import make_fake_node, serve

A, B = MEMBERS[:2]
TEXT = encode_address("dinos", A)
Alter = Callable[[str, Any], None]


class Lab:
    """A pool with incomes, its node's RPC, and what a cheating node changes in the answers."""

    def __init__(self, pool: PoolLab, url: str, client: Client) -> None:
        self.pool = pool
        self.url = url
        self._client = client
        self.calls = 0
        self.alter: Alter = lambda method, answer: None

    async def call(self, method: str, params: Mapping[str, Any], /) -> Any:
        self.calls += 1
        answer = await self._client.call(method, params)
        self.alter(method, answer)
        return answer

    def earn(self, blocks: int) -> None:
        for number in range(blocks):
            self.pool.share(A, 300)
            self.pool.share(B, 100 * number + 1)
            self.pool.chain.mine(CREDIT)
            self.pool.pool.follow()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    node, pool = make_fake_node(FUNDS, ALICE.address), PoolLab(tmp_path / "members")
    node.pool = pool.pool
    async with serve(node, tmp_path) as server, Client(server.url) as client:
        yield Lab(pool, server.url, client)
    pool.pool.books.close()


async def test_an_honest_pool_says_what_its_windows_give(lab: Lab) -> None:
    checker = PoolChecker(lab, A, TEXT)
    assert (await checker.check()).incomes == 0
    lab.earn(250)
    lab.pool.chain.undo(2)
    lab.pool.ripen(101)
    verdict = await checker.check(acknowledged=250)
    assert verdict.is_honest
    assert (verdict.incomes, verdict.told) == (248, verdict.computed)
    assert verdict.told > 0
    assert describe(verdict).startswith("checked: 248 incomes of the pool give this address ")
    before = lab.calls
    assert await checker.check() == verdict
    assert lab.calls == before + 2, "what did not change is not read again"


def underpay(method: str, answer: Any) -> None:
    if method == "pool_worker":
        answer["earned"] = str(int(answer["earned"]) - 1)


def hide_tickets(method: str, answer: Any) -> None:
    """The window has more tickets than it has parts, so that each part is smaller."""
    for income in answer["incomes"] if method == "pool_window" else ():
        income["of"] = str(2 * int(income["of"]))
        for part in income["parts"]:
            part["credit"] = str(int(part["credit"]) // 2)


def shorten_one(method: str, answer: Any) -> None:
    for income in answer["incomes"] if method == "pool_window" else ():
        for part in income["parts"] if income["number"] == 1 else ():
            part["credit"] = str(int(part["credit"]) - 1)


def forget_shares(method: str, answer: Any) -> None:
    if method == "pool_worker":
        answer["shares"] -= 1


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (underpay, "but its own windows give this address "),
        (hide_tickets, "divides 3 incomes otherwise than it says (0, 1, 2)"),
        (shorten_one, "divides 1 incomes otherwise than it says (1)"),
        (forget_shares, "knows fewer shares of this address than it acknowledged"),
    ],
)
async def test_a_pool_that_cheats_is_found_out(lab: Lab, alter: Alter, reason: str) -> None:
    lab.earn(3)
    lab.pool.ripen(101)
    checker, lab.alter = PoolChecker(lab, A, TEXT), alter
    verdict = await checker.check(acknowledged=3)
    assert not verdict.is_honest
    assert reason in describe(verdict)
    lab.alter = lambda method, answer: None
    assert (await checker.check(acknowledged=3)).is_honest


async def test_a_block_that_is_undone_while_it_is_checked_is_no_fault(lab: Lab) -> None:
    lab.earn(2)
    lab.pool.ripen(101)

    def undo(method: str, answer: Any) -> None:
        if method == "pool_window" and lab.pool.chain.height > 1:
            lab.pool.chain.undo(lab.pool.chain.height - 1)
            lab.pool.ripen(150)

    lab.alter = undo
    verdict = await PoolChecker(lab, A, TEXT).check()
    assert verdict.is_honest
    assert verdict.incomes == 1


async def test_a_node_without_a_pool_is_an_error(tmp_path: Path) -> None:
    async with serve(make_fake_node(FUNDS), tmp_path) as server, Client(server.url) as client:
        with pytest.raises(InosError, match="no pool"):
            await PoolChecker(client, A, TEXT).check()


async def test_a_worker_says_what_it_found_once_and_warns_each_time(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    said, warned = list[str](), list[str]()
    monkeypatch.setattr(pool_watch, "FIRST_S", 0.01)
    monkeypatch.setattr(pool_watch, "CHECK_S", 0.01)
    monkeypatch.setattr(pool_watch, "print_text", said.append)
    monkeypatch.setattr(pool_watch, "print_warning", warned.append)
    lab.earn(3)
    lab.pool.ripen(101)
    checks, shares, enough = 0, 3, asyncio.Event()

    def get_shares() -> int:
        nonlocal checks
        checks += 1
        if checks % 4 == 0:
            enough.set()
        return shares

    watching = asyncio.ensure_future(watch_pool(lab.url, A, TEXT, get_shares))
    await asyncio.wait_for(enough.wait(), 60)
    assert [text.split(":")[0] for text in said] == ["checked"]
    assert warned == []
    enough.clear()
    shares = 4
    await asyncio.wait_for(enough.wait(), 60)
    watching.cancel()
    assert len(warned) >= 2
    assert len(said) == 1


def test_the_rpc_address_of_what_a_worker_joins() -> None:
    assert make_rpc_url("127.0.0.1:8645") == make_rpc_url("ws://127.0.0.1:8645/work") == "http://127.0.0.1:8645"
    assert make_rpc_url("https://pool.example/") == "https://pool.example"


def test_nothing_is_said_before_the_first_income() -> None:
    assert describe(PoolVerdict(Nano(0), Nano(0), 0, (), False)) == ""


@pytest.mark.parametrize("method", ["pool_window", "pool_worker"])
@pytest.mark.parametrize("nonsense", ["missing", "null", "text", "list"])
async def test_a_pool_that_answers_nonsense_ends_no_worker(lab: Lab, method: str, nonsense: str) -> None:
    """The watch goes on after an InosError, and any other error would end the worker."""
    lab.earn(2)

    def alter(called: str, answer: Any) -> None:
        if called == method:
            for part in (answer, *answer.get("incomes", ())):
                for name in list(part):
                    if name != "incomes":
                        part[name] = {"null": None, "text": "x", "list": [1]}.get(nonsense)
                        if nonsense == "missing":
                            del part[name]

    lab.alter = alter
    with pytest.raises(InosError) as caught:
        await PoolChecker(lab, A, TEXT).check()
    assert caught.value.code == "bad-response"
