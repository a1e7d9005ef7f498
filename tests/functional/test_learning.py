"""Miners of real nodes train a model to the bits of one machine, and a liar among them is disputed."""

import asyncio
import contextlib
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inos.client.blocking_client import BlockingClient
from inos.client.task_terms import TaskTerms
from inos.genesis.loading import derive_devnet
from inos.learn.folder import TASKS
from inos.learn.journal import Journal
from inos.learn.market import MarketRunner
from inos.learn.run import Run, load_run
from inos.learn.spec import RunSpec, StepRecord
from inos.learn.training import train_run
from inos.learn.verify import verify_run
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.units import Nano, TimeMs
from inos.wallet.keys import make_key
from support.cluster import ask, await_committee, await_that
from support.training_runs import make_run

pytestmark = pytest.mark.long
TRAINER = make_key(bytes(31) + b"\x43")
FUNDS = 1000 * 10**9
TESTS = Path(__file__).parents[1]
LIES = ("env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "support.wrong_task_node")
MINES = ("--mine", "auto", "--filler-rate", "5000", "--threads", "1")
JURY = {"jury_size": 3, "jury_window": 36, "challenge_window": 20, "spacing_ms": 1000, "asert_half_life_ms": 30_000}
STEPS, SHARDS = 2, 3


class Stop(Exception):
    """Ends a run as a kill would."""


def train(url: str, run: Run, stop_after: int = 0) -> tuple[Run, int]:
    """Train by miners; return the run, and how many outcomes were disputed."""

    def on_step(spec: RunSpec, record: StepRecord, seconds: float) -> None:
        if record.step == stop_after:
            raise Stop

    with BlockingClient(url, wallet=TRAINER) as client:
        runner = MarketRunner(client, Journal(run.folder.path / TASKS), terms=TaskTerms(reward="0.01"), timeout_s=300)
        train_run(run, runner, on_step=on_step)
        return run, runner.disputed


@pytest.mark.timeout(600)
async def test_miners_train_to_the_bits_of_one_machine_though_one_lies(tmp_path: Path) -> None:
    genesis = tmp_path / "net.json"
    funds = {TRAINER.address: Nano(FUNDS)}
    genesis.write_text(derive_devnet("devnet", TimeMs(1_767_225_600_000), funds, params=JURY))
    common = ("--network", str(genesis), "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", *MINES)
    here = train_run(make_run(tmp_path / "here", STEPS, SHARDS))
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *flags: str, peers: tuple[str, ...] = (), prefix: tuple[str, ...] = ()) -> Any:
            node = await start_node(NodeSpec(name, tmp_path / name, (*common, *flags), prefix), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        first = await start("first", "--purpose", "filler")
        second = await start("second", "--purpose", "filler", peers=(first.p2p_address,))
        peers = (first.p2p_address, second.p2p_address)
        liar = await start("liar", "--no-vote", peers=peers, prefix=LIES)
        await await_committee(first.rpc_url, 2)

        run = make_run(tmp_path / "there", STEPS, SHARDS)
        training = asyncio.create_task(asyncio.to_thread(train, first.rpc_url, run, 1))
        stack.callback(training.cancel)
        await await_that("the trainer disputes a lie", partial(has_disputed, first.rpc_url), 240)
        await stop_process(liar.process)  # otherwise it might claim the task again
        for name in ("third", "fourth"):
            await start(name, "--no-vote", peers=peers)
        with pytest.raises(Stop):
            await training
        posted = (run.folder.path / TASKS).read_bytes()
        run, _ = await asyncio.to_thread(train, first.rpc_url, load_run(run.folder.path))
        assert run.head == here.head
        assert (run.folder.path / TASKS).read_bytes().startswith(posted)
        assert verify_run(run).last == STEPS

        tasks = (await ask(first.rpc_url, "job_list", {"limit": 100}))["jobs"]
        assert len(tasks) == STEPS * (SHARDS + 1), "no task was posted twice"
        assert {task["state"] for task in tasks} == {"settled"}
        histories = [await ask(first.rpc_url, "job_history", {"id": task["id"]}) for task in tasks]
        events = [[event["event"] for event in history["events"]] for history in histories]
        assert any(each[:5] == ["posted", "claimed", "delivered", "disputed", "rejected"] for each in events)


async def has_disputed(url: str) -> bool:
    return any(job["state"] == "disputed" for job in (await ask(url, "job_list", {"limit": 100}))["jobs"])
