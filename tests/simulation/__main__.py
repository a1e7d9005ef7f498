"""`make simulate` runs all scenarios at full size, one process each, and prints their figures as a table.

Usage: python -m simulation [--seed N] [NAME ...]
"""

import argparse
import resource
import subprocess
import sys
import time

from simulation.catalogue import FULL
from simulation.report import format_row


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation", description="Scenarios on the simulated network.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FULL)}; all where none is given")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if unknown := set(args.names) - set(FULL):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if len(args.names) == 1:
        run(args.names[0], args.seed)
        return 0
    print("| scenario | nodes | invariant | figures | simulated | took |\n|---|---|---|---|---|---|", flush=True)
    # Each has its own process, so that memory is measured separately.
    return max(
        subprocess.run([sys.executable, "-m", "simulation", name, "--seed", str(args.seed)], check=False).returncode
        for name in args.names or FULL
    )


def run(name: str, seed: int) -> None:
    began = time.monotonic()
    report = FULL[name](seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    print(format_row(report, f"{time.monotonic() - began:.0f} s, {peak:,} MB"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
