#!/usr/bin/env python3
"""Measure what a cheating miner gains: its tickets per second against those of an honest miner, in one run.

    python benchmarks/attacks.py                      print a table, with the best kernel of this machine
    python benchmarks/attacks.py --backend native-avx2 --rounds 15 --json

Each cheat is timed once per round, and the honest miner before each of them. Figures are medians, and ratios are
medians of neighbouring measurements. Every winning ticket is verified as a node would. docs/security.md explains the
figures.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cheating.compiled import NoCheat
from cheating.kernel import Cheat
from cheating.measure import Result, measure
from cheating.strategies import list_attacks
from inos.bench.machine import describe_machine
from inos.work.backends import InvalidBackend, get_backend
from inos.work.engine import get_threads

FINDING = 1.15
"""A larger ratio is listed as a finding in docs/security.md."""
PREFIX = "native-"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="auto", help="a native one of: inos work backends")
    parser.add_argument("--threads", type=int, default=get_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=4096, help="m = n = k of the honest miner")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.threads < 1 or given.rounds < 1 or given.size < 1:
        parser.error("--threads, --rounds and --size are at least 1")
    try:
        backend = get_backend(given.backend).name
        cheat = Cheat(backend.removeprefix(PREFIX), given.threads)
    except (InvalidBackend, NoCheat) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    attacks = list(list_attacks(cheat, backend, given.threads, (given.size,) * 3))
    results = measure(attacks, given.rounds)
    machine = describe_machine() | {"backend": backend, "threads": str(given.threads), "rounds": str(given.rounds)}
    if given.json:
        print(json.dumps({"machine": machine, "attacks": [to_json(result) for result in results]}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in machine.items()))
        print(make_table(results))
    return 0


def to_json(result: Result) -> dict[str, object]:
    return {name: getattr(result, name) for name in result.__struct_fields__} | {"is_finding": result.ratio > FINDING}


def make_table(results: list[Result]) -> str:
    """Return Markdown, which is also readable in a terminal."""
    rows = [["way", "skips", "tickets/s", "to honest", "by CPU time", "wins verified"]]
    for result in results:
        mark = "  FINDING" if result.ratio > FINDING else ""
        figures = f"{result.tickets_per_s:,.0f}", f"{result.ratio:.2f}{mark}", f"{result.cpu_ratio:.2f}"
        rows.append([result.name, result.skips, *figures, str(result.verified)])
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (wide + 2) for wide in widths) + "|")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
