"""`inos bench`: measure on this machine."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from inos.bench.floats import measure_floats, show_floats
from inos.bench.work.contenders import find_torch
from inos.bench.work.measure import SHAPES, measure
from inos.bench.work.report import describe_machine, make_table, plot, to_json
from inos.cli.common.output import JsonOption, fail, print_json
from inos.work.backends import get_backend
from inos.work.engine import get_threads

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _bench() -> None:
    """Measure on this machine."""


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
    r"""Time the certified product against numpy, torch and the bare kernel, alternating within one run.

    The certified product includes everything: hashing both operands, noise, packing, tickets, peeling.
    Torch and --plot need the extra: pip install 'inos\[bench]'.
    """
    chosen = [_parse(text) for text in shapes] if shapes else list(SHAPES)
    if picture is not None and find_spec("matplotlib") is None:
        fail("no-matplotlib", "--plot needs matplotlib", "pip install 'inos[bench]'")
    kernel, count = get_backend(backend), threads or get_threads()
    if find_torch() is None:
        print("note: torch is not installed and is left out; pip install 'inos[bench]'", file=sys.stderr)
    measured = []
    for number, shape in enumerate(chosen, 1):
        print(f"measuring {' x '.join(map(str, shape))} ({number} of {len(chosen)}) ...", file=sys.stderr)
        measured.append(measure(shape, backend, count, rounds))
    floats = None
    if not shapes:
        print("measuring float64 ...", file=sys.stderr)
        floats = measure_floats()
    machine = describe_machine() | {"backend": kernel.name, "threads": str(count)}
    if picture is not None:
        plot(measured, picture)
    if json_:
        print_json({"machine": machine, "measured": to_json(measured), "float64": msgspec.to_builtins(floats)})
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items()) + f"; medians of {rounds} rounds\n")
    print(make_table(measured))
    if floats is not None:
        print(f"\n{show_floats(floats)}")


@app.command()
def sync(
    blocks: Annotated[int, typer.Option("--blocks", min=1, metavar="N", help="Length of the chain.")] = 20_000,
    transfers: Annotated[int, typer.Option("--transfers", min=0, metavar="N", help="In each block.")] = 0,
    sources: Annotated[int, typer.Option("--sources", min=1, max=8, metavar="N", help="Nodes that have it.")] = 1,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep the chain here, and take it from here again.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Sync a new node over loopback from another one: real processes, every seal and signature checked.

    The chain is made first: real seals at the easiest target. 20,000 empty blocks take about half a minute to make,
    a transfer about half a millisecond.
    """
    from inos.bench.sync import run

    chain, figures = run(blocks, transfers, keep, sources, lambda text: print(text, file=sys.stderr))
    machine = describe_machine()
    if json_:
        print_json({"machine": machine, "made_s": round(chain.seconds, 1), "sync": msgspec.to_builtins(figures)})
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"made in {chain.seconds:.1f} s")
    print(f"synced {figures.blocks} blocks, {figures.transfers} transfers in {figures.seconds:.1f} s")
    print(f"  {figures.blocks_per_s:.0f} blocks/s, {figures.transfers_per_s:.0f} transfers/s")
    print(f"  first block after {figures.first_block_s:.1f} s")
    print(f"  memory: node {figures.node_mb:.0f} MB, its workers {figures.workers_mb:.0f} MB, ", end="")
    print(f"source {figures.source_mb:.0f} MB")
    shares = sorted(figures.shares.items(), key=lambda item: -item[1])
    print("  time: " + ", ".join(f"{what} {part:.0%}" for what, part in shares))


