"""`inos devnet`: a whole network on this machine, with real work, until Ctrl-C or enough jobs."""

import asyncio
import contextlib
import dataclasses
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inos.commands._common import EXIT_FAILED, EXIT_INTERRUPTED, JsonOption, fail, print_json

if TYPE_CHECKING:
    from inos.devnet.run import DevnetReport, DevnetSettings, Show

FILLER_RATE: Final = 150.0


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
        float, typer.Option("--filler-rate", min=0, metavar="N", help="Filler tickets/s and miner; 0: all it can.")
    ] = FILLER_RATE,
    nodes: Annotated[int, typer.Option("--nodes", min=2, max=16, metavar="N", help="How many; all but one mine.")] = 3,
    chaos: Annotated[
        str | None,
        typer.Option("--chaos", metavar="PLAN", help='Break it: "kill=6/min,partition=2/min,delay=200ms,liars=2".'),
    ] = None,
    duration: Annotated[
        str, typer.Option("--duration", metavar="TIME", help="How long to break things, e.g. 90s or 2m.")
    ] = "1m",
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the chaos: whom it hits, and when. [a new one]")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Start three nodes on loopback, two of them mining, and a customer with paid jobs.

    The jobs are the layers of a small classifier of handwritten digits. With --json there is no
    screen: one JSON object at the end, and exit code 0 only if tips are equal and supply is conserved.

    With --chaos nodes are killed, links cut and slowed, and liars sent among the peers for a time; then
    everything heals, and the report says whether one tip, every credit and every job are still there.
    """
    from inos.devnet.run import DEFAULT_RPC_PORT, DevnetSettings, find_rpc_port

    port = rpc_port if rpc_port is not None else find_rpc_port(DEFAULT_RPC_PORT)
    if chaos is not None:
        from inos.commands._chaos import run_and_print

        return run_and_print(chaos, duration, seed, nodes, data_dir, filler_rate, port, as_json=json)
    settings = DevnetSettings(data_dir, until_jobs, filler_rate, port, nodes)
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
        task = asyncio.current_task()
        if task is not None:
            # The first signal stops in order; the nodes are in sessions of their own and do not see it.
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
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
    print(f"height {report.height}, {report.jobs_settled} jobs settled, useful share {report.useful_share:.1%}")
    if report.accuracy is not None:
        print(f"accuracy through the chain {report.accuracy:.2%}, locally {report.local_accuracy:.2%}")
    verdicts = {"tips equal": report.tips_equal, "supply conserved": report.supply_conserved}
    print("; ".join(f"{name}: {'yes' if is_true else 'NO'}" for name, is_true in verdicts.items()))
