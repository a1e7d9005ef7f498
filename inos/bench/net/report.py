"""Everything that `inos bench net` measures, and the lines that describe it."""

import asyncio
import tempfile
from pathlib import Path

from msgspec import Struct

from inos.bench.net.links import LinkStats, measure_links
from inos.bench.net.nodes import (
    Announce,
    FailureStats,
    FloodStats,
    RelayStats,
    measure_failures,
    measure_floods,
    measure_relay,
)


class NetStats(Struct, frozen=True):
    """One run of `inos bench net`."""

    links: LinkStats
    relay: RelayStats
    failures: FailureStats
    floods: FloodStats


def measure_net(nodes: int, seconds: float, announce: Announce) -> NetStats:
    """Measure everything; it takes about five times `seconds` and a minute.

    Raises:
        NodeError: a node did not start. BenchError: what is measured did not happen.
    """
    with tempfile.TemporaryDirectory(prefix="inos-bench-net-") as folder:
        return asyncio.run(_measure(Path(folder), nodes, seconds, announce))


async def _measure(folder: Path, nodes: int, seconds: float, announce: Announce) -> NetStats:
    announce("measuring links ...")
    links = await measure_links(min(seconds, 5.0))
    return NetStats(
        links,
        await measure_relay(folder / "relay", nodes, seconds, announce),
        await measure_failures(folder / "failures", announce),
        await measure_floods(folder / "floods", seconds, announce),
    )


def describe_net(found: NetStats) -> list[str]:
    """Return lines of text, each with a figure and its unit."""
    links, relay, failures, floods = found.links, found.relay, found.failures, found.floods
    rows = [
        ("messages of 1 KB to one receiver", f"{links.small_per_s:,.0f} /s"),
        ("processor use at 200 of them per second", f"{links.calm_cpu:.1%} of a core"),
        ("requests of 1 MiB, one at a time", f"{links.mb_per_s:,.0f} MB/s"),
        ("requests of 1 MiB, four at a time", f"{links.mb_per_s_four:,.0f} MB/s"),
        (f"a block at {relay.nodes} nodes, p50", f"{relay.p50_s * 1000:.1f} ms"),
        (f"a block at {relay.nodes} nodes, p95", f"{relay.p95_s * 1000:.1f} ms ({relay.blocks} blocks)"),
        ("size of a block on its way", f"{relay.compact_bytes:,.0f} B"),
        ("received twice, per block and node", f"{relay.duplicate_bytes:,.0f} B"),
        ("a silent peer is disconnected after", f"{failures.silent_noticed_s:.1f} s"),
        ("a restarted node is at the tip after", f"{failures.restarted_s:.1f} s"),
        ("an honest block, no flood", f"{floods.quiet_s * 1000:.1f} ms"),
        ("an honest block while one peer floods", _compare(floods.one_s, floods.quiet_s)),
        ("an honest block while fifty peers flood", _compare(floods.fifty_s, floods.quiet_s)),
        ("memory of an idle peer", f"{floods.memory_per_peer_mb * 1000:.0f} KB"),
    ]
    return [f"{what:<40} {figure}" for what, figure in rows]


def _compare(seconds: float, quiet_s: float) -> str:
    return f"{seconds * 1000:.1f} ms, {seconds / quiet_s:.2f} times"
