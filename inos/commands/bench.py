"""`inos bench`: measure on this machine."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from inos.benchmark.contenders import find_torch
from inos.benchmark.measure import SHAPES, measure
from inos.benchmark.report import describe_machine, make_table, plot, to_json
from inos.commands._common import JsonOption, fail, print_json
from work.backends import get_backend
from work.engine import get_threads

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _bench() -> None:
    """Measure on this machine what mining costs."""


@app.command()
def work(
    shapes: Annotated[
        list[str] | None, typer.Option("--shape", metavar="MxNxK", help="May be given several times. Default: six.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each is timed.")] = 5,
    backend: Annotated[str, typer.Option("--backend", metavar="NAME", help="See: inos work backends")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Default: one per processor.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Throughput against size, as a picture.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Time the certified product against numpy, torch and the bare kernel, alternating within one run.

    The certified product includes everything: hashing both operands, noise, packing, tickets, peeling.
    Torch and --plot need the extra: pip install 'inos[bench]'.
    """
    chosen = [_parse(text) for text in shapes] if shapes else list(SHAPES)
    if picture is not None and find_spec("matplotlib") is None:
        fail("no-matplotlib", "--plot needs matplotlib", "pip install 'inos[bench]'")
    kernel, count = get_backend(backend), threads or get_threads()
    if find_torch() is None:
        print("note: torch is not installed and is left out; pip install 'inos[bench]'", file=sys.stderr)
    measured = []
    for shape in chosen:
        print(f"measuring {' x '.join(map(str, shape))} ...", file=sys.stderr)
        measured.append(measure(shape, backend, count, rounds))
    machine = describe_machine() | {"backend": kernel.name, "threads": str(count)}
    if picture is not None:
        plot(measured, picture)
    if json_:
        print_json({"machine": machine, "measured": to_json(measured)})
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items()) + f"; medians of {rounds} rounds\n")
    print(make_table(measured))


def _parse(text: str) -> tuple[int, int, int]:
    if not (found := re.fullmatch(r"(\d+)[x*,](\d+)[x*,](\d+)", text)):
        fail("bad-shape", f"--shape {text!r} is not MxNxK", "for example 4096x4096x4096")
    m, n, k = (int(digits) for digits in found.groups())
    return m, n, k
