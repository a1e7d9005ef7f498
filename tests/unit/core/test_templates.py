"""Tests mining by programs outside the node: templates, wins, and the socket that they use."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import numpy as np
import pytest
from msgspec.structs import replace

import inos
from inos import work
from inos.client.client import BadOperand, ClientError, RemoteError
from inos.core.templates import MAX_TEMPLATES, TemplateService
from inos.node.node import Node, open_node
from inos.node.settings import load_settings
from inos.primitives.blocks import Header, compute_anchor
from inos.primitives.clock import SystemClock
from inos.primitives.codec import decode, encode
from inos.primitives.units import Address
from inos.rpc.server.turns import WAITING_TURNS
from inos.wallet.addresses import encode_address
from support.network_fakes import make_chain, make_header

RNG = np.random.default_rng(5)
X = RNG.integers(-64, 64, (300, 100), dtype=np.int8)
W = RNG.integers(-64, 64, (64, 100), dtype=np.int8)
Y = X.astype(np.int64) @ W.astype(np.int64).T


@pytest.fixture
async def node(lab: Any, tmp_path: Path) -> AsyncIterator[Node]:
    flags = {"network": str(lab.genesis_file), "data_dir": tmp_path / "node", "rpc_port": 0, "p2p_port": 0}
    async with open_node(load_settings(flags)) as node:
        yield node


@pytest.fixture
def payee(lab: Any, node: Node) -> str:
    return encode_address(node.core.network.hrp, lab.worker.address)


class Caller:
    """A JSON-RPC caller over one socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sent = 0

    async def send(self, method: str, **params: Any) -> int:
        self.sent += 1
        await self.ws.send_json({"jsonrpc": "2.0", "id": self.sent, "method": method, "params": params})
        return self.sent

    async def receive(self) -> tuple[int, Any]:
        answer = await self.ws.receive_json(timeout=60)
        return answer["id"], answer.get("result", answer.get("error"))

    async def ask(self, method: str, **params: Any) -> Any:
        await self.send(method, **params)
        return (await self.receive())[1]


@pytest.fixture
async def caller(node: Node) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session, session.ws_connect(node.rpc.url + "/ws") as ws:
        yield Caller(ws)


def mine(template: Any, nonce: int) -> dict[str, Any]:
    """Return a winning ticket of a template, as miner_submit takes it."""
    while True:
        header = replace(decode(Header, bytes.fromhex(template["header"]), limit=1024), nonce=nonce)
        mined = work.mine(X, W, compute_anchor(header), int(template["allowed_target"], 16))
        if mined.wins:
            win = mined.wins[0]
            seal, witness = encode(win.seal).hex(), encode(win.witness).hex()
            return {"template": template["id"], "nonce": nonce, "seal": seal, "witness": witness}
        nonce += 1


async def test_a_win_becomes_a_block(caller: Caller, node: Node, payee: str) -> None:
    template = await caller.ask("miner_template", beneficiary=payee)
    assert (template["height"], template["beneficiary"], template["transactions"]) == (1, payee, 0)
    won = await caller.ask("miner_submit", **mine(template, 7))
    assert won["is_connected"] is True
    assert node.core.ledger.tip.id.hex() == won["block"]
    late = await caller.ask("miner_submit", **mine(template, 10_000))
    assert late["is_connected"] is False
    assert node.core.ledger.tip.id.hex() == won["block"]


async def test_what_does_not_win_is_refused(caller: Caller, payee: str) -> None:
    template = await caller.ask("miner_template", beneficiary=payee)
    win = mine(template, 1)
    for change, code in (
        ({"nonce": win["nonce"] + 1}, "digest-mismatch"),
        ({"template": "ab" * 32}, "template-unknown"),
        ({"seal": "90"}, "invalid-params"),
        ({"witness": win["witness"][:-2]}, "invalid-params"),
    ):
        refused = await caller.ask("miner_submit", **(win | change))
        assert refused["data"]["code"] == code, refused
    assert (await caller.ask("miner_template"))["data"]["code"] == "no-beneficiary"
    assert (await caller.ask("miner_submit", **win))["is_connected"] is True


async def test_waiting_ends_with_a_new_tip_and_holds_up_nothing(caller: Caller, payee: str) -> None:
    template = await caller.ask("miner_template", beneficiary=payee)
    known = template["parent"]
    waiting = await caller.send("miner_template", beneficiary=payee, known_tip=known, wait_s=60)
    assert (await caller.ask("chain_head"))["height"] == 0
    won = await caller.ask("miner_submit", **mine(template, 1))
    if "block" not in won:  # the waiting one was answered first
        won, answer = (await caller.receive())[1], won
    else:
        which, answer = await caller.receive()
        assert which == waiting
    assert (answer["parent"], answer["height"]) == (won["block"], 2)
    at_once = await caller.ask("miner_template", beneficiary=payee, known_tip=known, wait_s=60)
    assert at_once["height"] == 2
    timed = await caller.ask("miner_template", beneficiary=payee, known_tip=won["block"], wait_s=0.01)
    assert timed["height"] == 2


