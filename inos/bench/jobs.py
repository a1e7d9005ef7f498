"""`inos bench jobs`: how long a customer waits for a product, from the command until its file is written."""

import asyncio
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from inos.bench.errors import BenchError
from inos.client.client import Client
from inos.genesis.loading import derive_devnet
from inos.node.process import NodeSpec, make_child_environment, run_nodes
from inos.primitives.clock import SystemClock
from inos.primitives.units import Nano
from inos.wallet.keys import derive_key
from inos.wallet.phrase import make_phrase

SHAPES: Final = {(512, 256, 1024): (3, 1.0), (2048, 2048, 2048): (4, 3.0)}
"""The goal for each m x n x k: so many block intervals, and so many seconds more."""
FIRST_BLOCKS: Final = 20
"""The network makes this many blocks before the first job, so that their interval has settled."""
TICKETS_PER_S: Final = 5000.0
"""The rate of each of two miners while there is no job: a block every two seconds."""
COMMON: Final = ("--p2p-port", "0", "--rpc-port", "0", "--no-discovery")
MINES: Final = ("--mine", "auto", "--threads", "1", "--filler-rate", f"{TICKETS_PER_S:g}")
FUNDS: Final = Nano(10**15)
LIMIT_S: Final = 120.0


class JobWaits(Struct, frozen=True):
    """What customers of one shape waited for; times in seconds."""

    shape: tuple[int, int, int]
    rounds: int
    mean_s: float
    longest_s: float
    mean_blocks: float
    """Blocks from the one that was the tip at the start to the one that has the result."""
    interval_s: float
    """Mean time between two blocks during the measurement."""
    goal_s: float
    """The goal at this interval."""


def measure_jobs(
    rounds: dict[tuple[int, int, int], int], announce: Callable[[str], None]
) -> tuple[list[JobWaits], float]:
    """Post jobs by the command line, one after another, on a network of two miners and a follower.

    Returns:
        The waits for each shape, and the system's load before the start.

    Raises:
        NodeError: a node did not start. BenchError: a job was not paid, or its product is wrong.
    """
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="inos-bench-jobs-") as folder:
        return asyncio.run(_measure(Path(folder), rounds, announce)), load


async def _measure(
    folder: Path, rounds: dict[tuple[int, int, int], int], announce: Callable[[str], None]
) -> list[JobWaits]:
    phrase, genesis = make_phrase(12), folder / "devnet.json"
    genesis.write_text(derive_devnet("devnet", SystemClock().now_ms(), {derive_key(phrase).address: FUNDS}))
    for name, text in (("phrase", phrase), ("password", secrets.token_hex(16))):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    paths = {"--wallet-dir": folder / "wallets", "--password-file": folder / "password", "--network": genesis}
    wallet = [word for name, path in paths.items() for word in (name, str(path))]
    await _run("wallet", "restore", "--phrase-file", str(folder / "phrase"), *wallet)
    common = ("--network", str(genesis), *COMMON)
    specs = [NodeSpec(f"miner-{number}", folder / f"miner-{number}", (*common, *MINES)) for number in (1, 2)]
    specs.append(NodeSpec("follower", folder / "follower", common))
    found = []
    async with run_nodes(specs) as nodes, Client(nodes[-1].rpc_url) as client:
        announce(f"three nodes are up; waiting for {FIRST_BLOCKS} blocks")
        await _await_height(client, FIRST_BLOCKS)
        for shape, count in rounds.items():
            announce(f"posting {count} jobs of {' x '.join(map(str, shape))}, one after another")
            found.append(await _measure_shape(client, folder, (*wallet, "--rpc", nodes[-1].rpc_url), shape, count))
    return found


async def _measure_shape(
    client: Client, folder: Path, options: Sequence[str], shape: tuple[int, int, int], count: int
) -> JobWaits:
    m, n, k = shape
    x, w, y = (folder / name for name in ("x.npy", "w.npy", "y.npy"))
    rng = np.random.default_rng(1)
    waits, blocks = [], []
    first, began = (await client.head()).height, time.monotonic()
    for _ in range(count):
        left, right = rng.integers(-64, 64, (m, k), np.int8), rng.integers(-64, 64, (n, k), np.int8)
        np.save(x, left)
        np.save(w, right)
        tip, started = (await client.head()).height, time.monotonic()
        posted = await _run("job", "post", str(x), str(w), "--output", str(y), "--json", *options)
        waits.append(time.monotonic() - started)
        job = msgspec.json.decode(posted)["id"]
        events = (await client.job_history(job)).events
        blocks.append(next(event.height for event in events if event.event in ("delivered", "settled")) - tip)
        if not np.array_equal(np.load(y)[:16], left[:16].astype(np.int32) @ right.T.astype(np.int32)):
            raise BenchError("wrong-result", f"the product of job {job} is wrong")
        y.unlink()
    interval = (time.monotonic() - began) / max(1, (await client.head()).height - first)
    intervals, more = SHAPES[shape]
    return JobWaits(
        shape=shape,
        rounds=count,
        mean_s=statistics.mean(waits),
        longest_s=max(waits),
        mean_blocks=statistics.mean(blocks),
        interval_s=interval,
        goal_s=intervals * interval + more,
    )


async def _await_height(client: Client, height: int) -> None:
    async with asyncio.timeout(LIMIT_S), client.follow_tip() as tip:
        while (await client.head()).height < height:
            await tip.wait(1.0)


async def _run(*arguments: str) -> str:
    """Run a command of this program, and return what it prints.

    Raises:
        BenchError: "command-failed".
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "inos", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=make_child_environment(),
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            out, error = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = (error or out).decode(errors="replace")[-500:]
        hint = "on a busy machine a job may take longer than the limit; try again later"
        raise BenchError("command-failed", f"inos {' '.join(arguments[:2])} failed: {text}", hint=hint)
    return out.decode()


def describe_jobs(found: tuple[list[JobWaits], float]) -> list[str]:
    """Return the figures as lines of text."""
    waits, load = found
    lines = [f"load before the start {load:.1f}", f"{'m x n x k':<20} {'mean':>7} {'longest':>8} {'blocks':>7}   goal"]
    for each in waits:
        intervals, more = SHAPES[each.shape]
        shape = " x ".join(map(str, each.shape))
        goal = f"{each.goal_s:.1f} s = {intervals} blocks of {each.interval_s:.2f} s + {more:g} s"
        lines.append(f"{shape:<20} {each.mean_s:5.1f} s {each.longest_s:6.1f} s {each.mean_blocks:7.2f}   {goal}")
    return lines


def to_json(found: tuple[list[JobWaits], float]) -> dict[str, Any]:
    """Return the figures as JSON types."""
    return {"load": found[1], "jobs": msgspec.to_builtins(found[0])}