@app.command()
def snapshot(
    accounts: Annotated[int, typer.Option("--accounts", min=1, metavar="N", help="In the state.")] = 100_000,
    sources: Annotated[int, typer.Option("--sources", min=1, max=8, metavar="N", help="Nodes that have it.")] = 2,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep the chain here, and take it from here again.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Start a new node with --snapshot beside nodes whose state has many accounts: how soon does it follow?

    The chain is made first: a transfer to every account, voters, and their votes on every checkpoint.
    """
    from inos.bench.snapshot import run

    chain, figures = run(accounts, keep, sources, lambda text: print(text, file=sys.stderr))
    machine = describe_machine()
    if json_:
        print_json({"machine": machine, "made_s": round(chain.seconds, 1), "snapshot": msgspec.to_builtins(figures)})
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"{figures.accounts} accounts, {figures.blocks} blocks, made in {chain.seconds:.1f} s, {sources} sources")
    print(f"  process ready after {figures.ready_s:.1f} s")
    print(f"  state of block {figures.base_height} whole {figures.state_s:.1f} s later")
    print(f"  following {figures.following_s:.1f} s after it was ready")
    print(f"  memory: {figures.node_mb:.0f} MB")


@app.command()
def mesh(
    mebibytes: Annotated[int, typer.Option("--mib", min=1, max=4096, metavar="N", help="Size of the matrix.")] = 1024,
    sources: Annotated[int, typer.Option("--sources", min=1, max=8, metavar="N", help="Nodes that have it.")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="On the disk to be measured. [the temporary folder]")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Store a matrix, and fetch it by one node from others over loopback: real processes, every strip verified.

    Both ends when the bytes are forced to the disk. It takes the room of the matrix once for each node.
    """
    from inos.bench.mesh import run

    figures = run(mebibytes, sources, lambda text: print(text, file=sys.stderr), folder)
    rates = {"store": figures.store_rate, "fetch": figures.fetch_rate, "read": figures.read_rate}
    if json_:
        found = msgspec.to_builtins(figures) | {f"{name}_mb_per_s": round(rate, 1) for name, rate in rates.items()}
        print_json({"machine": describe_machine(), "mesh": found})
        return
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()))
    print(f"{figures.bytes / 1e6:.0f} MB, from {figures.sources} node{'s' if figures.sources > 1 else ''}")
    print(f"  stored      {rates['store']:6.0f} MB/s  cut, hashed, written, synced")
    print(f"  fetched     {rates['fetch']:6.0f} MB/s  over an encrypted link, verified, written, synced")
    print(f"  read back   {rates['read']:6.0f} MB/s  hashed again")
    print(f"  memory of the fetching node: {figures.node_mb:.0f} MB at most")


@app.command()
def net(
    nodes: Annotated[
        int, typer.Option("--nodes", min=3, max=32, metavar="N", help="Nodes that blocks spread over.")
    ] = 8,
    seconds: Annotated[float, typer.Option("--seconds", min=1, metavar="S", help="For each of five parts.")] = 40.0,
    json_: JsonOption = False,
) -> None:
    """Time what happens between nodes over loopback: links, blocks, silence, restarts, floods. Real processes."""
    from inos.bench.net.report import make_rows, measure_net

    found = measure_net(nodes, seconds, lambda text: print(text, file=sys.stderr))
    if json_:
        print_json({"machine": describe_machine(), "measured": msgspec.to_builtins(found)})
        return
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()))
    for what, figure in make_rows(found):
        print(f"{what:<40} {figure}")


@app.command()
def finality(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each is timed.")] = 50,
    json_: JsonOption = False,
) -> None:
    """Time the signatures of finality: one vote, and the aggregate of a whole committee's 128."""
    from inos.bench.finality import measure_finality

    measured = measure_finality(rounds)
    if json_:
        print_json({"machine": describe_machine(), "measured": msgspec.to_builtins(measured)})
        return
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()) + f"; medians of {rounds} rounds")
    for row in measured:
        print(f"{row.backend:>9}  {row.what:<42} {row.ms:10.2f} ms")


@app.command()
def challenge(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each is timed.")] = 50,
    json_: JsonOption = False,
) -> None:
    """Time the check of a challenge on chain: one wrong tile of a product, at several depths."""
    from inos.bench.challenge import measure_challenges

    measured = measure_challenges(rounds)
    if json_:
        print_json({"machine": describe_machine(), "measured": msgspec.to_builtins(measured)})
        return
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()) + f"; medians of {rounds} rounds")
    for row in measured:
        print(
            f"k = {row.depth:>6}  {row.bytes:>9,} bytes  checked in {row.check_ms:6.2f} ms"
            f"  (numpy's product of the tile alone: {row.numpy_ms:.2f} ms)"
        )


@app.command()
def start(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each is timed.")] = 5,
    json_: JsonOption = False,
) -> None:
    """Time what people wait for: the help, a node's first answer, a chain for a test."""
    from inos.bench.start import measure_starts

    measured = measure_starts(rounds)
    if json_:
        print_json({"machine": describe_machine(), "measured": msgspec.to_builtins(measured)})
        return
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()) + f"; medians of {rounds} rounds")
    for row in measured:
        print(f"{row.what:<46} {row.seconds:6.2f} s   (under {row.limit_s:g} s wanted)")


def _parse(text: str) -> tuple[int, int, int]:
    if not (found := re.fullmatch(r"(\d+)[x*,](\d+)[x*,](\d+)", text)):
        fail("bad-shape", f"--shape {text!r} is not MxNxK", "for example 4096x4096x4096")
    m, n, k = (int(digits) for digits in found.groups())
    return m, n, k
