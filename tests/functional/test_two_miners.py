"""Two real miners and several paid jobs: one of the miners does each job, once, and is paid once."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.client.client import Client
from inos.devnet.intro import DEV_PHRASE
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from inos.wallet.keys import derive_key
from support.cluster import ask, await_one_tip, await_that

COMMON = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json")
MINES = ("--mine", "auto", "--filler-rate", "6500", "--threads", "1")
JOBS = 5


@pytest.mark.timeout(240)
async def test_no_job_is_multiplied_twice(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *flags: str, peers: tuple[RunningNode, ...] = ()) -> RunningNode:
            spec = NodeSpec(name, tmp_path / name, (*COMMON, *flags))
            node = await start_node(spec, [peer.p2p_address for peer in peers])
            stack.push_async_callback(stop_process, node.process)
            return node

        plain = await start("plain")
        one = await start("one", *MINES, peers=(plain,))
        two = await start("two", *MINES, peers=(plain, one))
        miners = (one, two)

        async def read_status(node: RunningNode) -> Any:
            return await ask(node.rpc_url, "miner_status", token=node.read_token())

        async def can_both_pay_bonds() -> bool:
            workers = [(await read_status(node))["worker"] for node in miners]
            accounts = [await ask(plain.rpc_url, "state_getAccount", {"address": who}) for who in workers]
            return all(int(account["balance"]) > 10**9 for account in accounts)

        await await_that("both miners have earned what bonds cost", can_both_pay_bonds, 90)
        client = await stack.enter_async_context(Client(plain.rpc_url, wallet=derive_key(DEV_PHRASE)))
        rng = np.random.default_rng(5)
        pairs = [(rng.integers(-64, 64, (160, 700), np.int8), rng.integers(-64, 64, (90, 700), np.int8))] * JOBS
        # As many as possible are in one block, which is the worst case for two miners that choose at the same time.
        ids = [await client.post_job(x, w, reward="2") for x, w in pairs]
        jobs = await asyncio.gather(*(client.wait_job(job, 120) for job in ids))
        for job, (x, w) in zip(ids, pairs, strict=True):
            assert np.array_equal(await client.result(job), x.astype(np.int32) @ w.astype(np.int32).T)
        await await_one_tip([node.rpc_url for node in (plain, *miners)], 60)

        statuses = [await read_status(node) for node in miners]
        worked, asked = sum(int(s["job_tickets"]) for s in statuses), sum(job.tickets for job in jobs)
        # Work is wasted only if a reorganisation removes a claim, which needs two blocks at the same time and is rare
        # here.
        undone = sum("reorganisation" in (tmp_path / name / "node.log").read_text() for name in ("one", "two"))
        assert asked <= worked <= asked * (2 if undone else 1)
        records = [(await ask(plain.rpc_url, "job_trackRecord", {"address": status["worker"]})) for status in statuses]
        assert sum(record["worker"]["settled"] for record in records) == JOBS
        assert sum(record["worker"]["claimed"] for record in records) == JOBS
        assert sum(int(record["worker"]["earned"]) for record in records) == JOBS * 2 * 10**9
        for job in ids:
            history = (await ask(plain.rpc_url, "job_history", {"id": job}))["events"]
            assert [event["event"] for event in history] == ["posted", "claimed", "settled"]
        poster = (await ask(plain.rpc_url, "job_trackRecord", {"address": jobs[0].poster}))["poster"]
        assert (poster["posted"], poster["settled"], poster["lapsed"]) == (JOBS, JOBS, 0)
