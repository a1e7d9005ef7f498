"""`inos devnet --chaos`: a network that is broken on purpose, and the verdict on it."""

import asyncio
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from inos.cli.common.output import EXIT_FAILED, EXIT_INTERRUPTED, fail, print_json

if TYPE_CHECKING:
    from inos.devnet.chaos.report import ChaosReport
    from inos.devnet.chaos.run import ChaosSettings

EXAMPLE: Final = "kill=6/min,partition=2/min,delay=200ms,liars=2"
DEFAULT_DURATION: Final = "1m"
DEFAULT_NODES: Final = 8
SEED_BITS: Final = 32


def check_no_others(options: Mapping[str, object]) -> None:
    """Options that mean nothing in a run under chaos are refused rather than ignored."""
    for name, value in options.items():
        if value is not None:
            fail("not-with-chaos", f"{name} does not go with --chaos", "a run under chaos lasts as long as --duration")


def run_under_chaos(
    chaos: str, nodes: int | None, duration: str | None, seed: int | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Run, print the report, and exit with 1 where it is not sound."""
    from inos.devnet.chaos.plan import parse_chaos, parse_duration
    from inos.devnet.chaos.run import ChaosSettings

    settings = ChaosSettings(
        nodes=nodes or DEFAULT_NODES,
        plan=parse_chaos(chaos),
        duration_s=parse_duration(duration or DEFAULT_DURATION),
        seed=random.SystemRandom().getrandbits(SEED_BITS) if seed is None else seed,
        data_dir=data_dir,
    )
    report = _run(settings)
    if as_json:
        print_json(report.to_json())
    else:
        _print_report(report)
    if not report.is_sound:
        raise typer.Exit(EXIT_FAILED)


def _run(settings: "ChaosSettings") -> "ChaosReport":
    from inos.devnet.chaos.run import run_chaos

    def announce(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    async def main() -> "ChaosReport":
        stop_on_signals()
        return await run_chaos(settings, announce)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        announce("stopped; all nodes are down")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def stop_on_signals() -> None:
    """The first signal stops in order; the nodes are in sessions of their own and do not see it."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _print_report(report: "ChaosReport") -> None:
    from rich.console import Console

    from inos.devnet.chaos.report import render_report

    Console().print(render_report(report))
