"""Programs and functions are jobs of real nodes: a stranger computes them, and a wrong outcome is judged and redone."""

import asyncio
import contextlib
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos import programs
from inos.client.client import Client
from inos.devnet.workload import BATCHES, DigitWorkload
from inos.genesis.loading import derive_devnet
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.units import Nano, TimeMs
from inos.programs.builder import BuiltProgram, ProgramBuilder
from inos.wallet.keys import make_key
from support.cluster import ask, await_committee, await_that
from support.digit_tasks import make_digit_task
from support.functions import build

POSTER = make_key(bytes(31) + b"\x42")
FUNDS = 1000 * 10**9
TESTS = Path(__file__).parents[1]
LIES = ("env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "support.wrong_task_node")
MINES = ("--mine", "auto", "--filler-rate", "5000", "--threads", "1")
JURY = {"jury_size": 3, "jury_window": 36, "challenge_window": 20, "spacing_ms": 1000, "asert_half_life_ms": 30_000}


ECHO = build(
    """
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1024))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    """
)
"""A command that writes what it reads."""


def build_network() -> BuiltProgram:
    """Return a layer of a quantised network for 64 inputs: a product, a rescale, a clamp and a table."""
    rng, b = np.random.default_rng(3), ProgramBuilder()
    x = b.input(64, 1024, -64, 63, name="x")
    y = b.matmul(x, b.operand(rng.integers(-64, 64, (256, 1024), np.int8)))
    y = b.clamp(b.mul(y, 5, shift=14), -64, 63)
    y = b.table(y, np.maximum(np.arange(-64, 64), 0)[None], -64)
    return b.finish([b.matmul(y, b.operand(rng.integers(-64, 64, (16, 256), np.int8)))])


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_tasks_are_computed_by_strangers_and_lies_are_redone(tmp_path: Path) -> None:
    genesis = tmp_path / "net.json"
    funds = {POSTER.address: Nano(FUNDS)}
    genesis.write_text(derive_devnet("devnet", TimeMs(1_767_225_600_000), funds, params=JURY))
    common = ("--network", str(genesis), "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", *MINES)
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *flags: str, peers: tuple[str, ...] = (), prefix: tuple[str, ...] = ()) -> Any:
            node = await start_node(NodeSpec(name, tmp_path / name, (*common, *flags), prefix), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        first = await start("first", "--purpose", "filler")
        second = await start("second", "--purpose", "filler", peers=(first.p2p_address,))
        peers = (first.p2p_address, second.p2p_address)
        cheat = await start("cheat", "--no-vote", peers=peers, prefix=LIES)
        await await_committee(first.rpc_url, 2)
        client = await stack.enter_async_context(Client(first.rpc_url, wallet=POSTER))

        built = build_network()
        x = np.random.default_rng(4).integers(-64, 64, (64, 1024), np.int8)
        expected = programs.run_program(programs.check_program(built.program), [x], built.load)
        lie, false_echo = await asyncio.gather(client.run(built, [x]), client.call_function(ECHO, b"hello"))
        assert not np.array_equal(lie[0], expected[0])
        assert false_echo != b"hello"
        tasks = (await ask(first.rpc_url, "job_list", {"limit": 2}))["jobs"]
        assert {task["kind"]: task["state"] for task in tasks} == {"program": "delivered", "function": "delivered"}
        await stop_process(cheat.process)

        for task in tasks:
            await client.dispute(task["id"])
        for task in tasks:
            await await_that("a jury rejects the lie", partial(is_opened_again, first.rpc_url, task["id"]), 240)
        honest = await start("honest", "--no-vote", peers=peers)
        right = programs.encode_value(expected[0], programs.check_program(built.program).results[0])
        for task in tasks:
            await client.wait_job(task["id"], 240)
            outputs = await client.outputs(task["id"])
            assert outputs == ([right] if task["kind"] == "program" else [b"hello"])
            events = (await ask(first.rpc_url, "job_history", {"id": task["id"]}))["events"]
            kinds = [event["event"] for event in events]
            assert kinds[:5] == ["posted", "claimed", "delivered", "disputed", "rejected"]
            assert kinds[-1] == "settled"
        status = await ask(honest.rpc_url, "miner_status", token=honest.read_token())
        assert int(status["job_tickets"]) >= 64, "the products of the program drew tickets"

        workload = DigitWorkload(client, make_digit_task(32), job_timeout_s=240)
        await workload.run(lambda progress: progress.passes == 1)
        assert workload.progress.programs_answered == workload.progress.jobs_posted == BATCHES


async def is_opened_again(url: str, task: str) -> bool:
    return (await ask(url, "job_get", {"id": task}))["state"] not in ("delivered", "disputed")
