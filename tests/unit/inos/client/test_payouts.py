"""Payouts happen exactly once, wherever the program that makes them is killed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inos.client.client import Client
from inos.client.errors import ClientError, RemoteError
from inos.client.payouts import Payouts
from inos.primitives.units import Address
from inos.testing import TestChain
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError

CREDIT = 10**9


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=3, instant=False) as running:
        yield running


def make_address(chain: TestChain, number: int) -> str:
    return encode_address(chain.network.hrp, Address(number.to_bytes(20, "big")))


class Killed(Exception):
    """The process is gone."""


class Shop:
    """A payouts file, opened anew for each use, as by a program that is killed and started again."""

    def __init__(self, chain: TestChain, path: Path) -> None:
        self.chain = chain
        self.path = path

    async def __call__(self, *orders: tuple[str, str, int], kill: str = "", depth: int | None = 1) -> list[str]:
        """Add payouts and take a step; return the states of the orders.

        Args:
            kill: a method of the client at whose call, or after whose call if a + follows, the process is killed.
        """
        async with Client(self.chain.url, wallet=self.chain.accounts[0].key) as client:
            name = kill.rstrip("+")
            if name:
                real = getattr(client, name)

                async def call(*args: Any, **kwargs: Any) -> Any:
                    if kill.endswith("+"):
                        await real(*args, **kwargs)
                    raise Killed

                setattr(client, name, call)
            payouts = Payouts(self.path, client, depth)
            try:
                for order in orders:
                    await payouts.add(*order)
                await payouts.step()
                return [payouts.get_state(key) for key, _, _ in orders]
            finally:
                payouts.close()


@pytest.fixture
def shop(chain: TestChain, tmp_path: Path) -> Shop:
    return Shop(chain, tmp_path / "payouts.db")


async def test_a_payout_is_made_once(chain: TestChain, shop: Shop) -> None:
    to = make_address(chain, 1)
    order = ("order 1", to, 2 * CREDIT)
    assert await shop(order) == ["sent"]
    chain.mine()
    assert await shop(order) == ["sent"]  # one block is not deep enough
    chain.mine()
    assert await shop(order) == ["done"]
    paid = chain.get_balance(to)
    assert paid == 2 * CREDIT - chain.network.params.account_fee
    for _ in range(3):
        assert await shop(order, ("order 1", to, 2 * CREDIT)) == ["done", "done"]
        chain.mine()
    assert chain.get_balance(to) == paid


async def test_open_payouts_are_counted_and_summed(chain: TestChain, tmp_path: Path) -> None:
    async with Client(chain.url, wallet=chain.accounts[0].key) as client:
        payouts = Payouts(tmp_path / "payouts.db", client, 1)
        try:
            assert (payouts.count_open(), payouts.sum_unpaid(0)) == (0, 0)
            for number in range(3):
                await payouts.add(f"order {number}", make_address(chain, 70), CREDIT + number)
            nonce = (await client.account()).nonce
            assert (payouts.count_open(), payouts.sum_unpaid(nonce)) == (3, 3 * CREDIT + 3)
            await payouts.step()  # an address is paid once in a transaction, so two of them wait
            assert (payouts.count_open(), payouts.sum_unpaid(nonce)) == (3, 3 * CREDIT + 3)
            chain.mine()
            nonce = (await client.account()).nonce
            assert (payouts.count_open(), payouts.sum_unpaid(nonce)) == (3, 2 * CREDIT + 3)
            chain.mine()
            await payouts.step()
            assert payouts.count_open() == 2
        finally:
            payouts.close()


@pytest.mark.parametrize("kill", ["sign_payload", "send_transaction", "send_transaction+", "transaction", "account"])
async def test_a_kill_loses_nothing_and_pays_nothing_twice(chain: TestChain, shop: Shop, kill: str) -> None:
    number = 100 + sum(kill.encode())
    to, again = make_address(chain, number), make_address(chain, number + 1000)
    orders = (("a", to, CREDIT), ("b", to, 3 * CREDIT), ("c", again, 5 * CREDIT))
    try:
        await shop(*orders, kill=kill)
    except Killed:
        chain.mine()  # What was sent before the kill gets into a block.
    for _ in range(8):
        states = await shop(*orders)
        chain.mine()
    assert states == ["done"] * 3
    fee = chain.network.params.account_fee
    assert chain.get_balance(to) == 4 * CREDIT - fee
    assert chain.get_balance(again) == 5 * CREDIT - fee


async def test_many_go_out_with_one_transaction(chain: TestChain, shop: Shop) -> None:
    orders = [(f"n{number}", make_address(chain, 5000 + number), CREDIT // 10) for number in range(300)]
    first = await shop(*orders)
    assert (first.count("sent"), first.count("waiting")) == (256, 44)
    chain.mine(2)
    await shop(*orders)
    assert set(await shop(*orders)) == {"sent", "done"}
    chain.mine(2)
    assert set(await shop(*orders)) == {"done"}


async def test_a_reorganisation_takes_nothing_away(chain: TestChain, shop: Shop) -> None:
    order = ("order", make_address(chain, 9000), CREDIT)
    before = chain.snapshot()
    assert await shop(order, depth=3) == ["sent"]
    chain.mine(2)
    chain.revert(before)  # The blocks are gone, and the transaction with them.
    for _ in range(6):
        state = await shop(order, depth=3)
        chain.mine()
    assert state == ["done"]
    assert chain.get_balance(order[1]) == CREDIT - chain.network.params.account_fee


async def test_a_nonce_that_another_program_took_stops_it(chain: TestChain, shop: Shop) -> None:
    order = ("order", make_address(chain, 9100), CREDIT)
    with pytest.raises(Killed):
        await shop(order, kill="send_transaction")
    chain.send(chain.accounts[0], chain.accounts[1], 1)
    chain.mine()
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            await shop(order)
        assert caught.value.code == "nonce-taken"
        chain.mine()
    assert chain.get_balance(order[1]) == 0


async def test_bad_input_stores_nothing(chain: TestChain, shop: Shop) -> None:
    to = make_address(chain, 9200)
    for bad, code in (
        (("", to, CREDIT), "bad-key"),
        (("x" * 201, to, CREDIT), "bad-key"),
        (("k", to[:-1] + "b", CREDIT), "not-an-address"),
        (("k", to, 0), "bad-amount"),
        (("k", to, 2**64), "bad-amount"),
    ):
        with pytest.raises((ClientError, WalletError)) as caught:
            await shop(bad)
        assert caught.value.code in (code, "bad-checksum")
    await shop(("k", to, CREDIT))
    for other in (("k", to, CREDIT + 1), ("k", make_address(chain, 9201), CREDIT)):
        with pytest.raises(ClientError) as caught:
            await shop(other)
        assert caught.value.code == "key-used"


async def test_more_than_there_is_waits(chain: TestChain, shop: Shop) -> None:
    order = ("rich", make_address(chain, 9300), 10**18)
    for _ in range(2):
        with pytest.raises(WalletError) as caught:
            await shop(order)
        assert caught.value.code == "insufficient-balance"
    async with Client(chain.url, wallet=chain.accounts[0].key) as client:
        payouts = Payouts(shop.path, client)
        assert payouts.get_state("rich") == "waiting"
        assert payouts.find_transaction("rich") is None
        with pytest.raises(ClientError) as refused:
            Payouts(shop.path, client)
        assert refused.value.code == "payouts-unusable"
        payouts.close()


async def test_a_node_that_knows_nothing_of_a_batch_is_no_reason_to_pay_again(chain: TestChain, shop: Shop) -> None:
    order = ("order", make_address(chain, 9400), CREDIT)
    await shop(order)
    async with Client(chain.url, wallet=chain.accounts[0].key) as client:

        async def fail(*_: Any) -> Any:
            raise RemoteError(-32603, "internal", "the node is ill")

        client.transaction = fail  # type: ignore[method-assign]
        payouts = Payouts(shop.path, client)
        with pytest.raises(RemoteError):
            await payouts.step()
        payouts.close()
    chain.mine(3)
    assert await shop(order) == ["done"]
