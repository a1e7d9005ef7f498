"""Real nodes over loopback: how blocks are relayed, silence is noticed, nodes restart, and floods delay blocks."""

import asyncio
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from inos.bench.errors import BenchError
from inos.bench.machine import read_memory_mb
from inos.bench.net.process import open_partner
from inos.bench.net.tips import TipWatch, open_watch
from inos.client.transport import Transport
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process

TICKETS_PER_S: Final = 10_000.0
"""Rate of all miners together: a block every two seconds at the devnet's first target."""
DIALLED: Final = 2
"""Each node dials this many of those started before it."""
PATIENCE_S: Final = 60.0
LAST_BLOCK_S: Final = 1.0
"""A block counts if it came so long before the end, so that it had time to reach all nodes."""
POLL_S: Final = 0.02
Announce = Callable[[str], None]
"""Takes a line about what happens now."""


class RelayStats(Struct, frozen=True):
    """Blocks in a network of real nodes, each connected to about four others."""

    nodes: int
    blocks: int
    p50_s: float
    """Median time until a node other than the first builds on a block, as its RPC shows."""
    p95_s: float
    compact_bytes: float
    """Mean size of a block on its way."""
    duplicate_bytes: float
    """Bytes received twice, for each block and node."""


class FailureStats(Struct, frozen=True):
    """One of two nodes is stopped, killed, and started again."""

    silent_noticed_s: float
    """From the moment a node stops answering (SIGSTOP) until the other disconnects it."""
    restarted_s: float
    """From the start of a killed node's process until it is at the other node's tip again."""


class FloodStats(Struct, frozen=True):
    """Median seconds of honest blocks to a node that others flood with all that the limits allow."""

    quiet_s: float
    one_s: float
    fifty_s: float
    memory_per_peer_mb: float
    """Memory of each of fifty idle links."""


def _make_specs(folder: Path, count: int, miners: int) -> list[NodeSpec]:
    specs = []
    for number in range(count):
        flags = ["--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--no-discovery"]
        if number < miners:
            rate = TICKETS_PER_S / miners
            flags += ["--mine", "auto", "--threads", "1", "--filler-rate", f"{rate:g}"]
        specs.append(NodeSpec(f"node{number + 1}", folder / f"node{number + 1}", tuple(flags)))
    return specs


@asynccontextmanager
async def _running(specs: Sequence[NodeSpec], dialled: int) -> AsyncIterator[list[RunningNode]]:
    nodes: list[RunningNode] = []
    try:
        for spec in specs:
            nodes.append(await start_node(spec, [node.p2p_address for node in nodes[-dialled:]]))
        yield nodes
    finally:
        await asyncio.gather(*(stop_process(node.process) for node in nodes))


async def _call(node: RunningNode, method: str) -> dict[str, Any]:
    transport = Transport(node.rpc_url)
    try:
        found: dict[str, Any] = await transport.call(method)
        return found
    finally:
        await transport.close()


async def measure_relay(folder: Path, count: int, seconds: float, announce: Announce) -> RelayStats:
    """Record the blocks of two miners among `count` nodes for this many seconds."""
    async with _running(_make_specs(folder, count, 2), DIALLED) as nodes, open_watch(nodes) as watch:
        announce(f"{count} nodes are up; recording blocks for {seconds:g} s")
        await asyncio.sleep(3)
        delays = await _record(watch, seconds, nodes)
        relay = [(await _call(node, "net_status"))["block_relay"] for node in nodes]
    came = sum(one["blocks"] for one in relay) or 1
    return RelayStats(
        nodes=count,
        blocks=len(delays) // (count - 1),
        p50_s=statistics.median(delays),
        p95_s=delays[len(delays) * 95 // 100],
        compact_bytes=sum(one["bytes"] for one in relay) / came,
        duplicate_bytes=sum(one["duplicate_bytes"] for one in relay) / came,
    )


async def measure_failures(folder: Path, announce: Announce) -> FailureStats:
    """Stop, kill and restart the second of two nodes."""
    first, second = _make_specs(folder, 2, 1)
    async with _running([first], 1) as (miner,):
        other = await start_node(second, [miner.p2p_address])
        try:
            await _await(lambda: _has_peers(miner, 1), PATIENCE_S)
            announce("one node stops answering")
            other.process.send_signal(signal.SIGSTOP)
            noticed = await _await(lambda: _has_peers(miner, 0), PATIENCE_S)
        finally:
            other.process.kill()
            await other.process.wait()
        announce("the node is killed and started again")
        began = time.monotonic()
        other = await start_node(second, [miner.p2p_address])
        try:
            await _await(lambda: _is_level(miner, other), PATIENCE_S)
            restarted = time.monotonic() - began
        finally:
            await stop_process(other.process)
    return FailureStats(noticed, restarted)


async def _has_peers(node: RunningNode, count: int) -> bool:
    return bool((await _call(node, "net_peers"))["count"] == count)


async def _is_level(one: RunningNode, other: RunningNode) -> bool:
    """Return whether the other node has the block that the first one has now."""
    tip = await _call(one, "chain_head")
    return bool((await _call(other, "chain_head"))["height"] >= tip["height"] > 0)


async def _await(check: Callable[[], Any], limit_s: float) -> float:
    began = time.monotonic()
    while not await check():
        if time.monotonic() - began > limit_s:
            raise BenchError("too-slow", f"what is measured did not happen within {limit_s:g} s")
        await asyncio.sleep(POLL_S)
    return time.monotonic() - began


async def measure_floods(folder: Path, seconds: float, announce: Announce) -> FloodStats:
    """Measure a miner and a node that follows it, while none, one or fifty peers flood that node."""
    async with _running(_make_specs(folder, 2, 1), 1) as (miner, victim), open_watch([miner, victim]) as watch:
        await _await(lambda: _has_peers(victim, 1), PATIENCE_S)
        await asyncio.sleep(5)
        quiet = statistics.median(await _record(watch, seconds, [miner, victim]))
        announce("one peer floods")
        async with open_partner("devnet", "flood", victim.p2p_address, "1", is_nice=True):
            one = statistics.median(await _record(watch, seconds, [miner, victim]))
        await _await(lambda: _has_peers(victim, 1), PATIENCE_S)
        before = read_memory_mb(victim.process.pid, "VmRSS")
        async with open_partner("devnet", "idle", victim.p2p_address, "50", is_nice=True):
            await asyncio.sleep(5)
            each = (read_memory_mb(victim.process.pid, "VmRSS") - before) / 50
        await _await(lambda: _has_peers(victim, 1), PATIENCE_S)
        announce("fifty peers flood")
        async with open_partner("devnet", "flood", victim.p2p_address, "50", is_nice=True):
            fifty = statistics.median(await _record(watch, seconds, [miner, victim]))
    return FloodStats(quiet, one, fifty, max(0.0, each))


async def _record(watch: TipWatch, seconds: float, nodes: Sequence[RunningNode]) -> list[float]:
    """Return the delays of all blocks of this many seconds, or of more until one block has reached all nodes.

    Raises:
        BenchError: "no-blocks".
    """
    names = [node.name for node in nodes]
    began = time.monotonic()
    await asyncio.sleep(seconds + LAST_BLOCK_S)
    while not (delays := watch.list_delays(began, until=time.monotonic() - LAST_BLOCK_S, nodes=names)):
        if time.monotonic() - began > seconds + PATIENCE_S:
            raise BenchError("no-blocks", f"no block reached all {len(names)} nodes in {seconds + PATIENCE_S:g} s")
        await asyncio.sleep(POLL_S)
    return delays
