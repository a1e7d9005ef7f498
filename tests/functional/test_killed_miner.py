"""A miner that is killed during a large product continues it; the rows that it reported as done are still there."""

import asyncio
import contextlib
from pathlib import Path

import numpy as np
import pytest

from inos.client.client import Client
from inos.genesis.loading import derive_devnet
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from inos.primitives.units import Nano, TimeMs
from inos.wallet.keys import make_key
from support.cluster import ask, await_committee, await_that
from support.commands import start_inos

pytestmark = pytest.mark.long

POSTER, WORKER = make_key(bytes(31) + b"\x41"), make_key(bytes(31) + b"\x42")
PARAMS = {"challenge_window": 4, "spacing_ms": 1000, "asert_half_life_ms": 30_000}
COMMON = ("--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", "--threads", "1")
BLOCKS = ("--mine", "auto", "--purpose", "filler", "--filler-rate", "20000")
SHAPE = (4096, 4096, 4096)
SLOW = ("--purpose", "jobs", "--backend", "numpy")
"""The product takes some seconds, so that the miner can be killed in the middle."""
CLAIM_WINDOW = 600
"""A machine that does something else too makes the product within these blocks."""
SLICE_ROWS = 1024
"""This is far more than one slice of a quarter of a second has on this machine."""


@pytest.mark.timeout(420)
async def test_a_killed_miner_loses_at_most_one_slice(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    m, n, k = SHAPE
    x, w = (rng.integers(-64, 64, (rows, k), dtype=np.int8) for rows in (m, n))
    paths = tmp_path / "X.npy", tmp_path / "W.npy"
    for path, array in zip(paths, (x, w), strict=True):
        np.save(path, array)
    genesis, key = tmp_path / "net.json", tmp_path / "worker.key"
    funds = {one.address: Nano(1000 * 10**9) for one in (POSTER, WORKER)}
    genesis.write_text(derive_devnet("devnet", TimeMs(1_767_225_600_000), funds, params=PARAMS))
    key.write_text(WORKER.secret.hex())
    key.chmod(0o600)
    flags = ("--network", str(genesis), *COMMON)
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *more: str, peers: tuple[str, ...] = ()) -> RunningNode:
            node = await start_node(NodeSpec(name, tmp_path / name, (*flags, *more)), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        steady = await start("steady", *BLOCKS)
        victim = await start("victim", *SLOW, "--mine-key-file", str(key), peers=(steady.p2p_address,))
        client = await stack.enter_async_context(Client(steady.rpc_url, wallet=POSTER))
        await await_committee(steady.rpc_url, 1)
        mapped = [np.load(path, mmap_mode="r") for path in paths]
        job = await client.post_job(mapped[0], mapped[1], reward="1", mode="optimistic", claim_window=CLAIM_WINDOW)

        async def get_rows(url: str) -> int:
            return (await ask(url, "job_get", {"id": job}))["rows_done"] or 0

        async def is_under_way() -> int:
            done = await get_rows(victim.rpc_url)
            assert done < m, "it was made before it could be killed"
            return done

        done = await await_that("rows are made", is_under_way, 60)
        victim.process.kill()
        await victim.process.wait()
        again = await start("victim", *SLOW, "--mine-key-file", str(key), peers=(steady.p2p_address,))
        first = await await_that("rows are found again", lambda: get_rows(again.rpc_url), 60)
        assert done <= first <= done + SLICE_ROWS
        await client.wait_job(job, 240)
        command = await start_inos("job", "result", job, "-o", str(tmp_path / "Y.npy"), "--rpc", steady.rpc_url)
        said, complaint = await asyncio.wait_for(command.communicate(), 60)
        assert command.returncode == 0, complaint.decode()
        assert f"{m} x {n} int32" in said.decode()
        y = np.load(tmp_path / "Y.npy", mmap_mode="r")
        np.testing.assert_array_equal(y, x.astype(np.float32) @ w.T.astype(np.float32))
