"""The topics: what each reports, and from where it resumes."""

from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from inos.primitives.blocks import compute_block_id
from inos.primitives.payments import Payment, pack_payments
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import ClaimJob, JobMode, PostJob, Transfer, TransferMany, sign_transaction
from inos.primitives.units import Address, Nano
from inos.rpc import RpcServer
from inos.wallet.addresses import encode_address
from inos.wallet.keys import make_key
from support.fake_node import FEE, WORKER, FakeNode
from support.rpc_socket import RpcSocket

ALICE = make_key(bytes(31) + b"\x01")
RNG = np.random.default_rng(5)


def pay(node: FakeNode, amount: int) -> Any:
    nonce = node.mempool.next_nonce(ALICE.address, node.ledger.state)
    return sign_transaction(ALICE.secret, node.params.chain_id, nonce, FEE, Transfer(WORKER.address, Nano(amount)))


def make_job(node: FakeNode) -> PostJob:
    return PostJob(
        x=node.store.put(RNG.integers(-64, 64, (20, 30), dtype=np.int8)),
        w=node.store.put(RNG.integers(-64, 64, (18, 30), dtype=np.int8)),
        reward=Nano(1000),
        bond=node.params.min_bond,
        claim_window=node.params.min_claim_window,
        deadline=500,
        mode=JobMode.CHECKED,
        max_burn=10**13,
    )


def spell(node: FakeNode, address: Address) -> str:
    return encode_address(node.network.hrp, address)


async def test_heads_are_reported_from_a_height_and_then_live(node: FakeNode, caller: RpcSocket) -> None:
    for _ in range(3):
        node.mine()
    opened = await caller.ask("subscribe", topic="heads", from_height=2)
    assert opened["height"] == 3
    received = [await caller.receive(), await caller.receive()]
    assert [one["height"] for one in received] == [2, 3]
    assert {one["subscription"] for one in received} == {opened["subscription"]}
    node.mine()
    newest = (await caller.receive())["data"]
    assert newest["event"] == "connected"
    assert newest["block"]["id"] == node.ledger.tip.id.hex()
    assert (newest["block"]["subsidy"], newest["block"]["spacing_ms"]) == (
        str(node.params.subsidy_initial),
        node.params.spacing_ms,
    )
    await caller.ask("unsubscribe", subscription=opened["subscription"])
    node.mine()
    assert not await caller.has_notification()


async def test_a_disconnected_block_is_reported_before_its_replacement(node: FakeNode, caller: RpcSocket) -> None:
    node.mine()
    await caller.ask("subscribe", topic="heads")
    records = dict(node.ledger.records)
    node.mine()
    old = node.ledger.tip.id
    assert (await caller.receive())["data"]["block"]["id"] == old.hex()
    node.ledger.blocks.pop()
    node.ledger.records = records
    node.mine(ALICE.address)
    received = [(await caller.receive())["data"] for _ in range(2)]
    assert [(one["event"], one["block"]["id"]) for one in received] == [
        ("disconnected", old.hex()),
        ("connected", node.ledger.tip.id.hex()),
    ]
    await caller.ask("subscribe", topic="heads", after=old.hex())
    again = [(await caller.receive())["data"]["event"] for _ in range(2)]
    assert again == ["disconnected", "connected"]


async def test_finality_is_reported_once_a_block_is_final(node: FakeNode, caller: RpcSocket) -> None:
    for _ in range(4):
        node.mine()
    await caller.ask("subscribe", topic="finality")
    node.mine()
    assert not await caller.has_notification()
    node.ledger.final_height = 4
    node.mine()
    received = await caller.receive()
    assert (received["topic"], received["data"]["height"]) == ("finality", 4)
    assert received["data"]["id"] == compute_block_id(node.ledger.blocks[4].header).hex()
    await caller.ask("subscribe", topic="finality", from_height=3)
    assert (await caller.receive())["data"]["height"] == 4


