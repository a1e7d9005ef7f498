"""`inos bench start`: how long people wait: for the help, a node's first answer, and a chain in a test."""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.bench.timing import time_median
from inos.client.client import Client
from inos.node.process import NodeSpec, make_child_environment, start_node, stop_process

TEST_CHAIN: Final = """
import time
began = time.perf_counter()
from inos.testing import TestChain
with TestChain() as chain:
    chain.call("chain_head")
    print(time.perf_counter() - began)
"""
NODE: Final = ("--network", "devnet", "--no-discovery", "--rpc-port", "0", "--p2p-port", "0")


class StartRow(Struct, frozen=True):
    """One thing that people wait for."""

    what: str
    seconds: float
    """Median."""
    limit_s: float
    """The time it should take at most."""


def measure_starts(rounds: int) -> list[StartRow]:
    """Measure every row in processes of its own."""
    return [
        StartRow("inos --help", time_median(lambda: _run("-m", "inos", "--help"), rounds), 0.3),
        StartRow("a new node's first RPC answer", statistics.median(_start_node() for _ in range(rounds)), 1.5),
        StartRow("a test chain's first answer, with imports", _start_chain(rounds), 2.0),
    ]


def _start_chain(rounds: int) -> float:
    return statistics.median(float(_run("-c", TEST_CHAIN)) for _ in range(rounds))


def _start_node() -> float:
    async def start(folder: Path) -> float:
        began = time.perf_counter()
        node = await start_node(NodeSpec("node", folder, NODE))
        try:
            async with Client(node.rpc_url) as client:
                await client.head()
            return time.perf_counter() - began
        finally:
            await stop_process(node.process)

    with tempfile.TemporaryDirectory(prefix="inos-bench-start-") as folder:
        return asyncio.run(start(Path(folder)))


def _run(*arguments: str) -> str:
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=make_child_environment()).stdout


def describe_starts(rows: list[StartRow]) -> list[str]:
    """Return the figures as lines of text."""
    return [f"{row.what:<42} {row.seconds:6.2f} s   (at most {row.limit_s:g} s)" for row in rows]
