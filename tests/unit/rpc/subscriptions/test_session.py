"""Subscriptions over a real socket: what each topic tells, where it resumes, what bounds it, who is dropped."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from inos.primitives.blocks import compute_block_id
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import ClaimJob, JobMode, PostJob, Transfer, sign_transaction
from inos.primitives.units import Address, Nano
from inos.rpc import RpcServer, RpcSettings
from inos.rpc.subscriptions.notifications import SubscriptionNotificationModel
from inos.rpc.subscriptions.session import MAX_SUBSCRIPTIONS
from inos.wallet.addresses import encode_address
from inos.wallet.keys import make_key
from support.cluster import await_that
from support.fake_node import FEE, WORKER, FakeNode
from support.rpc_served import make_fake_node

ALICE = make_key(bytes(31) + b"\x01")
FUNDS = 10**12
RNG = np.random.default_rng(5)


class Socket:
    """One caller: its answers and its notifications, apart."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sent = 0
        self.waiting: list[dict[str, Any]] = []

    async def ask(self, name: str, **params: Any) -> Any:
        self.sent += 1
        await self.ws.send_json({"jsonrpc": "2.0", "id": self.sent, "method": name, "params": params})
        while "id" not in (message := await self.ws.receive_json(timeout=10)):
            self.waiting.append(message)
        return message.get("result", message.get("error"))

    async def news(self) -> dict[str, Any]:
        """The next notification's parameters, seen to fit what the document says."""
        message = self.waiting.pop(0) if self.waiting else await self.ws.receive_json(timeout=10)
        assert (message["jsonrpc"], message["method"], set(message)) == (
            "2.0",
            "subscription",
            {"jsonrpc", "method", "params"},
        )
        SubscriptionNotificationModel.model_validate(message["params"], strict=False)
        params: dict[str, Any] = message["params"]
        return params

    async def has_news(self) -> bool:
        """Whether anything was told; answers come behind all that was told before."""
        await self.ask("chain_head")
        return bool(self.waiting)


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(FUNDS, ALICE.address, WORKER.address)


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    server = RpcServer(node, RpcSettings(token_path=tmp_path / "rpc.token", port=0, slow_s=0.3))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def caller(server: RpcServer) -> AsyncIterator[Socket]:
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url + "/ws") as ws:
        yield Socket(ws)


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


async def test_heads_are_told_from_a_height_and_then_as_they_come(node: FakeNode, caller: Socket) -> None:
    for _ in range(3):
        node.mine()
    opened = await caller.ask("subscribe", topic="heads", from_height=2)
    assert opened["height"] == 3
    told = [await caller.news(), await caller.news()]
    assert [one["height"] for one in told] == [2, 3]
    assert {one["subscription"] for one in told} == {opened["subscription"]}
    node.mine()
    newest = (await caller.news())["data"]
    assert newest["event"] == "connected"
    assert newest["block"]["id"] == node.ledger.tip.id.hex()
    assert (newest["block"]["subsidy"], newest["block"]["spacing_ms"]) == (
        str(node.params.subsidy_initial),
        node.params.spacing_ms,
    )
    await caller.ask("unsubscribe", subscription=opened["subscription"])
    node.mine()
    assert not await caller.has_news()


async def test_an_undone_block_is_told_before_what_replaced_it(node: FakeNode, caller: Socket) -> None:
    node.mine()
    await caller.ask("subscribe", topic="heads")
    records = dict(node.ledger.records)
    node.mine()
    old = node.ledger.tip.id
    assert (await caller.news())["data"]["block"]["id"] == old.hex()
    node.ledger.blocks.pop()
    node.ledger.records = records
    node.mine(ALICE.address)
    told = [(await caller.news())["data"] for _ in range(2)]
    assert [(one["event"], one["block"]["id"]) for one in told] == [
        ("disconnected", old.hex()),
        ("connected", node.ledger.tip.id.hex()),
    ]
    await caller.ask("subscribe", topic="heads", after=old.hex())
    again = [(await caller.news())["data"]["event"] for _ in range(2)]
    assert again == ["disconnected", "connected"]


async def test_finality_is_told_once_a_block_is_final(node: FakeNode, caller: Socket) -> None:
    for _ in range(4):
        node.mine()
    await caller.ask("subscribe", topic="finality")
    node.mine()
    assert not await caller.has_news()
    node.ledger.final_height = 4
    node.mine()
    told = await caller.news()
    assert (told["topic"], told["data"]["height"]) == ("finality", 4)
    assert told["data"]["id"] == compute_block_id(node.ledger.blocks[4].header).hex()
    await caller.ask("subscribe", topic="finality", from_height=3)
    assert (await caller.news())["data"]["height"] == 4


async def test_an_address_s_transactions_are_told_in_the_pool_and_in_a_block(node: FakeNode, caller: Socket) -> None:
    worker = spell(node, WORKER.address)
    await caller.ask("subscribe", topic="transactions", address=worker)
    tx_id = await node.transactions.add(pay(node, 5))
    pending = (await caller.news())["data"]
    assert (pending["event"], pending["tx"]["id"], pending["block"]) == ("pending", tx_id.hex(), None)
    node.mine(ALICE.address)
    included = (await caller.news())["data"]
    assert (included["event"], included["entry"]["id"], included["entry"]["balance"]) == ("included", tx_id.hex(), "5")
    await caller.ask("subscribe", topic="transactions", address=worker, from_height=1)
    assert (await caller.news())["data"]["entry"]["id"] == tx_id.hex()
    stranger = encode_address(node.network.hrp, compute_address(compute_public_key(bytes(31) + b"\x09")))
    await caller.ask("subscribe", topic="transactions", address=stranger)
    await node.transactions.add(pay(node, 6))
    assert (await caller.news())["subscription"] != "s3"


