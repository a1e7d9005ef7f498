"""`inos bench chain`: what a long chain costs a node: the time to its first answer, memory, disk, and old blocks."""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.bench.chain_files import open_chain
from inos.bench.chains import Chain
from inos.bench.long_chain import make_long_chain
from inos.bench.machine import read_cpu_s, read_memory_mb
from inos.bench.sync import Announce
from inos.client.client import Client
from inos.node.process import NodeSpec, start_node, stop_process

SHORT: Final = 1_500
"""The length of the chain that the long one is compared with: both hold the same number of headers in memory."""
WITNESSES: Final = 1_000
"""The last blocks of a chain that have a witness. Those of a million blocks would take 33 GB."""
READS: Final = 2_000
"""Blocks read at random heights."""
HEADERS_AT_ONCE: Final = 512


class ChainRow(Struct, frozen=True):
    """One chain on one node."""

    blocks: int
    disk_mb: float
    start_s: float
    """From starting the process to its first answer; the median."""
    start_cpu_s: float
    """The processor time that the node took until then, which other programs hardly change; the median."""
    rss_mb: float
    """Memory after the first answer (VmRSS), in 10^6 bytes; the median."""
    rss_used_mb: float
    """Memory after READS blocks were read at random heights."""
    own_mb: float
    """The part of it that is not of mapped files (RssAnon)."""
    block_ms: float
    """`chain_getHeader` at a random height; the median."""
    block_p99_ms: float
    headers_per_s: float
    """`chain_getRawHeaders` at random heights."""


class ChainStats(Struct, frozen=True):
    """The long chain beside the short one."""

    long: ChainRow
    short: ChainRow
    own_bytes_per_block: float
    """What each block more costs of a node's own memory, after random reads."""
    disk_bytes_per_block: float
    """Without witnesses."""


def measure_chain(blocks: int, rounds: int, keep: Path | None, announce: Announce) -> ChainStats:
    """Make both chains, unless `keep` has them, and measure nodes on them."""
    long, short = (_measure_one(count, rounds, keep, announce) for count in (blocks, SHORT))
    more = max(1, blocks - SHORT)
    return ChainStats(
        long=long,
        short=short,
        own_bytes_per_block=(long.own_mb - short.own_mb) * 1e6 / more,
        disk_bytes_per_block=(long.disk_mb - short.disk_mb) * 1e6 / more,
    )


def _measure_one(blocks: int, rounds: int, keep: Path | None, announce: Announce) -> ChainRow:
    def make(folder: Path) -> Chain:
        announce(f"making {blocks} blocks")
        return make_long_chain(folder, blocks, WITNESSES)

    with open_chain(f"long-{blocks}", keep, make) as (chain, _):
        announce(f"starting a node with {blocks} blocks")
        disk_mb = sum(path.stat().st_size for path in (chain.folder / "ledger").iterdir()) / 1e6
        return asyncio.run(_run(chain, rounds, disk_mb))


async def _run(chain: Chain, rounds: int, disk_mb: float) -> ChainRow:
    arguments = ("--network", str(chain.network), "--no-discovery", "--rpc-port", "0", "--p2p-port", "0")
    starts, cpu, memory = list[float](), list[float](), list[float]()
    for number in range(rounds):
        began = time.perf_counter()
        node = await start_node(NodeSpec("node", chain.folder, arguments))
        try:
            async with Client(node.rpc_url) as client:
                await client.head()
                starts.append(time.perf_counter() - began)
                cpu.append(read_cpu_s(node.process.pid))
                memory.append(read_memory_mb(node.process.pid, "VmRSS"))
                if number == rounds - 1:
                    reads, rate = await _read_old(client, chain.blocks)
                    pid = node.process.pid
                    used, own = read_memory_mb(pid, "VmRSS"), read_memory_mb(pid, "RssAnon")
        finally:
            await stop_process(node.process)
    return ChainRow(
        blocks=chain.blocks,
        disk_mb=disk_mb,
        start_s=statistics.median(starts),
        start_cpu_s=statistics.median(cpu),
        rss_mb=statistics.median(memory),
        rss_used_mb=used,
        own_mb=own,
        block_ms=statistics.median(reads) * 1000,
        block_p99_ms=statistics.quantiles(reads, n=100)[98] * 1000,
        headers_per_s=rate,
    )


async def _read_old(client: Client, blocks: int) -> tuple[list[float], float]:
    """Return the seconds that reading each of many headers takes, and the headers a second that are served in runs."""
    rng = random.Random(1)
    reads = [await _time(lambda: client.header(rng.randrange(1, blocks))) for _ in range(READS)]
    limit, runs = min(HEADERS_AT_ONCE, blocks), 50
    taken = sum(
        [
            await _time(
                lambda: client.call("chain_getRawHeaders", {"first": rng.randrange(blocks - limit + 1), "limit": limit})
            )
            for _ in range(runs)
        ]
    )
    return reads, runs * limit / taken


async def _time(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def describe_chain(stats: ChainStats) -> list[str]:
    """Return the figures as lines of text."""
    names = ("blocks", "disk MB", "start s", "CPU s", "MB", "MB later", "own MB", "header ms", "p99 ms", "headers/s")
    return [
        " ".join(f"{name:>9}" for name in names),
        *(_describe_row(row) for row in (stats.short, stats.long)),
        f"each block more: {stats.own_bytes_per_block:.0f} bytes of the node's own memory, "
        f"{stats.disk_bytes_per_block:.0f} bytes on disk beside its witness of 33 KB",
        f"(start: to the first answer. MB: memory then, and later, after {READS} headers at random heights; own: not",
        f"of mapped files. header: chain_getHeader. headers/s: runs of {HEADERS_AT_ONCE} at random heights)",
    ]


def _describe_row(row: ChainRow) -> str:
    return (
        f"{row.blocks:>9} {row.disk_mb:>9.0f} {row.start_s:>9.2f} {row.start_cpu_s:>9.2f} {row.rss_mb:>9.0f} "
        f"{row.rss_used_mb:>9.0f} {row.own_mb:>9.0f} {row.block_ms:>9.2f} {row.block_p99_ms:>9.2f} "
        f"{row.headers_per_s:>9.0f}"
    )
