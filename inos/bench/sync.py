"""`inos bench sync`: how fast a new node syncs a chain over loopback, between real processes that check everything."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.bench.chain_files import copy_chain, open_chain
from inos.bench.chains import Chain, make_chain
from inos.bench.errors import BenchError
from inos.bench.machine import list_children, read_cpu_s, read_memory_mb
from inos.client.client import Client
from inos.node.process import NodeSpec, run_nodes, start_node, stop_process

POLL_S: Final = 0.25
STALL_S: Final = 60.0
"""The sync has failed if no new block comes for this long."""
REPORT_S: Final = 5.0
EMPTY_GOAL: Final = 3_000
TRANSFERS_GOAL: Final = 15_000

Announce = Callable[[str], None]
"""Takes a line about what happens now."""


class SyncStats(Struct, frozen=True):
    """One sync from genesis."""

    blocks: int
    transfers: int
    seconds: float
    """From the moment the node is ready to its last block."""
    first_block_s: float
    """Until the first block is connected; finding the peer and fetching headers come before it."""
    blocks_per_s: float
    transfers_per_s: float
    cpu_us: float
    """Processor time of the syncing node's main process for each block, in microseconds."""
    node_mb: float
    """Most memory of the syncing node's main process (VmHWM), in 10^6 bytes."""
    workers_mb: float
    """Most memory of its processes that check seals, together."""
    source_mb: float
    shares: dict[str, float]
    """What syncing blocks spent its time on."""


def measure_sync(
    blocks: int, transfers: int, keep: Path | None, sources: int, announce: Announce
) -> tuple[Chain, SyncStats]:
    """Make a chain, unless `keep` has it, and sync it to a new node.

    Raises:
        BenchError: "sync-stuck" if no block comes for a minute, "wrong-tip".
    """

    def make(folder: Path) -> Chain:
        announce(f"making {blocks} blocks of {transfers} transfers")
        return make_chain(folder, blocks, transfers)

    with open_chain(f"chain-{blocks}x{transfers}", keep, make) as (chain, folder):
        announce(f"syncing {chain.blocks} blocks with {chain.transfers} transfers")
        return chain, asyncio.run(_sync(chain, folder, sources, announce))


async def _sync(chain: Chain, folder: Path, sources: int, announce: Announce) -> SyncStats:
    common = ("--network", str(chain.network), "--rpc-port", "0", "--p2p-port", "0")
    specs = [NodeSpec(f"source{i}", copy_chain(chain, folder, i), common) for i in range(sources)]
    async with run_nodes(specs) as running:
        spec = NodeSpec("new", folder / "new", common)
        new = await start_node(spec, [node.p2p_address for node in running])
        try:
            async with Client(new.rpc_url) as client:
                return await _follow(chain, client, new.process.pid, running[0].process.pid, announce)
        finally:
            await stop_process(new.process)


async def _follow(chain: Chain, client: Client, pid: int, source: int, announce: Announce) -> SyncStats:
    started = moved = time.monotonic()
    used = read_cpu_s(pid)
    first, height, told, workers_mb = 0.0, 0, started, 0.0
    spent: dict[str, float] = {}
    known: set[int] = set()
    while height < chain.blocks:
        await asyncio.sleep(POLL_S)
        sync = (await client.health()).sync
        now = time.monotonic()
        if sync.height > height:
            height, moved = sync.height, now
            first = first or now - started
        elif now - moved > STALL_S:
            raise BenchError("sync-stuck", f"no block came after {height} for {STALL_S:g} s: {sync.summary}")
        if sync.time_shares is not None:
            for name in sync.time_shares.__struct_fields__:
                spent[name] = spent.get(name, 0.0) + getattr(sync.time_shares, name)
        # A process that is being started shares its parent's memory, and would be counted with all of it.
        children = set(list_children(pid))
        workers_mb = max(workers_mb, sum(read_memory_mb(child, "VmRSS") for child in children & known))
        known = children
        if now - told >= REPORT_S:
            announce(sync.summary)
            told = now
    seconds = moved - started
    tip = (await client.head()).id
    if tip != chain.tip.hex():
        raise BenchError("wrong-tip", f"the node ended at block {tip}, and the chain at {chain.tip.hex()}")
    total = sum(spent.values())
    return SyncStats(
        blocks=chain.blocks,
        transfers=chain.transfers,
        seconds=seconds,
        first_block_s=first,
        blocks_per_s=chain.blocks / seconds,
        transfers_per_s=chain.transfers / seconds,
        cpu_us=(read_cpu_s(pid) - used) / chain.blocks * 1e6,
        node_mb=read_memory_mb(pid, "VmHWM"),
        workers_mb=workers_mb,
        source_mb=read_memory_mb(source, "VmHWM"),
        shares={name: part / total for name, part in spent.items()} if total else {},
    )


def describe_sync(chain: Chain, stats: SyncStats) -> list[str]:
    """Return the figures as lines of text."""
    shares = sorted(stats.shares.items(), key=lambda item: -item[1])
    memory = f"node {stats.node_mb:.0f} MB, its workers {stats.workers_mb:.0f} MB, source {stats.source_mb:.0f} MB"
    rows = [
        ("figure", "measured", "goal"),
        ("blocks", f"{stats.blocks_per_s:,.0f} /s", f"{EMPTY_GOAL:,} /s, empty"),
        ("transfers", f"{stats.transfers_per_s:,.0f} /s", f"{TRANSFERS_GOAL:,} /s, 20 a block"),
        ("processor time of the node, a block", f"{stats.cpu_us:,.0f} us", ""),
        ("first block", f"{stats.first_block_s:.1f} s", ""),
    ]
    return [
        f"made in {chain.seconds:.1f} s",
        f"synced {stats.blocks} blocks, {stats.transfers} transfers in {stats.seconds:.1f} s",
        *(f"{figure:36}{measured:>14}   {goal}".rstrip() for figure, measured, goal in rows),
        f"memory: {memory}",
        "time: " + ", ".join(f"{name} {part:.0%}" for name, part in shares),
    ]
