"""Run `inos node --mine ADDRESS`: it mines, does a paid job, and its earnings reach the address."""

import asyncio
import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

import inos
from inos.cli import main as cli
from inos.client.client import Client
from inos.client.receipt import check_receipt, read_receipt
from inos.devnet.run import DEV_PHRASE
from inos.genesis import load_network
from inos.node.process import NodeSpec, start_node, stop_process
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key, make_key
from support.cluster import ask, await_height, await_that

PAID = encode_address("dinos", make_key(bytes(31) + b"\x0b").address)
FLAGS = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--mine", PAID, "--filler-rate", "13000")


async def check_the_receipt(rpc: str, folder: Path, x: Any, y: Any) -> None:
    """The command writes the receipt and `check_receipt` accepts it; any changed byte is noticed."""
    job = (await ask(rpc, "job_list", {"order": "newest", "limit": 1}))["jobs"][0]["id"]
    path = folder / "r.json"
    run = partial(CliRunner().invoke, cli.app, ["job", "receipt", job, "-o", str(path), "--depth", "2", "--rpc", rpc])
    written = await asyncio.to_thread(run)
    assert written.exit_code == 0, written.output
    receipt, network = read_receipt(path), load_network("devnet")
    assert all(check.is_ok for check in check_receipt(receipt, network, x, x, y))
    fields = msgspec.structs.asdict(receipt)
    for name, text in fields.items():
        if name in ("format", "network", "soundness_bits"):
            continue
        first, *rest = (text,) if isinstance(text, str) else text
        spoiled = first[:40] + ("1" if first[40] == "0" else "0") + first[41:]
        value = spoiled if isinstance(text, str) else (spoiled, *rest)
        checks = check_receipt(msgspec.structs.replace(receipt, **{name: value}), network)
        assert any(check.is_ok is False for check in checks), name
    wrong = y.copy()
    wrong[-1, 0] += 1
    assert not all(check.is_ok for check in check_receipt(receipt, network, x, x, wrong))


@pytest.mark.timeout(180)
async def test_one_node_with_an_address_does_it_all(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        node = await start_node(NodeSpec("lone", tmp_path / "lone", FLAGS))
        stack.push_async_callback(stop_process, node.process)
        await await_height(node.rpc_url, 1)
        first = await ask(node.rpc_url, "chain_getBlock", {"block": 1})
        assert first["header"]["beneficiary"] == PAID

        client = await stack.enter_async_context(Client(node.rpc_url, wallet=derive_key(DEV_PHRASE)))
        x = np.random.default_rng(1).integers(-64, 64, (300, 200), dtype=np.int8)
        y = await client.multiply(x, x, reward="20", timeout_s=90)
        assert np.array_equal(y, x.astype(np.int64) @ x.T.astype(np.int64))

        await check_the_receipt(node.rpc_url, tmp_path, x, y)

        # A float product is assembled from several jobs, priced like the one before.
        a, b = np.random.default_rng(2).standard_normal((2, 64, 64), np.float32)
        product = await asyncio.to_thread(inos.matmul, a, b, client=client)
        assert np.abs(product - a.astype(float) @ b.astype(float)).max() < 1e-5

        # The job's reward went to the worker, which passes on what it does not need.
        async def is_paid_out() -> bool:
            page = await ask(node.rpc_url, "state_getHistory", {"address": PAID, "limit": 50})
            return any(movement["reason"] == "received" for entry in page["entries"] for movement in entry["movements"])

        await await_that("the worker passed its earnings on", is_paid_out, 60)
        status = await ask(node.rpc_url, "miner_status", token=node.read_token())
        assert status["beneficiary"] == PAID
        assert status["jobs_settled"] >= 4
        assert status["worker"] not in (None, PAID)