async def test_transactions_of_an_account_are_reported_in_pool_and_block(node: FakeNode, caller: RpcSocket) -> None:
    worker = spell(node, WORKER.address)
    await caller.ask("subscribe", topic="transactions", address=worker)
    tx_id = await node.transactions.send(pay(node, 5))
    pending = (await caller.receive())["data"]
    assert (pending["event"], pending["tx"]["id"], pending["block"]) == ("pending", tx_id.hex(), None)
    node.mine(ALICE.address)
    included = (await caller.receive())["data"]
    assert (included["event"], included["entry"]["id"], included["entry"]["balance"]) == ("included", tx_id.hex(), "5")
    await caller.ask("subscribe", topic="transactions", address=worker, from_height=1)
    assert (await caller.receive())["data"]["entry"]["id"] == tx_id.hex()
    stranger = encode_address(node.network.hrp, compute_address(compute_public_key(bytes(31) + b"\x09")))
    await caller.ask("subscribe", topic="transactions", address=stranger)
    await node.transactions.send(pay(node, 6))
    assert (await caller.receive())["subscription"] != "s3"


async def test_an_account_hears_of_one_payment_among_many(node: FakeNode, caller: RpcSocket) -> None:
    await caller.ask("subscribe", topic="transactions", address=spell(node, WORKER.address))
    payments = [Payment(Address(bytes([n]) * 20), 10**6 + n) for n in range(5)] + [Payment(WORKER.address, 10**7)]
    payload = TransferMany(pack_payments(payments))
    tx_id = await node.transactions.send(sign_transaction(ALICE.secret, node.params.chain_id, 0, FEE, payload))
    pending = (await caller.receive())["data"]
    assert (pending["event"], pending["tx"]["id"], pending["tx"]["kind"]) == ("pending", tx_id.hex(), "transfer_many")
    node.mine(ALICE.address)
    entry = (await caller.receive())["data"]["entry"]
    assert (entry["id"], entry["balance"], entry["kind"]) == (tx_id.hex(), "10000000", "transfer_many")


async def test_a_job_is_reported_from_posting_to_payment(node: FakeNode, caller: RpcSocket) -> None:
    await caller.ask("subscribe", topic="jobs")
    post = make_job(node)
    job = await node.transactions.send(sign_transaction(ALICE.secret, node.params.chain_id, 0, FEE, post))
    node.mine()
    assert node.work_jobs() == 1
    received = [(await caller.receive())["data"] for _ in range(3)]
    assert [one["event"] for one in received] == ["posted", "claimed", "settled"]
    assert {one["id"] for one in received} == {job.hex()}
    assert received[-1]["job"]["state"] == "settled"
    await caller.ask("subscribe", topic="jobs", job=job.hex(), from_height=1)
    assert [(await caller.receive())["data"]["event"] for _ in range(3)] == [one["event"] for one in received]


async def test_a_lapse_is_reported(node: FakeNode, caller: RpcSocket) -> None:
    await caller.ask("subscribe", topic="jobs")
    post = make_job(node)
    job = await node.transactions.send(sign_transaction(ALICE.secret, node.params.chain_id, 0, FEE, post))
    node.mine()
    node.act(ClaimJob(job))
    for _ in range(post.claim_window + 1):
        node.mine()
    assert [(await caller.receive())["data"]["event"] for _ in range(3)] == ["posted", "claimed", "lapsed"]


async def test_the_miner_is_reported_only_with_the_token(server: RpcServer, tmp_path: Path, caller: RpcSocket) -> None:
    assert (await caller.ask("subscribe", topic="miner"))["data"]["code"] == "unauthorized"
    token = {"Authorization": "Bearer " + (tmp_path / "rpc.token").read_text().strip()}
    async with aiohttp.ClientSession(headers=token) as session, session.ws_connect(server.url + "/ws") as ws:
        owner = RpcSocket(ws)
        await owner.ask("subscribe", topic="miner")
        assert (await owner.receive())["data"]["state"] == "stopped"
        await owner.ask("miner_start")
        assert (await owner.receive())["data"]["state"] == "filler"
