"""inos.Client against a real RPC server: typed answers, errors, retries, transfers."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

import inos
from inos.client.errors import ClientError, RemoteError
from inos.primitives.errors import RuleViolation
from inos.primitives.units import Address
from inos.rpc import RpcServer
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError
from inos.wallet.keys import make_key
from support.fake_node import FakeNode
from support.rpc_served import make_fake_node, serve

ALICE = make_key(bytes(31) + b"\x01")
BOB = make_key(bytes(31) + b"\x02")
BOB_TEXT = encode_address("dinos", BOB.address)


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(10 * 10**9, ALICE.address)


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(node, tmp_path) as server:
        yield server


@pytest.fixture
async def client(server: RpcServer) -> AsyncIterator[inos.Client]:
    async with inos.Client(server.url, wallet=ALICE) as client:
        yield client


async def test_typed_answers(client: inos.Client, node: FakeNode) -> None:
    node.mine()
    head = await client.head()
    assert (head.height, head.id, head.weight, head.difficulty) == (1, node.ledger.tip.id.hex(), 20_000, 20_000)
    block = await client.block(1)
    assert (block.id, block.stats.subsidy if block.stats else None) == (head.id, 50 * 10**9)
    assert (await client.header("latest")).confirmations == 1
    version = await client.version()
    assert (version.network, version.chain_id, version.genesis) == ("devnet", 1338, node.genesis_id.hex())
    account = await client.account()
    assert (account.balance, account.nonce) == (10 * 10**9, 0)
    assert (await client.account(BOB_TEXT, prove=True)).proof is not None
    supply = await client.supply()
    assert supply.supply == supply.minted - supply.burned == 60 * 10**9
    assert (await client.useful_work(5)).paid_share == 0.0
    assert (await client.jobs(state="open")).jobs == ()


async def test_the_networks_parameters_arrive_whole(client: inos.Client, node: FakeNode) -> None:
    network = await client.get_network()
    assert network.params == node.params
    assert network.hrp == "dinos"
    assert network.genesis == node.genesis_id.hex()


async def test_plain_calls_by_name_and_position(client: inos.Client) -> None:
    by_name = await client.call("chain_getBlock", {"block": 0})
    assert by_name == await client.call("chain_getBlock", [0])
    assert by_name == await client.call("chain_getBlock", block=0)


async def test_a_transfer(client: inos.Client, node: FakeNode) -> None:
    first = await client.transfer(BOB_TEXT, "1.5")
    second = await client.transfer(BOB_TEXT, Decimal("0.25"))
    third = await client.transfer(BOB_TEXT, amount_nano=7)
    assert len({first, second, third}) == 3
    assert (await client.transaction(second)).status == "pending"
    node.mine()
    assert (await client.account(BOB_TEXT)).balance == 1_750_000_007 - 100_000  # the fee of a new account
    found = await client.transaction(first)
    assert (found.status, found.tx.kind, found.tx.nonce, found.tx.payload["amount"]) == (
        "included",
        "transfer",
        0,
        "1500000000",
    )


async def test_many_payments_in_one_transaction(client: inos.Client, node: FakeNode) -> None:
    others = [encode_address("dinos", Address(bytes([n]) * 20)) for n in range(256)]
    sent = await client.transfer_many([(BOB_TEXT, "1.5"), (others[0], 0.25)])
    in_nano = await client.transfer_many(payments_nano=[(to, 2_000_000) for to in reversed(others)])
    node.mine()
    found = await client.transaction(sent)
    assert (found.status, found.tx.kind, found.tx.payload["total"]) == ("included", "transfer_many", "1750000000")
    assert {(each["to"], each["amount"]) for each in found.tx.payload["payments"]} == {
        (BOB_TEXT, "1500000000"),
        (others[0], "250000000"),
    }
    assert (await client.account(others[0])).balance == 250_000_000 - 100_000 + 2_000_000
    assert (await client.account(others[9])).balance == 2_000_000 - 100_000
    assert (await client.transaction(in_nano)).tx.size < 256 * 28 + 140
    history = await client.history(others[9])
    assert [(entry.kind, entry.balance) for entry in history.entries] == [("transfer_many", 1_900_000)]


@pytest.mark.parametrize(
    ("payments", "code"),
    [
        ([], "bad-payments"),
        ([(BOB_TEXT, 1), (BOB_TEXT, 1)], "bad-payments"),
        ([(BOB_TEXT, "0.000999999")], "bad-amount"),
        ([("bob", 1)], "not-an-address"),
        ([(BOB_TEXT, 11)], "insufficient-balance"),
    ],
)
async def test_payments_that_are_not_signed(
    client: inos.Client, node: FakeNode, payments: list[tuple[str, str | int]], code: str
) -> None:
    with pytest.raises(WalletError) as caught:
        await client.transfer_many(payments)
    assert caught.value.code == code
    assert len(node.mempool) == 0
    with pytest.raises(ClientError, match="payments"):
        await client.transfer_many()


async def test_many_transfers_at_once_take_different_nonces(client: inos.Client, node: FakeNode) -> None:
    ids = await asyncio.gather(*(client.transfer(BOB_TEXT, amount_nano=n + 1) for n in range(10)))
    assert len(set(ids)) == 10
    assert sorted(tx.nonce for tx in node.mempool.waiting.values()) == list(range(10))


async def test_a_nonce_taken_by_another_program_is_taken_anew(client: inos.Client, node: FakeNode) -> None:
    node.refusal = RuleViolation("nonce-too-old", "the nonce was used")
    assert await client.transfer(BOB_TEXT, "1")
    node.refusal = RuleViolation("bad-fee", "the fee is wrong")
    with pytest.raises(RemoteError) as caught:
        await client.transfer(BOB_TEXT, "1")
    assert (caught.value.code, caught.value.number) == ("bad-fee", -32003)


@pytest.mark.parametrize(
    ("to", "amount", "code"),
    [
        (BOB_TEXT, "100", "insufficient-balance"),
        (BOB_TEXT, "0", "bad-amount"),
        (BOB_TEXT[:-1] + "q", "1", "bad-checksum"),
        (encode_address("tinos", BOB.address), "1", "other-network"),
    ],
)
async def test_what_cannot_work_is_not_signed(
    client: inos.Client, node: FakeNode, to: str, amount: str, code: str
) -> None:
    with pytest.raises(WalletError) as caught:
        await client.transfer(to, amount)
    assert caught.value.code == code
    assert len(node.mempool) == 0


async def test_without_a_key_nothing_is_signed(server: RpcServer) -> None:
    async with inos.Client(server.url) as client:
        assert (await client.head()).height == 0
        with pytest.raises(ClientError) as caught:
            await client.transfer(BOB_TEXT, "1")
        assert caught.value.code == "no-key"
    with pytest.raises(ClientError):
        inos.Client(server.url, wallet=ALICE, secret=ALICE.secret)


async def test_a_secret_in_place_of_a_wallet(server: RpcServer) -> None:
    async with inos.Client(server.url, secret=ALICE.secret) as client:
        assert await client.get_address() == encode_address("dinos", ALICE.address)


async def test_the_nodes_refusals_come_as_they_are(client: inos.Client) -> None:
    with pytest.raises(RemoteError) as caught:
        await client.job("00" * 32)
    assert (caught.value.number, caught.value.code) == (-32002, "job-unknown")
    with pytest.raises(RemoteError) as caught:
        await client.call("miner_status")
    assert (caught.value.number, caught.value.code) == (-32001, "unauthorized")
    assert "rpc.token" in caught.value.hint


async def test_the_token_opens_protected_methods(server: RpcServer, tmp_path: Path) -> None:
    token = (tmp_path / "rpc.token").read_text().strip()
    async with inos.Client(server.url, token=token) as client:
        assert (await client.call("miner_status"))["state"] == "stopped"
