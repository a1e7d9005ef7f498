"""All figures between nodes, and how they are shown."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from inos.bench.net.links import LinkFigures, measure_links
from inos.bench.net.nodes import (
    FailureFigures,
    FloodFigures,
    SpreadFigures,
    measure_failures,
    measure_floods,
    measure_spread,
)


class NetFigures(Struct, frozen=True):
    """One run of `inos bench net`."""

    links: LinkFigures
    spread: SpreadFigures
    failures: FailureFigures
    floods: FloodFigures


async def _measure(folder: Path, nodes: int, seconds: float, tell: Callable[[str], None]) -> NetFigures:
    tell("measuring links ...")
    links = await measure_links(min(seconds, 5.0))
    return NetFigures(
        links,
        await measure_spread(folder / "spread", nodes, seconds, tell),
        await measure_failures(folder / "failures", tell),
        await measure_floods(folder / "floods", seconds, tell),
    )


def measure_net(nodes: int, seconds: float, tell: Callable[[str], None]) -> NetFigures:
    """Measure everything; takes about five times `seconds` and a minute.

    Raises:
        BenchError: a node did not start, or what is measured did not happen.
    """
    with tempfile.TemporaryDirectory(prefix="inos-bench-net-") as folder:
        return asyncio.run(_measure(Path(folder), nodes, seconds, tell))


def make_rows(found: NetFigures) -> list[tuple[str, str]]:
    """What was measured, and the figure with its unit."""
    links, spread, failures, floods = found.links, found.spread, found.failures, found.floods
    return [
        ("messages of 1 KB, one receiver", f"{links.small_per_s:,.0f} /s"),
        ("processor at 200 of them a second", f"{links.calm_cpu:.1%} of a core"),
        ("requests of 1 MiB, one at a time", f"{links.mb_per_s:,.0f} MB/s"),
        ("the same, four at a time", f"{links.mb_per_s_four:,.0f} MB/s"),
        (f"blocks over {spread.nodes} nodes, p50", f"{spread.p50_s * 1000:.1f} ms"),
        ("the same, p95", f"{spread.p95_s * 1000:.1f} ms ({spread.blocks} blocks)"),
        ("a block on the way", f"{spread.compact_bytes:,.0f} B"),
        ("what comes twice, a block and node", f"{spread.duplicate_bytes:,.0f} B"),
        ("a silent peer is noticed after", f"{failures.silent_noticed_s:.1f} s"),
        ("a restarted node has the tip after", f"{failures.restarted_s:.1f} s"),
        ("an honest block to a node left alone", f"{floods.quiet_s * 1000:.1f} ms"),
        (
            "the same while one peer floods",
            f"{floods.one_s * 1000:.1f} ms, {floods.one_s / floods.quiet_s:.2f} times",
        ),
        (
            "the same while fifty do",
            f"{floods.fifty_s * 1000:.1f} ms, {floods.fifty_s / floods.quiet_s:.2f} times",
        ),
        ("memory of an idle peer", f"{floods.memory_per_peer_mb * 1000:.0f} KB"),
    ]
