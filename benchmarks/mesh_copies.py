#!/usr/bin/env python3
"""Simulate how copies of matrices follow the demand among 300 nodes that come and go, as a table or a picture.

    python benchmarks/mesh_copies.py                                       print a table
    python benchmarks/mesh_copies.py --plot docs/img/mesh-copies.png       and draw the picture of docs/mesh.md

The policy is the one that nodes run; copies_model.py models the nodes.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

from copies_model import Item, Sample, World

HOURS: Final = 72
LOST_H: Final = 24
PROMISED_H: Final = 60
WANTED: Final = ((6.0, 600.0), (18.0, 0.0))
NAMES: Final = {
    "wanted": "in demand from hour 6 to 18, promised by nobody",
    "promised": "promised until hour 60, wanted by nobody",
    "lost": "promised; all holders but one are lost at hour 24",
    "nobody": "neither promised nor wanted",
}


def make_world(nodes: int, seed: int) -> World:
    """Return the world of the picture: four matrices that are followed, and 600 that fill the disks."""
    items = {
        name: Item(name, bytes([number + 1]) * 32, promised, requests)
        for number, (name, promised, requests) in enumerate(
            (("wanted", 0.0, WANTED), ("promised", PROMISED_H, ()), ("lost", HOURS, ()), ("nobody", 0.0, ()))
        )
    }
    world = World(nodes, items.values(), seed)
    for name, copies in (("wanted", 2), ("promised", 60), ("lost", 4), ("nobody", 30)):
        world.place(items[name], copies)
    return world


def run(nodes: int, seed: int) -> World:
    """Run the whole simulation."""
    world = make_world(nodes, seed)
    world.run(LOST_H)
    world.lose(next(item.id for item in world.items.values() if item.name == "lost"), but=1)
    world.run(HOURS - LOST_H)
    return world


def describe(name: str, series: list[Sample]) -> str:
    """Return one row of the table."""
    hours = [series[h * 60 - 1] for h in (1, 6, 12, 18, 24, 36, 60, 72)]
    cells = " | ".join(f"{each.up} ({each.target})" for each in hours)
    least = min(each.up for each in series)
    return f"| {NAMES[name]} | {cells} | {least} |"


def plot(world: World, path: Path) -> None:
    """Plot copies at online nodes, and targets, over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(10, 5.5), sharex=True)
    panel: Any
    for panel, (name, series) in zip(axes.flat, world.series.items(), strict=True):
        hours = [each.minute / 60 for each in series]
        panel.plot(
            hours, [each.up for each in series], color="#1f6f8b", linewidth=1, label="copies at nodes that are up"
        )
        panel.plot(
            hours, [each.target for each in series], color="#c8553d", linewidth=1.2, label="wanted by the policy"
        )
        panel.set_title(NAMES[name], fontsize=9)
        panel.set_ylim(0, 22)
        panel.grid(alpha=0.25)
    axes[0][0].legend(fontsize=8)
    for panel in axes[1]:
        panel.set_xlabel("hours")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description="Copies of matrices under churn.")
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    args = parser.parse_args()
    started = time.monotonic()
    world = run(args.nodes, args.seed)
    print("| copies up (target) at hour | 1 | 6 | 12 | 18 | 24 | 36 | 60 | 72 | least ever |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, series in world.series.items():
        print(describe(name, series))
    counts = ", ".join(f"{count} {name}" for name, count in sorted(world.counts.items()))
    print(f"\n{args.nodes} nodes, {HOURS} hours, seed {args.seed}: {counts}; took {time.monotonic() - started:.1f} s")
    if args.plot is not None:
        plot(world, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
