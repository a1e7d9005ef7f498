"""The example of an exchange: deposits are booked once and withdrawals paid once, over kills and reorganisations."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

import inos
from functional.test_examples import EXAMPLES, load
from inos.primitives.units import NANO_PER_CREDIT as CREDIT
from inos.testing import TestChain
from inos.testing.chain import PHRASE

DEPTH = 2


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return load("exchange")


@pytest.fixture
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=3, instant=False) as running:
        yield running


class Killed(Exception):
    """The process is gone."""


class Desk:
    """Opens the exchange's files for each step, as a process that is killed after each would."""

    def __init__(self, example: ModuleType, chain: TestChain, folder: Path) -> None:
        self.example, self.chain, self.folder = example, chain, folder

    async def __call__(self, method: str, *arguments: Any, kill: str = "") -> Any:
        async with inos.Client(self.chain.url, wallet=self.chain.accounts[0].key) as client:
            exchange = self.example.Exchange(client, PHRASE, self.folder, DEPTH)
            if kill:

                async def die(*_: Any, **__: Any) -> Any:
                    raise Killed

                setattr(client, kill, die)
            try:
                result = getattr(exchange, method)(*arguments)
                return await result if hasattr(result, "__await__") else result
            finally:
                exchange.close()

    async def follow(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.chain.mine()
            await self("step")

    async def get_credits(self, customer: int) -> str:
        return str((await self("get_customer", customer))["credits"])


@pytest.fixture
def desk(example: ModuleType, chain: TestChain, tmp_path: Path) -> Desk:
    return Desk(example, chain, tmp_path)


async def test_deposits_count_when_they_are_deep_and_once(chain: TestChain, desk: Desk) -> None:
    first, second = [await desk("add_customer") for _ in range(2)]
    payer, fee = chain.accounts[1], chain.network.params.account_fee / CREDIT
    chain.send(payer, first["address"], 5)
    async with chain.client(payer) as client:
        await client.transfer_many([(first["address"], 1), (second["address"], 2), (payer.address, 1)])
    chain.mine()
    await desk("step")
    assert await desk.get_credits(1) == "0"  # not deep enough yet
    chain.mine()
    for kill in ("block", "history", "head"):
        chain.mine()
        with pytest.raises(Killed):
            await desk("step", kill=kill)
    await desk.follow(3)
    for _ in range(3):
        assert float(await desk.get_credits(1)) == pytest.approx(6 - fee)
        assert float(await desk.get_credits(2)) == pytest.approx(2 - fee)
        await desk("step")


async def test_a_reorganisation_neither_doubles_nor_loses_a_deposit(chain: TestChain, desk: Desk) -> None:
    customer = await desk("add_customer")
    chain.mine(3)
    await desk("step")
    before = chain.snapshot()
    chain.send(chain.accounts[1], customer["address"], 5)
    chain.mine()
    await desk("step")
    chain.revert(before)
    await desk.follow(DEPTH + 2)
    assert await desk.get_credits(1) == "0"
    chain.send(chain.accounts[1], customer["address"], 7)
    await desk.follow(DEPTH + 2)
    assert float(await desk.get_credits(1)) == pytest.approx(7 - chain.network.params.account_fee / CREDIT)


async def test_withdrawals_are_paid_once_over_kills(chain: TestChain, desk: Desk) -> None:
    customer, to = await desk("add_customer"), chain.accounts[2].address
    chain.send(chain.accounts[1], customer["address"], 10)
    await desk.follow(DEPTH + 1)
    before = chain.get_balance(to)
    for asked in (("w", 1, to, "100"), ("w", 9, to, "1"), ("w", 1, to[:-2] + "qq", "1"), ("w", 1, to, "0")):
        with pytest.raises((desk.example.Refused, inos.InosError)):
            await desk("withdraw", *asked)
    held = await desk.get_credits(1)
    assert float(held) > 9
    for kill in ("sign_payload", "send_transaction", "transaction"):
        for _ in range(2):
            answer = await desk("withdraw", "w-1", 1, to, "3")
        assert answer["state"] in ("waiting", "sent")
        with pytest.raises(Killed):
            await desk("step", kill=kill)
    await desk.follow(DEPTH + 3)
    assert (await desk("get_withdrawal", "w-1"))["state"] == "done"
    assert chain.get_balance(to) == before + 3 * CREDIT
    assert float(await desk.get_credits(1)) == pytest.approx(float(held) - 3)
    with pytest.raises(desk.example.Refused):
        await desk("withdraw", "w-1", 1, to, "4")


async def test_deposits_are_swept_once_they_are_worth_it(chain: TestChain, desk: Desk) -> None:
    large, small = [await desk("add_customer") for _ in range(2)]
    hot = chain.accounts[0].address
    chain.send(chain.accounts[1], large["address"], 5)
    chain.send(chain.accounts[1], small["address"], "0.5")
    chain.mine(DEPTH + 1)
    before = get_balance(chain, hot)
    with pytest.raises(Killed):
        await desk("step", kill="send_transaction")
    assert get_balance(chain, hot) == before
    undone = chain.snapshot()
    await desk.follow(2)
    assert 4.9 * CREDIT < get_balance(chain, hot) - before < 5 * CREDIT
    assert get_balance(chain, large["address"]) == 0
    chain.revert(undone)  # the sweep's block is gone, and the pool is what it was before
    assert get_balance(chain, large["address"]) > 0
    await desk.follow(DEPTH + 4)
    assert get_balance(chain, large["address"]) == 0
    assert 0.4 * CREDIT < get_balance(chain, small["address"]) < 0.5 * CREDIT
    swept = get_balance(chain, hot)
    await desk.follow(2)
    assert get_balance(chain, hot) == swept
    assert float(await desk.get_credits(1)) > 4.9  # the books do not change
    chain.send(chain.accounts[1], small["address"], "0.7")
    await desk.follow(DEPTH + 4)
    assert get_balance(chain, small["address"]) == 0
    assert get_balance(chain, hot) - swept > 1.1 * CREDIT


def get_balance(chain: TestChain, address: str) -> int:
    return int(chain.call("state_getAccount", address=address)["balance"])


async def test_the_process_serves_and_goes_on_after_a_kill(chain: TestChain, tmp_path: Path) -> None:
    (tmp_path / "phrase").write_text(PHRASE)
    command = [
        sys.executable, str(EXAMPLES / "exchange.py"), "--rpc", chain.url, "--phrase-file", str(tmp_path / "phrase"),
        "--folder", str(tmp_path / "exchange"), "--port", "0", "--depth", "1", "--pause", "0.05",
    ]  # fmt: skip

    async def ask(url: str, method: str, path: str, **options: Any) -> Any:
        async with aiohttp.ClientSession() as session, session.request(method, url + path, **options) as response:
            return response.status, await response.json()

    def start() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, process.stdout.readline().split()[-1]

    process, url = start()
    try:
        _, made = await ask(url, "POST", "/customers")
        chain.send(chain.accounts[1], made["address"], 5)
        process.kill()
        process.communicate()
        process, url = start()
        chain.mine(3)
        found = "0"
        while found == "0":
            status, shown = await ask(url, "GET", "/customers/1")
            found = shown["credits"]
        assert status == 200
        assert float(found) > 4.9
        asked = {"key": "w", "customer": 1, "to": chain.accounts[2].address, "credits": "2"}
        assert (await ask(url, "POST", "/withdrawals", data=json.dumps(asked)))[0] == 202
        assert (await ask(url, "POST", "/withdrawals", data="{}"))[0] == 400
        assert (await ask(url, "GET", "/withdrawals/other"))[0] == 400
        state = ""
        while state != "done":
            chain.mine()
            state = (await ask(url, "GET", "/withdrawals/w"))[1]["state"]
    finally:
        process.kill()
        process.communicate()
