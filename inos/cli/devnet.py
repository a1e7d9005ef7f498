"""`inos devnet`: a whole network on this machine, with real work, until Ctrl-C or enough jobs."""

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inos.cli._chaos import EXAMPLE, check_no_others, run_under_chaos, stop_on_signals
from inos.cli.common.output import EXIT_FAILED, EXIT_INTERRUPTED, JsonOption, fail, print_json

if TYPE_CHECKING:
    from inos.devnet.run import DevnetReport, DevnetSettings, Show

FILLER_RATE: Final = 5000.0
DEFAULT_NODES: Final = 3


def command(
    until_jobs: Annotated[
        int | None, typer.Option("--until-jobs", min=1, metavar="N", help="Stop once N jobs are settled. [run on]")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Keep the nodes' data here. [a temporary folder]")
    ] = None,
    rpc_port: Annotated[
        int | None, typer.Option("--rpc-port", metavar="N", help="The first node's. [8645, or any free one]")
    ] = None,
    filler_rate: Annotated[
        float | None,
        typer.Option("--filler-rate", min=0, metavar="N", help="Filler tickets/s and miner; 0: all it can. [5000]"),
    ] = None,
    nodes: Annotated[
        int | None, typer.Option("--nodes", min=2, max=16, metavar="N", help="How many nodes. [3; 8 with --chaos]")
    ] = None,
    chaos: Annotated[
        str | None,
        typer.Option(
            "--chaos",
            metavar="WHAT",
            help="What goes wrong, e.g. kill=6/min,partition=2/min,delay=200ms,liars=2 (liars come beside the nodes).",
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="TIME", help="How long the chaos lasts: 90s, 2m, 1h. [1m]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, metavar="N", help="Repeats a run's chaos. [drawn and printed]")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Start nodes on loopback, all but one mining, and a customer with paid jobs.

    The jobs are the layers of a small classifier of handwritten digits. With --json there is no
    screen: one JSON object at the end, and exit code 0 only if tips are equal and supply is conserved.

    With --chaos nodes are killed, parted, slowed and lied to for a time; then everything heals, and the
    exit code is 0 only if all honest nodes end on one tip, supply is conserved, no job is lost and no node crashed.
    """
    from inos.devnet.run import DEFAULT_RPC_PORT, DevnetSettings, find_rpc_port

    if chaos is not None:
        check_no_others({"--until-jobs": until_jobs, "--rpc-port": rpc_port, "--filler-rate": filler_rate})
        run_under_chaos(chaos, nodes, duration, seed, data_dir, as_json=json)
        return
    if duration is not None or seed is not None:
        fail("needs-chaos", "--duration and --seed belong to a run with --chaos", f"for example --chaos {EXAMPLE}")
    port = rpc_port if rpc_port is not None else find_rpc_port(DEFAULT_RPC_PORT)
    rate = FILLER_RATE if filler_rate is None else filler_rate
    settings = DevnetSettings(data_dir, until_jobs, rate, port, nodes or DEFAULT_NODES)
    report = _run(settings, is_quiet=json)
    if json:
        print_json(dataclasses.asdict(report))
    else:
        _print_report(report)
    if not report.is_sound:
        raise typer.Exit(EXIT_FAILED)


def _run(settings: "DevnetSettings", *, is_quiet: bool) -> "DevnetReport":
    from inos.devnet.digits import DemoUnavailable
    from inos.devnet.run import run_devnet

    def announce(line: str) -> None:
        print(line, file=sys.stderr)

    async def main() -> "DevnetReport":
        stop_on_signals()
        with _screen(is_quiet=is_quiet) as show:
            return await run_devnet(settings, show, announce)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        announce("stopped; all nodes are down")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except DemoUnavailable as error:
        fail("demo-unavailable", str(error))


@contextlib.contextmanager
def _screen(*, is_quiet: bool) -> Iterator["Show | None"]:
    """A live view on a terminal, a line every few seconds elsewhere, nothing with --json."""
    if is_quiet:
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    from inos.devnet.view import render, render_line

    console = Console()
    if not console.is_terminal:
        yield lambda *frame: print(render_line(*frame), flush=True)
        return
    with Live(console=console, auto_refresh=False, screen=False) as live:

        def show(*frame: Any) -> None:
            live.update(render(*frame), refresh=True)

        yield show


def _print_report(report: "DevnetReport") -> None:
    print(f"height {report.height}, {report.jobs_settled} jobs settled, paid share {report.paid_share:.1%}")
    if report.accuracy is not None:
        print(f"accuracy through the chain {report.accuracy:.2%}, locally {report.local_accuracy:.2%}")
    verdicts = {"tips equal": report.tips_equal, "supply conserved": report.supply_conserved}
    print("; ".join(f"{name}: {'yes' if is_true else 'NO'}" for name, is_true in verdicts.items()))