async def test_waiters_are_bounded(node: Node, payee: str) -> None:
    async with aiohttp.ClientSession() as session:
        callers = [Caller(await session.ws_connect(node.rpc.url + "/ws")) for _ in range(WAITING_TURNS // 4 + 1)]
        known = node.core.ledger.tip.id.hex()
        for n in range(WAITING_TURNS):
            await callers[n // 4].send("miner_template", beneficiary=payee, known_tip=known, wait_s=60)
        for caller in callers[:-1]:  # answered after those before it were taken up
            while (await caller.ask("chain_head"))["height"] != 0:
                pass
        refused = await callers[-1].ask("miner_template", beneficiary=payee, known_tip=known, wait_s=60)
        assert refused["data"]["code"] == "busy"
        assert (await callers[-1].ask("miner_template", beneficiary=payee))["height"] == 1


async def test_templates_are_bounded() -> None:
    """Anybody may ask for one for any account."""
    nothing: Any = SimpleNamespace(tip=SimpleNamespace(id=bytes(32)))
    unused = dict.fromkeys(("mempool", "votes", "blocks", "holders", "events", "threads"), nothing)
    service = TemplateService(ledger=nothing, clock=SystemClock(), **unused)
    parent = make_chain(1)[0].header

    async def make(beneficiary: Any) -> Any:
        return SimpleNamespace(header=replace(make_header(parent), beneficiary=beneficiary))

    service.make = make  # type: ignore[method-assign]
    issued = [await service.issue(Address(number.to_bytes(20, "big"))) for number in range(MAX_TEMPLATES + 50)]
    assert len(service._issued) == MAX_TEMPLATES
    assert issued[0].id not in service._issued
    assert issued[-1].id in service._issued
    assert len(service._latest) <= 1, "none of them is on the tip"


async def test_pages_of_other_sites_get_no_socket(node: Node) -> None:
    async with aiohttp.ClientSession() as session:
        for headers, is_welcome in (
            ({"Origin": "https://evil.example"}, False),
            ({"Host": "evil.example"}, False),
            ({"Origin": "http://["}, False),
            ({"Origin": "null"}, False),
            ({"Origin": "http://localhost:3000"}, False),
            ({"Origin": "http://127.0.0.1:1"}, False),
            ({"Origin": f"http://localhost:{node.rpc.port}"}, False),  # asked as 127.0.0.1
            ({"Origin": "file://" + node.rpc.url.split("//")[1]}, False),
            ({"Origin": node.rpc.url}, True),
            ({"Origin": node.rpc.url.upper()}, True),
        ):
            if is_welcome:
                async with session.ws_connect(node.rpc.url + "/ws", headers=headers) as ws:
                    assert (await Caller(ws).ask("chain_head"))["height"] == 0
                continue
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(node.rpc.url + "/ws", headers=headers)
            assert refused.value.status == 403


@pytest.mark.parametrize("backend", ["numpy", "auto"])
async def test_a_miner_never_multiplies_with_what_an_array_held_before(node: Node, payee: str, backend: str) -> None:
    layers = [RNG.integers(-64, 64, (32, 1024), dtype=np.int8) for _ in range(3)]

    def multiply() -> int:
        wrong = 0
        with inos.Miner(node.rpc.url, beneficiary=payee, backend=backend) as miner:
            template, scratch = miner._link.get_work(), [np.empty((32, 1024), np.int8) for _ in range(2)]
            miner._link.get_work = lambda: template  # type: ignore[method-assign]
            for turn in range(12):
                x, w = RNG.integers(-64, 64, (16, 1024), dtype=np.int8), scratch[turn % 2]
                w[...] = layers[turn % 3]
                wrong += not np.array_equal(miner.matmul(x, w), x.astype(np.int64) @ layers[turn % 3].T)
        return wrong

    assert await asyncio.to_thread(multiply) == 0


async def test_an_operand_committed_before_its_array_changes_stays_as_it_was(node: Node, payee: str) -> None:
    def multiply() -> work.Operand:
        w = W.copy()
        with inos.Miner(node.rpc.url, beneficiary=payee) as miner:
            kept = miner.commit(w)
            for _ in range(3):
                w += w < 63
                assert np.array_equal(miner.matmul(X, kept), Y)
        return kept

    kept = await asyncio.to_thread(multiply)
    assert work.matrix_ref(kept.array) == kept.ref


async def test_a_miner_s_products_are_exact_and_win_blocks(node: Node, payee: str) -> None:
    def multiply() -> inos.Miner:
        with inos.Miner(node.rpc.url, beneficiary=payee) as miner:
            kept = miner.commit(W)
            while not miner.wins:  # the same operands again and again: each time another anchor
                assert np.array_equal(miner.matmul(X, kept), Y)
            with pytest.raises(BadOperand):
                miner.matmul(X, W[:, 1:])
        with pytest.raises(ClientError, match="not connected"):
            miner.matmul(X, W)
        return miner

    miner = await asyncio.to_thread(multiply)
    assert miner.last_error == ""
    assert miner.tickets >= 19 * 4
    assert miner.blocks
    assert miner.wins == len(miner.blocks) + miner.stale
    header = node.core.ledger.get_header(node.core.ledger.tip.id)
    assert header is not None
    assert encode_address(node.core.network.hrp, header.beneficiary) == payee
    assert node.core.ledger.tip.header.height == len(miner.blocks)


async def test_a_miner_says_what_is_missing(node: Node) -> None:
    def enter(url: str) -> None:
        with inos.Miner(url):
            pass

    with pytest.raises(RemoteError) as refused:
        await asyncio.to_thread(enter, node.rpc.url)
    assert refused.value.code == "no-beneficiary"
    with pytest.raises(ClientError) as unreachable:
        await asyncio.to_thread(enter, "http://127.0.0.1:1")
    assert unreachable.value.code == "node-unreachable"