async def test_a_job_is_told_from_post_to_pay_and_a_lapse_too(node: FakeNode, caller: Socket) -> None:
    await caller.ask("subscribe", topic="jobs")
    post = make_job(node)
    job = await node.transactions.add(sign_transaction(ALICE.secret, node.params.chain_id, 0, FEE, post))
    node.mine()
    assert node.work_jobs() == 1
    told = [(await caller.news())["data"] for _ in range(3)]
    assert [one["event"] for one in told] == ["posted", "claimed", "settled"]
    assert {one["id"] for one in told} == {job.hex()}
    assert told[-1]["job"]["state"] == "settled"
    await caller.ask("subscribe", topic="jobs", job=job.hex(), from_height=1)
    assert [(await caller.news())["data"]["event"] for _ in range(3)] == [one["event"] for one in told]


async def test_a_claim_that_lapses_is_told(node: FakeNode, caller: Socket) -> None:
    await caller.ask("subscribe", topic="jobs")
    post = make_job(node)
    job = await node.transactions.add(sign_transaction(ALICE.secret, node.params.chain_id, 0, FEE, post))
    node.mine()
    node.act(ClaimJob(job))
    for _ in range(post.claim_window + 1):
        node.mine()
    assert [(await caller.news())["data"]["event"] for _ in range(3)] == ["posted", "claimed", "lapsed"]


async def test_the_miner_is_told_to_the_owner_only(server: RpcServer, tmp_path: Path, caller: Socket) -> None:
    assert (await caller.ask("subscribe", topic="miner"))["data"]["code"] == "unauthorized"
    token = {"Authorization": "Bearer " + (tmp_path / "rpc.token").read_text().strip()}
    async with aiohttp.ClientSession(headers=token) as session, session.ws_connect(server.url + "/ws") as ws:
        owner = Socket(ws)
        await owner.ask("subscribe", topic="miner")
        assert (await owner.news())["data"]["state"] == "stopped"
        await owner.ask("miner_start")
        assert (await owner.news())["data"]["state"] == "filler"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"topic": "weather"}, "invalid-params"),
        ({"topic": "transactions"}, "invalid-params"),
        ({"topic": "heads", "job": "00" * 32}, "invalid-params"),
        ({"topic": "heads", "after": "00" * 32}, "block-unknown"),
        ({"topic": "heads", "from_height": 0, "after": "00" * 32}, "invalid-params"),
    ],
)
async def test_what_makes_no_sense_is_refused(caller: Socket, params: dict[str, Any], code: str) -> None:
    assert (await caller.ask("subscribe", **params))["data"]["code"] == code


async def test_subscriptions_are_bounded_and_need_a_socket(server: RpcServer, caller: Socket) -> None:
    for _ in range(MAX_SUBSCRIPTIONS):
        assert "subscription" in await caller.ask("subscribe", topic="heads")
    assert (await caller.ask("subscribe", topic="heads"))["data"]["code"] == "too-many-subscriptions"
    await caller.ask("unsubscribe", subscription="s3")
    assert "subscription" in await caller.ask("subscribe", topic="heads")
    assert (await caller.ask("unsubscribe", subscription="s3"))["data"]["code"] == "subscription-unknown"
    request = {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"topic": "heads"}}
    async with aiohttp.ClientSession() as session, session.post(server.url, json=request) as response:
        assert (await response.json())["error"]["data"]["code"] == "needs-websocket"


def make_narrow(place: Any) -> socket.socket:
    """A connection into which little fits that is not read."""
    made = socket.socket(place[0], place[1], place[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return made


async def test_who_does_not_read_is_dropped_and_told_why(node: FakeNode, server: RpcServer) -> None:
    for _ in range(900):
        node.mine()
    connector = aiohttp.TCPConnector(socket_factory=make_narrow)
    async with aiohttp.ClientSession(connector=connector) as session, session.ws_connect(server.url + "/ws") as ws:
        await check_dropped(node, ws)


async def check_dropped(node: FakeNode, ws: aiohttp.ClientWebSocketResponse) -> None:
    for number in range(MAX_SUBSCRIPTIONS):
        params = {"topic": "heads", "from_height": 0}
        await ws.send_json({"jsonrpc": "2.0", "id": number, "method": "subscribe", "params": params})

    async def has_given_up() -> bool:
        return not node.events.subscribe()._subscribers

    async def has_begun() -> bool:
        return not await has_given_up()

    await await_that("the server begins", has_begun, 10)
    await await_that("the server gives up", has_given_up, 20)
    while (message := await ws.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
        pass
    assert (message.type, ws.close_code) == (aiohttp.WSMsgType.CLOSE, 1008)
    assert "slow-reader" in str(message.extra)
