"""A real node with real workers: one is killed, one stands still, one lies, and every product is exact."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from inos.client.client import Client
from inos.devnet.intro import DEV_PHRASE
from inos.node.process import NodeSpec, RunningNode, make_child_environment, start_node, stop_process
from inos.wallet.keys import derive_key
from inos.workers.messages import MAX_ROWS_BYTES, NewTemplate, Piece, Refused, Result, Rows
from support.cluster import ask, await_that
from support.work_lab import RawWorker, make_hello, multiply

NODE = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", "--mine", "auto")
LIMITS = ("--filler-rate", "2000", "--threads", "1")
JOBS = 3
SHAPE = (1600, 1200, 2100)


async def start_worker(stack: contextlib.AsyncExitStack, node: RunningNode, *options: str) -> Process:
    token = node.spec.data_dir / "fleet.token"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "inos", "worker", "--join", node.rpc_url, "--token-file", str(token)),
        *("--threads", "1", *options),
        env=make_child_environment(),
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def stop() -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        await stop_process(process)

    stack.push_async_callback(stop)
    return process


async def lie(node: RunningNode, token: bytes) -> str:
    """Take a piece, return wrong rows for it, and return how the node ends that."""
    url = node.rpc_url.replace("http", "ws") + "/work"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=1 << 22) as ws:
        liar = RawWorker(ws)
        await liar.send(make_hello(token=token, identity=os.urandom(16), speed=1_000_000, name="liar"))
        template = await liar.hear(NewTemplate)
        piece = await liar.hear_piece(120)
        assert isinstance(piece.work, Piece)
        rows = min(16 * piece.work.last, SHAPE[0]) - 16 * piece.work.first
        data = bytes(4 * rows * SHAPE[1])
        for at in range(0, len(data), MAX_ROWS_BYTES):
            await liar.send(Rows(piece.number, at, data[at : at + MAX_ROWS_BYTES]))
        await liar.send(Result(piece.number, template.number, 1, (), True))
        return (await liar.hear(Refused)).code


@pytest.mark.timeout(240)
async def test_products_are_exact_whatever_workers_do(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        node = await start_node(NodeSpec("node", tmp_path / "node", (*NODE, *LIMITS)))
        stack.push_async_callback(stop_process, node.process)
        token = bytes.fromhex((node.spec.data_dir / "fleet.token").read_text())
        killed = await start_worker(stack, node, "--name", "killed")
        still = await start_worker(stack, node, "--name", "still")
        await start_worker(stack, node, "--name", "steady")  # Without it, blocks would be too hard for the node alone.

        async def read_groups() -> dict[str, Any]:
            found = await ask(node.rpc_url, "miner_workers")
            return {group["kind"]: group for group in found["groups"]}

        async def are_all_drawing() -> bool:
            machines = (await read_groups()).get("machine")
            return machines is not None and machines["workers"] == 3 and machines["tickets"] > 10_000

        async def can_pay_bonds() -> bool:
            status = await ask(node.rpc_url, "miner_status", token=node.read_token())
            account = await ask(node.rpc_url, "state_getAccount", {"address": status["worker"]})
            return int(account["balance"]) > 4 * 10**9

        await await_that("all workers draw tickets", are_all_drawing, 60)
        await await_that("the miner has earned what bonds cost", can_pay_bonds, 90)
        assert (await ask(node.rpc_url, "miner_workers"))["blocks_won"] > 0
        client = await stack.enter_async_context(Client(node.rpc_url, wallet=derive_key(DEV_PHRASE)))
        m, n, k = SHAPE
        rng = np.random.default_rng(5)
        pairs = [(rng.integers(-64, 64, (m, k), np.int8), rng.integers(-64, 64, (n, k), np.int8)) for _ in range(JOBS)]
        still.send_signal(signal.SIGSTOP)  # It gets a piece, and never returns it.
        lying = asyncio.ensure_future(lie(node, token))
        ids = [await client.post_job(x, w, reward="2") for x, w in pairs]

        async def has_pieces() -> bool:
            return bool((await read_groups())["machine"]["pieces"])

        await await_that("a worker has made a piece", has_pieces, 90)
        killed.kill()
        for job, (x, w) in zip(ids, pairs, strict=True):
            await client.wait_job(job, 120)
            assert np.array_equal(await client.result(job), multiply(x, w))
        while not lying.done():  # A fast node may have left no piece for the liar so far.
            x, w = pairs[0][0], rng.integers(-64, 64, (n, k), np.int8)
            job = await client.post_job(x, w, reward="2")
            await client.wait_job(job, 120)
            assert np.array_equal(await client.result(job), multiply(x, w))
        assert await lying == "wrong-rows"
        assert (await ask(node.rpc_url, "miner_workers"))["errors"] == {"wrong-rows": 1}
        log = (node.spec.data_dir / "node.log").read_text()
        assert log.count('"worker refused"') == 1
