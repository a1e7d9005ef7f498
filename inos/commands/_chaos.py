"""`inos devnet --chaos`: the run and its report on the screen."""

import asyncio
import random
import signal
import sys
from pathlib import Path

import msgspec
import typer

from inos.commands._common import EXIT_FAILED, EXIT_INTERRUPTED, print_json
from inos.devnet.chaos.plan import parse_duration, parse_plan
from inos.devnet.chaos.run import ChaosReport, ChaosSettings, run_chaos
from inos.devnet.run import DEV_PHRASE


def run_and_print(
    plan: str,
    duration: str,
    seed: int | None,
    nodes: int,
    data_dir: Path | None,
    filler_rate: float,
    rpc_port: int,
    *,
    as_json: bool,
) -> None:
    """Run the chaos and print what came of it; exit code 1 where something was lost."""
    settings = ChaosSettings(
        plan=parse_plan(plan),
        nodes=nodes,
        duration_s=parse_duration("--duration", duration),
        seed=random.SystemRandom().getrandbits(31) if seed is None else seed,
        data_dir=data_dir,
        filler_rate=filler_rate,
        rpc_port=rpc_port,
    )
    try:
        report = asyncio.run(_run(settings))
    except asyncio.CancelledError:
        print("stopped; all nodes are down", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        print_json(msgspec.to_builtins(report) | {"is_sound": report.is_sound})
    else:
        _print(report)
    if not report.is_sound:
        raise typer.Exit(EXIT_FAILED)


async def _run(settings: ChaosSettings) -> ChaosReport:
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await run_chaos(settings, DEV_PHRASE, lambda line: print(line, file=sys.stderr, flush=True))


def _print(report: ChaosReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("node", "does", "height", "tip", "kills", "bans", "reorgs", "deepest", "errors", box=None)
    for node in report.nodes:
        cells = (node.height, node.tip[:8], node.kills, node.bans, node.reorganisations, node.deepest, node.tracebacks)
        table.add_row(node.name, node.role, *map(str, cells))
    Console().print(table)
    for name, count in report.lies.items():
        print(f"liars: {name} {count} times")
    jobs = ", ".join(f"{count} {name}" for name, count in report.jobs.items())
    healed = "not in time" if report.seconds_to_heal is None else f"{report.seconds_to_heal} s"
    broken = f"{report.kills} kills, {report.partitions} partitions"
    print(f"seed {report.seed}: {broken}, jobs: {jobs}; one tip after {healed}")
    verdicts = {
        "one tip": report.one_tip,
        "supply conserved": report.supply_conserved,
        "no job lost": not report.jobs_lost,
        "no honest node banned": all(node.honest_bans == 0 for node in report.nodes),
        "no error in a log": all(node.tracebacks == 0 for node in report.nodes),
    }
    print("; ".join(f"{name}: {'yes' if is_true else 'NO'}" for name, is_true in verdicts.items()))
