"""`inos bench snapshot`: how soon a new node follows a chain with many accounts by snapshot sync, in real processes."""

import asyncio
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.bench.chain_files import copy_chain, open_chain
from inos.bench.chains import Chain, make_chain
from inos.bench.errors import BenchError
from inos.bench.machine import read_memory_mb
from inos.bench.sync import Announce
from inos.client.client import Client
from inos.client.errors import RemoteError
from inos.node.process import NodeSpec, run_nodes, start_node, stop_process

POLL_S: Final = 0.1
LIMIT_S: Final = 300.0
VOTERS: Final = 4
TRANSFERS: Final = 250
"""Transfers in each block."""
EXTRA_BLOCKS: Final = 40
"""Blocks after the last account is paid, so that a state with all accounts becomes final."""


class SnapshotStats(Struct, frozen=True):
    """One start by snapshot sync."""

    accounts: int
    blocks: int
    base_height: int
    """Height of the block whose state was fetched."""
    ready_s: float
    """From the start of the process until it is ready."""
    state_s: float
    """From there until the state is complete."""
    following_s: float
    """From there until the node is at the sources' tip."""
    node_mb: float
    """Most memory of the new node (VmHWM), in 10^6 bytes."""


def measure_snapshot(accounts: int, keep: Path | None, sources: int, announce: Announce) -> tuple[Chain, SnapshotStats]:
    """Make a chain that pays this many accounts, unless `keep` has it, and start a node with --snapshot beside it.

    Raises:
        BenchError: "snapshot-stuck", "wrong-tip", "executed-everything" if the node fetched blocks and no state.
    """
    blocks = -(-accounts // TRANSFERS) + EXTRA_BLOCKS

    def make(folder: Path) -> Chain:
        announce(f"making {blocks} blocks that pay {accounts} accounts")
        return make_chain(folder, blocks, TRANSFERS, receivers=accounts, voters=VOTERS)

    with open_chain(f"voted-{accounts}", keep, make) as (chain, folder):
        announce(f"starting a new node beside {sources} nodes with {accounts} accounts")
        return chain, asyncio.run(_start_new(chain, accounts, folder, sources))


async def _start_new(chain: Chain, accounts: int, folder: Path, sources: int) -> SnapshotStats:
    common = ("--network", str(chain.network), "--rpc-port", "0", "--p2p-port", "0")
    specs = [NodeSpec(f"source{i}", copy_chain(chain, folder, i), common) for i in range(sources)]
    async with run_nodes(specs) as running:
        started = time.monotonic()
        spec = NodeSpec("new", folder / "new", (*common, "--snapshot"))
        new = await start_node(spec, [node.p2p_address for node in running])
        try:
            async with Client(new.rpc_url) as client:
                ready = time.monotonic()
                await _await_height(client, 1)
                fetched = time.monotonic()
                await _await_height(client, chain.blocks)
                done = time.monotonic()
                tip = (await client.head()).id
                if tip != chain.tip.hex():
                    raise BenchError("wrong-tip", f"the node ended at block {tip}, not {chain.tip.hex()}")
                base = await _find_base(client, chain.blocks)
            memory = read_memory_mb(new.process.pid, "VmHWM")
        finally:
            await stop_process(new.process)
    return SnapshotStats(accounts, chain.blocks, base, ready - started, fetched - ready, done - ready, memory)


async def _await_height(client: Client, height: int) -> None:
    began = time.monotonic()
    while (await client.head()).height < height:
        if time.monotonic() - began > LIMIT_S:
            raise BenchError("snapshot-stuck", f"the new node did not reach block {height} within {LIMIT_S:g} s")
        await asyncio.sleep(POLL_S)


async def _find_base(client: Client, height: int) -> int:
    """Return the highest block at or below `height` whose body the node does not have."""
    while height > 0:
        try:
            await client.call("chain_getBlock", {"block": height, "full": False})
        except RemoteError:
            return height
        height -= 1
    raise BenchError("executed-everything", "the new node has every block, so it fetched no state")


def describe_snapshot(chain: Chain, stats: SnapshotStats, sources: int) -> list[str]:
    """Return the figures as lines of text."""
    return [
        f"{stats.accounts} accounts, {stats.blocks} blocks, made in {chain.seconds:.1f} s, {sources} sources",
        f"  process ready after {stats.ready_s:.1f} s",
        f"  state of block {stats.base_height} complete {stats.state_s:.1f} s later",
        f"  following {stats.following_s:.1f} s after it was ready",
        f"  memory: {stats.node_mb:.0f} MB",
    ]
