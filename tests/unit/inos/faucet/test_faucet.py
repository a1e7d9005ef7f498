"""The faucet's limits, and that each claim is paid once, over restarts."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from inos.client.client import Client
from inos.faucet.faucet import DAY_MS, DEPTH, Faucet, FaucetError, Limits, find_network
from inos.faucet.server import make_app
from inos.primitives.units import Address, Nano, TimeMs
from inos.testing import TestChain
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LIMITS = Limits(Nano(10**9), per_network=2, per_day=4)


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=2, instant=False) as running:
        yield running


class World:
    """One faucet over restarts, with a clock of its own."""

    def __init__(self, chain: TestChain, client: Client, folder: Path) -> None:
        self.chain, self.client, self.folder = chain, client, folder
        self.now_ms = TimeMs(10 * DAY_MS)
        self.faucet = self.start()

    def start(self) -> Faucet:
        return Faucet(self.client, self.folder, LIMITS, lambda: self.now_ms)

    def restart(self) -> None:
        self.faucet.close()
        self.faucet = self.start()

    def make_address(self, number: int) -> str:
        return encode_address(self.chain.network.hrp, Address(number.to_bytes(20, "big")))

    async def refuse(self, number: int, host: str) -> str:
        with pytest.raises(FaucetError) as caught:
            await self.faucet.claim(self.make_address(number), host)
        return caught.value.code


@pytest.fixture
async def world(chain: TestChain, tmp_path: Path) -> AsyncIterator[World]:
    async with Client(chain.url, wallet=chain.accounts[0].key) as client:
        made = World(chain, client, tmp_path / "faucet")
        yield made
        made.faucet.close()


async def test_claims_are_paid_once_over_restarts(chain: TestChain, world: World) -> None:
    to = world.make_address(100)
    claim = await world.faucet.claim(to, "1.2.3.4")
    assert (claim.credits, claim.state, claim.tx) == ("1", "waiting", None)
    for _ in range(DEPTH + 4):
        world.restart()
        await world.faucet.step()
        chain.mine()
    assert world.faucet.find(to).state == "done"
    assert chain.get_balance(to) == 10**9 - chain.network.params.account_fee


async def test_a_kill_between_claim_and_payout_loses_nothing(chain: TestChain, world: World, monkeypatch: Any) -> None:
    to = world.make_address(200)

    async def die() -> None:
        raise ConnectionError

    monkeypatch.setattr(world.faucet, "_hand_over", die)
    with pytest.raises(ConnectionError):
        await world.faucet.claim(to, "1.2.3.4")
    world.restart()
    await world.faucet.step()
    chain.mine()
    assert chain.get_balance(to) > 0


async def test_limits_hold_over_restarts_and_end_with_the_day(world: World) -> None:
    await world.faucet.claim(world.make_address(1), "1.2.3.4")
    assert await world.refuse(1, "9.9.9.9") == "already-given"
    await world.faucet.claim(world.make_address(2), "1.2.3.200")
    world.restart()
    assert await world.refuse(3, "1.2.3.7") == "too-many-here"
    await world.faucet.claim(world.make_address(3), "1.2.4.7")
    await world.faucet.claim(world.make_address(4), "2001:db8::1")
    assert await world.refuse(5, "8.8.8.8") == "nothing-left"
    world.now_ms = TimeMs(world.now_ms + DAY_MS - 1)
    assert await world.refuse(1, "1.2.3.4") == "already-given"
    world.now_ms = TimeMs(world.now_ms + 1)
    assert (await world.faucet.claim(world.make_address(1), "1.2.3.4")).state == "waiting"


async def test_bad_addresses_count_for_nothing(world: World) -> None:
    for text in ("", "x" * 200, world.make_address(1)[:-1] + "b", encode_address("inos", Address(bytes(20)))):
        with pytest.raises(WalletError):
            await world.faucet.claim(text, "1.2.3.4")
    shouted = world.make_address(1).upper()
    assert (await world.faucet.claim(shouted, "1.2.3.4")).address == world.make_address(1)
    assert await world.refuse(1, "7.7.7.7") == "already-given"


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("1.2.3.4", "1.2.3.0/24"),
        ("::ffff:1.2.3.4", "1.2.3.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("", ""),
        ("a name", "a name"),
    ],
)
def test_networks_of_addresses(host: str, network: str) -> None:
    assert find_network(host) == network


@pytest.mark.parametrize("is_proxied", [False, True])
async def test_the_page_and_its_json(world: World, is_proxied: bool) -> None:
    app = make_app(world.faucet, "lab", "1", is_proxied=is_proxied)
    async with TestClient(TestServer(app)) as http:

        async def claim(body: Any, **headers: str) -> tuple[int, Any]:
            kind = {"json": body} if isinstance(body, dict) and "form" not in body else {"data": body}
            response = await http.post("/claim", headers=headers, **kind)
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else await response.text()

        page = await http.get("/")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "Get 1 credits" in await page.text()
        status, text = await claim("address=" + world.make_address(1), **FORM)
        assert status == 202
        assert "on their way" in text
        status, text = await claim("address=%3Cscript%3E", **FORM)
        assert status == 400
        assert "<script>" not in text
        for number, host in enumerate(("5.5.5.5", "6.6.6.6"), 2):
            status, answer = await claim(
                {"address": world.make_address(number)}, **{"X-Forwarded-For": f"9.9.9.9, {host}"}
            )
            assert (status, answer.get("credits")) == ((202, "1") if is_proxied or number == 2 else (429, None))
        found = await http.get(f"/claims/{world.make_address(1)}")
        assert (await found.json())["state"] == "waiting"
        assert (await http.get("/claims/nobody")).status == 404
        for bad in ("{", "[]", '{"address": 5}', '{"a": 1}', "x" * 5000, "[" * 4000):
            assert (await claim(bad, **{"Content-Type": "application/json"}))[0] == 400
