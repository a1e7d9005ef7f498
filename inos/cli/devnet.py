"""`inos devnet`: a whole network on this machine with real work, for a while or under chaos."""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from inos.cli.common.options import JsonOption
from inos.cli.common.output import EXIT_FAILED, EXIT_INTERRUPTED, fail, print_json, print_progress, print_text

if TYPE_CHECKING:
    from inos.devnet.run import DevnetReport, DevnetSettings, Show

T = TypeVar("T")
FILLER_RATE: Final = 5000.0
DEFAULT_NODES: Final = 3
CHAOS_NODES: Final = 8
CHAOS_EXAMPLE: Final = "kill=6/min,partition=2/min,delay=200ms,liars=2"
DEFAULT_DURATION: Final = "1m"
SEED_BITS: Final = 32


def command(
    until_jobs: Annotated[
        int | None,
        typer.Option(
            "--until-jobs", min=1, metavar="N", help="Stop once N jobs are settled. Default: run until Ctrl-C."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir", metavar="DIR", help="Keep the nodes' data in this directory. Default: a temporary one."
        ),
    ] = None,
    rpc_port: Annotated[
        int | None,
        typer.Option("--rpc-port", metavar="N", help="The RPC port of the first node. Default: 8645, or any free one."),
    ] = None,
    filler_rate: Annotated[
        float | None,
        typer.Option(
            "--filler-rate",
            min=0,
            metavar="N",
            help="Filler tickets per second and miner; 0 is no limit. Default: 5000.",
        ),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option("--nodes", min=2, max=16, metavar="N", help="The number of nodes. Default: 3, or 8 with --chaos."),
    ] = None,
    chaos: Annotated[
        str | None,
        typer.Option(
            "--chaos",
            metavar="PLAN",
            help=f"What goes wrong, such as {CHAOS_EXAMPLE} (liars come in addition to the nodes).",
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option("--duration", metavar="TIME", help="How long the chaos lasts: 90s, 2m, 1h. Default: 1m."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, metavar="N", help="Repeat the chaos of the run that printed N. Default: random."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Start nodes on loopback, all but one mining, and a customer with paid jobs.

    The jobs are batches of handwritten digits, which a small classifier reads: each batch is one program. Programs need
    voters for a jury, which the network has after a minute; until then the products of the layers are the jobs. With
    --json nothing is drawn: one JSON object is printed at the end, and the exit code is 0 only if all tips are equal
    and the supply is conserved.

    With --chaos nodes are killed, partitioned, slowed and lied to for a time; then everything heals. The exit code is 0
    only if all honest nodes end on one tip, the supply is conserved, no job is lost and no node crashed.
    """
    from inos.devnet.run import DevnetSettings

    if chaos is not None:
        _refuse_with_chaos({"--until-jobs": until_jobs, "--rpc-port": rpc_port, "--filler-rate": filler_rate})
        _run_chaos(chaos, nodes, duration, seed, data_dir, as_json=json_)
        return
    if duration is not None or seed is not None:
        fail("needs-chaos", "--duration and --seed need --chaos", f"for example --chaos {CHAOS_EXAMPLE}")
    rate = FILLER_RATE if filler_rate is None else filler_rate
    settings = DevnetSettings(data_dir, until_jobs, rate, rpc_port, nodes or DEFAULT_NODES)
    report = _run(settings, is_quiet=json_)
    if json_:
        print_json(dataclasses.asdict(report))
    else:
        _print_report(report)
    if not report.is_sound:
        raise typer.Exit(EXIT_FAILED)


def _run(settings: "DevnetSettings", *, is_quiet: bool) -> "DevnetReport":
    from inos.devnet.digits import DemoUnavailable
    from inos.devnet.run import run_devnet

    async def run() -> "DevnetReport":
        with _screen(is_quiet=is_quiet) as show:
            return await run_devnet(settings, show, print_progress)

    try:
        return _run_until_signal(run())
    except DemoUnavailable as error:
        fail("demo-unavailable", str(error))


@contextlib.contextmanager
def _screen(*, is_quiet: bool) -> Iterator["Show | None"]:
    """Yield what draws a frame: a live view on a terminal, a line each elsewhere, nothing with --json."""
    if is_quiet:
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    from inos.devnet.view import render, render_line

    console = Console()
    if not console.is_terminal:
        yield lambda *frame: print_text(render_line(*frame), flush=True)
        return
    with Live(console=console, auto_refresh=False, screen=False) as live:

        def show(*frame: Any) -> None:
            live.update(render(*frame), refresh=True)

        yield show


def _print_report(report: "DevnetReport") -> None:
    print_text(
        f"height {report.height}, {report.jobs_settled} jobs settled, {report.programs_answered} programs answered, "
        f"paid share {report.paid_share:.1%}"
    )
    if report.accuracy is not None:
        print_text(f"accuracy through the chain {report.accuracy:.2%}, locally {report.local_accuracy:.2%}")
    verdicts = {"tips equal": report.tips_equal, "supply conserved": report.supply_conserved}
    print_text("; ".join(f"{name}: {'yes' if is_true else 'NO'}" for name, is_true in verdicts.items()))


def _refuse_with_chaos(options: Mapping[str, object]) -> None:
    """Refuse options that a run under chaos would ignore."""
    for name, value in options.items():
        if value is not None:
            fail("not-with-chaos", f"{name} cannot be combined with --chaos", "--duration says when the run ends")


def _run_chaos(
    plan: str, nodes: int | None, duration: str | None, seed: int | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Run a network under chaos, print the report, and exit with 1 if it is not sound."""
    from rich.console import Console

    from inos.devnet.chaos.plan import parse_chaos, parse_duration
    from inos.devnet.chaos.report import render_report
    from inos.devnet.chaos.run import ChaosSettings, run_chaos

    settings = ChaosSettings(
        nodes=nodes or CHAOS_NODES,
        plan=parse_chaos(plan),
        duration_s=parse_duration(duration or DEFAULT_DURATION),
        seed=random.SystemRandom().getrandbits(SEED_BITS) if seed is None else seed,
        data_dir=data_dir,
    )
    report = _run_until_signal(run_chaos(settings, print_progress))
    if as_json:
        print_json(report.to_json())
    else:
        Console().print(render_report(report))
    if not report.is_sound:
        raise typer.Exit(EXIT_FAILED)


def _run_until_signal(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, which the first signal cancels; nodes are in sessions of their own and do not see it."""

    from inos.node.process import get_stop_signals

    async def run() -> T:
        task = asyncio.current_task()
        if task is not None:
            for number in get_stop_signals():
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        print_progress("stopped; all nodes are down")
        raise typer.Exit(EXIT_INTERRUPTED) from None
