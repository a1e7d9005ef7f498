"""Run `inos node --mine ADDRESS`: it mines, does a paid job, and its earnings reach the address."""

import asyncio
import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import inos
from inos.cli import main as cli
from inos.client.client import Client
from inos.client.receipt import read_receipt
from inos.devnet.intro import DEV_PHRASE
from inos.node.process import NodeSpec, start_node, stop_process
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key, make_key
from support.cluster import ask, await_height, await_that

PAID = encode_address("dinos", make_key(bytes(31) + b"\x0b").address)
FLAGS = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--mine", PAID, "--filler-rate", "13000")


async def check_the_receipt(rpc: str, folder: Path, x: Any, y: Any) -> None:
    """The command writes the receipt, and `inos verify` binds it to the node or says that nothing does."""
    job = (await ask(rpc, "job_list", {"order": "newest", "limit": 1}))["jobs"][0]["id"]
    path, files = folder / "r.json", [item for n, a in (("x", x), ("w", x), ("y", y)) for item in save(folder, n, a)]
    run = partial(CliRunner().invoke, cli.app)
    written = await asyncio.to_thread(run, ["job", "receipt", job, "-o", str(path), "--depth", "6", "--rpc", rpc])
    assert written.exit_code == 0, written.output
    assert len(read_receipt(path).confirmations) == 6
    verified = await asyncio.to_thread(run, ["verify", str(path), *files, "--node", rpc])
    assert (verified.exit_code, verified.output.splitlines()[-1]) == (0, "product correct; payment proven")
    alone = await asyncio.to_thread(run, ["verify", str(path), *files])
    assert (alone.exit_code, alone.output.splitlines()[-1]) == (3, "product correct; payment not proven")
    wrong = y.copy()
    wrong[-1, 0] += 1
    files[-1] = save(folder, "wrong", wrong)[1]
    refused = await asyncio.to_thread(run, ["verify", str(path), *files, "--node", rpc])
    assert (refused.exit_code, refused.output.splitlines()[-1]) == (1, "the receipt is NOT valid")


def save(folder: Path, name: str, array: Any) -> tuple[str, str]:
    """Save an array, and return the option that names it."""
    np.save(folder / f"{name}.npy", array)
    return f"--{name}", str(folder / f"{name}.npy")


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

        # A small float product is one job, priced like the one before.
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
        assert status["jobs_settled"] >= 2
        assert status["worker"] not in (None, PAID)
