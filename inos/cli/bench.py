"""`inos bench`: measurements on this machine."""

import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import typer

from inos.cli.common.options import (
    BackendOption,
    JsonOption,
    KeepOption,
    RoundsOption,
    SourcesOption,
    ThreadsOption,
)
from inos.cli.common.output import fail, print_json, print_progress, print_text

app = typer.Typer(no_args_is_help=True, add_completion=False)
MemoryOption: TypeAlias = Annotated[
    bool, typer.Option("--memory/--no-memory", help="Measure four workers with an operand of 1 GiB too.")
]


@app.callback()
def _bench() -> None:
    """Measure this machine: products, blocks, jobs, sync, matrices, links between nodes, signatures."""
    from inos.node.logs import configure_logs

    configure_logs("warning", "console")


@app.command()
def work(
    shapes: Annotated[
        list[str] | None,
        typer.Option("--shape", metavar="MxNxK", help="A shape to measure; repeatable. Default: six shapes."),
    ] = None,
    rounds: RoundsOption = 5,
    backend: BackendOption = "auto",
    threads: ThreadsOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Plot throughput against size into this file.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    r"""Time the certified product against numpy, torch and the bare kernel, in alternation within one run.

    The certified product includes everything: hashing both operands, noise, packing, tickets, peeling.
    Torch and --plot need more packages: pip install torch matplotlib.
    """
    from inos.bench.load import LoadMeter
    from inos.bench.work.contenders import find_torch
    from inos.bench.work.measure import SHAPES, measure
    from inos.bench.work.report import make_table, save_plot, to_json
    from inos.work.backends import get_backend
    from inos.work.engine import get_threads

    chosen = [_parse(text) for text in shapes] if shapes else list(SHAPES)
    if plot is not None and find_spec("matplotlib") is None:
        fail("no-matplotlib", "--plot needs matplotlib", "pip install matplotlib")
    kernel, count = get_backend(backend), threads or get_threads()
    if find_torch() is None:
        print_progress("note: torch is not installed and is left out; pip install torch")
    measured, meter = [], LoadMeter()
    for number, shape in enumerate(chosen, 1):
        print_progress(f"measuring {' x '.join(map(str, shape))} ({number} of {len(chosen)}) ...")
        measured.append(measure(shape, backend, count, rounds))
    load = meter.read()
    if plot is not None:
        save_plot(measured, plot)
    kernel_used = {"backend": kernel.name, "threads": str(count)}
    if json_:
        _print_json({"measured": to_json(measured), "load": load.to_json()}, kernel_used)
        return
    _print_lines(["", make_table(measured), "", load.describe()], rounds, kernel_used)


@app.command()
def floats(
    sides: Annotated[
        list[int] | None,
        typer.Option("--side", min=1, metavar="N", help="Measure N x N matrices; repeatable. Default: 1024 and 2048."),
    ] = None,
    rounds: RoundsOption = 5,
    json_: JsonOption = False,
) -> None:
    """Time inos.matmul of floats on this machine against numpy's product, in alternation, and compare their errors."""
    from inos.bench.floats import SIDES, TYPES, describe_floats, measure_floats
    from inos.bench.load import LoadMeter
    from inos.work.backends import get_backend

    rows, meter = [], LoadMeter()
    for dtype in TYPES:
        for side in sides or SIDES:
            print_progress(f"measuring {dtype}, side {side} ...")
            rows.append(measure_floats(side, rounds, dtype))
    load, kernel_used = meter.read(), {"backend": get_backend("auto").name}
    if json_:
        _print_json({"measured": msgspec.to_builtins(rows), "load": load.to_json()}, kernel_used)
        return
    _print_lines(["", *describe_floats(rows), "", load.describe()], rounds, kernel_used)


@app.command()
def sync(
    blocks: Annotated[
        int, typer.Option("--blocks", min=1, metavar="N", help="The number of blocks of the chain.")
    ] = 20_000,
    transfers: Annotated[
        int, typer.Option("--transfers", min=0, metavar="N", help="The number of transfers in each block.")
    ] = 0,
    sources: SourcesOption = 1,
    keep: KeepOption = None,
    json_: JsonOption = False,
) -> None:
    """Sync a new node over loopback from other nodes: real processes, every seal and signature checked.

    The chain is made first, with real seals at the easiest target. 20,000 empty blocks take about half a minute to
    make, a transfer about half a millisecond.
    """
    from inos.bench.load import LoadMeter
    from inos.bench.sync import describe_sync, measure_sync

    meter = LoadMeter()
    chain, stats = measure_sync(blocks, transfers, keep, sources, print_progress)
    load = meter.read()
    if json_:
        measured = {"made_s": round(chain.seconds, 1), "sync": msgspec.to_builtins(stats), "load": load.to_json()}
        _print_json(measured)
        return
    _print_lines(["", *describe_sync(chain, stats), "", load.describe()])


@app.command()
def chain(
    blocks: Annotated[
        int, typer.Option("--blocks", min=2_000, metavar="N", help="The number of blocks of the long chain.")
    ] = 1_000_000,
    rounds: RoundsOption = 3,
    keep: KeepOption = None,
    json_: JsonOption = False,
) -> None:
    """Start a node on a long chain and on a short one: time to the first answer, memory, disk, old headers.

    The chains are written straight into the database, with the records of a node that synced empty blocks; a million
    blocks take about two minutes and 1.5 GB.
    """
    from inos.bench.chain import describe_chain, measure_chain

    stats = measure_chain(blocks, rounds, keep, print_progress)
    if json_:
        _print_json({"chain": msgspec.to_builtins(stats)}, {"rounds": str(rounds)})
        return
    _print_lines(describe_chain(stats), rounds)


@app.command()
def snapshot(
    accounts: Annotated[
        int, typer.Option("--accounts", min=1, metavar="N", help="The number of accounts in the state.")
    ] = 100_000,
    sources: SourcesOption = 2,
    keep: KeepOption = None,
    json_: JsonOption = False,
) -> None:
    """Start a new node by snapshot sync beside nodes whose state has many accounts: how soon does it follow?

    The chain is made first: a transfer to every account, voters, and their votes on every checkpoint.
    """
    from inos.bench.snapshot import describe_snapshot, measure_snapshot

    chain, stats = measure_snapshot(accounts, keep, sources, print_progress)
    if json_:
        _print_json({"made_s": round(chain.seconds, 1), "snapshot": msgspec.to_builtins(stats)})
        return
    _print_lines(describe_snapshot(chain, stats, sources))


@app.command()
def mesh(
    mebibytes: Annotated[
        int, typer.Option("--mib", min=1, max=4096, metavar="N", help="The size of the matrix in MiB.")
    ] = 1024,
    sources: SourcesOption = 1,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="A directory on the disk to measure. Default: the temporary directory."
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Store a matrix, and fetch it from other nodes over loopback: real processes, every strip verified.

    Storing and fetching end when the bytes are forced to the disk. Each node needs room for the matrix.
    """
    from inos.bench.mesh import describe_mesh, measure_mesh

    stats = measure_mesh(mebibytes, sources, print_progress, folder)
    if json_:
        rates = {f"{name}_mb_per_s": round(rate, 1) for name, rate in stats.compute_rates().items()}
        _print_json({"mesh": msgspec.to_builtins(stats) | rates})
        return
    _print_lines(describe_mesh(stats))


@app.command()
def cluster(
    side: Annotated[int, typer.Option("--side", min=256, metavar="N", help="The side of the three squares.")] = 4096,
    rounds: RoundsOption = 5,
    threads: ThreadsOption = None,
    has_memory: MemoryOption = True,
    backend: BackendOption = "auto",
    json_: JsonOption = False,
) -> None:
    """Time products on a Ray cluster of this machine's processors against the node's own engine, in one run.

    It starts and ends the cluster itself. It also measures the memory of four workers with an operand of 1 GiB. Ray is
    the extra "cluster".
    """
    from inos.bench.cluster import describe_cluster, measure_cluster
    from inos.bench.load import LoadMeter
    from inos.work.engine import get_threads

    meter = LoadMeter()
    count = threads or get_threads()
    stats = measure_cluster(side, count, rounds, print_progress, has_memory=has_memory, backend=backend)
    load = meter.read()
    if json_:
        _print_json({"measured": msgspec.to_builtins(stats), "load": load.to_json()})
        return
    _print_lines(["", *describe_cluster(stats), "", load.describe()], rounds)


@app.command()
def workers(
    side: Annotated[int, typer.Option("--side", min=256, metavar="N", help="The side of the three squares.")] = 4096,
    count: Annotated[int, typer.Option("--workers", min=1, max=64, metavar="N", help="Workers of one thread.")] = 2,
    rounds: RoundsOption = 5,
    has_memory: MemoryOption = True,
    backend: BackendOption = "auto",
    json_: JsonOption = False,
) -> None:
    """Time products over worker processes of this machine against the node's own engine, in one run.

    Every product is compared with the engine's. The workers map the operands from files, as those of a node do.
    """
    from inos.bench.load import LoadMeter
    from inos.bench.workers import describe_workers, measure_workers

    meter = LoadMeter()
    stats = measure_workers(side, count, rounds, print_progress, has_memory=has_memory, backend=backend)
    load = meter.read()
    if json_:
        _print_json({"measured": msgspec.to_builtins(stats), "load": load.to_json()})
        return
    _print_lines(["", *describe_workers(stats), "", load.describe()], rounds)


@app.command()
def net(
    nodes: Annotated[
        int, typer.Option("--nodes", min=3, max=32, metavar="N", help="The number of nodes that relay blocks.")
    ] = 8,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, metavar="SECONDS", help="How long each of five parts takes.")
    ] = 40.0,
    json_: JsonOption = False,
) -> None:
    """Time what happens between nodes over loopback: links, blocks, silence, restarts, floods. It runs real
    processes."""
    from inos.bench.net.report import describe_net, measure_net

    stats = measure_net(nodes, seconds, print_progress)
    if json_:
        _print_json({"measured": msgspec.to_builtins(stats)})
        return
    _print_lines(describe_net(stats))


@app.command()
def finality(rounds: RoundsOption = 50, json_: JsonOption = False) -> None:
    """Time the signatures of finality: one vote, and the aggregate of the largest committee, 128 members."""
    from inos.bench.finality import describe_finality, measure_finality

    rows = measure_finality(rounds)
    if json_:
        _print_json({"measured": msgspec.to_builtins(rows)})
        return
    _print_lines(describe_finality(rows), rounds)


@app.command()
def challenge(rounds: RoundsOption = 50, json_: JsonOption = False) -> None:
    """Time the check of a challenge on chain: one wrong tile of a product, at several depths."""
    from inos.bench.challenge import describe_challenges, measure_challenges

    rows = measure_challenges(rounds)
    if json_:
        _print_json({"measured": msgspec.to_builtins(rows)})
        return
    _print_lines(describe_challenges(rows), rounds)


@app.command()
def pool(
    members: Annotated[
        int, typer.Option("--members", min=1, max=100_000, metavar="N", help="How many addresses multiply.")
    ] = 1000,
    shares: Annotated[
        int, typer.Option("--shares", min=1000, max=10_000_000, metavar="N", help="How many shares they send.")
    ] = 100_000,
    json_: JsonOption = False,
) -> None:
    """Measure what a share costs a pool: counting it and writing it to the disk, and all from message to answer."""
    from inos.bench.pool import measure_pool

    found = measure_pool(members, shares)
    if json_:
        _print_json(msgspec.to_builtins(found))
        return
    _print_lines(
        [
            f"{found.shares} shares of {found.members} members: {found.share_us:.1f} us each, "
            f"the slowest {found.slowest_ms:.1f} ms",
            f"{found.message_us:.1f} us of processor time from a share's message to its answer",
            f"a share target {found.target_us:.1f} us, a block's income {found.block_ms:.1f} ms, opening "
            f"{found.opening_ms:.0f} ms, {found.disk_bytes / 1e6:.1f} MB on disk",
        ]
    )


@app.command()
def blocks(
    network: Annotated[
        str, typer.Option("--network", metavar="NAME", help="The preset whose limits count: devnet or testnet.")
    ] = "devnet",
    names: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="NAME", help="A kind of block to measure; repeatable. Default: all kinds."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Make the largest block that the rules allow, of each kind, and connect it on a real node that mines.

    The node mines on all cores. Meanwhile calls, transactions, templates and another block are timed at the same node,
    which may be at most 250 ms late; the block itself may take a quarter of the block spacing. All kinds take a quarter
    of an hour on the devnet, and longer on the testnet.
    """
    from inos.bench.blocks.kinds import KINDS
    from inos.bench.blocks.measure import measure_blocks
    from inos.bench.blocks.report import describe_blocks

    known = {kind.name: kind for kind in KINDS}
    for name in names or ():
        if name not in known:
            fail("unknown-kind", f"there is no kind of block {name!r}", f"the kinds are: {', '.join(known)}")
    found = list(measure_blocks(network, [known[name] for name in names or known], print_progress))
    if json_:
        _print_json({"network": network, "measured": msgspec.to_builtins(found)})
        return
    _print_lines(describe_blocks(found))


@app.command()
def jobs(
    small: Annotated[
        int, typer.Option("--small", min=1, metavar="N", help="How many jobs of 512 x 256 x 1024 to post.")
    ] = 30,
    large: Annotated[
        int, typer.Option("--large", min=1, metavar="N", help="How many jobs of 2048 x 2048 x 2048 to post.")
    ] = 10,
    json_: JsonOption = False,
) -> None:
    """Time a customer's wait: jobs posted by the command line on a network of three real nodes, one after another.

    The blocks are those of the devnet, one every two seconds. All of it takes about six minutes.
    """
    from inos.bench.jobs import SHAPES, describe_jobs, measure_jobs, to_json

    found = measure_jobs(dict(zip(SHAPES, (small, large), strict=True)), print_progress)
    if json_:
        _print_json(to_json(found))
        return
    _print_lines(describe_jobs(found))


@app.command()
def rpc(
    transfers: Annotated[
        int, typer.Option("--transfers", min=64, metavar="N", help="How many transfers to send for each rate.")
    ] = 6400,
    synced: Annotated[
        int, typer.Option("--synced", min=1, metavar="N", help="How many blocks a node syncs while it is called.")
    ] = 1000,
    json_: JsonOption = False,
) -> None:
    """Time calls to a node that mines on all cores or syncs, and count the transfers that a node takes a second."""
    from inos.bench.load import LoadMeter
    from inos.bench.rpc import describe_rpc, measure_rpc

    meter = LoadMeter()
    found = measure_rpc(transfers, synced, print_progress)
    load = meter.read()
    if json_:
        _print_json({"rpc": msgspec.to_builtins(found), "load": load.to_json()})
        return
    _print_lines(["", *describe_rpc(found), "", load.describe()])


@app.command()
def start(rounds: RoundsOption = 5, json_: JsonOption = False) -> None:
    """Time what people wait for: the help, a node's first answer, a chain in a test."""
    from inos.bench.start import describe_starts, measure_starts

    rows = measure_starts(rounds)
    if json_:
        _print_json({"measured": msgspec.to_builtins(rows)})
        return
    _print_lines(describe_starts(rows), rounds)


@app.command()
def functions(
    modules: Annotated[
        list[Path] | None, typer.Argument(metavar="[MODULE.wasm]...", help="Modules to compile and call as well.")
    ] = None,
    rounds: RoundsOption = 5,
    json_: JsonOption = False,
) -> None:
    """Time calls of functions: the start of the child process, compiling, steps, calls to the host."""
    from inos.bench.functions import describe_functions, measure_functions

    rows = measure_functions(modules or [], rounds)
    if json_:
        _print_json({"measured": msgspec.to_builtins(rows)})
        return
    _print_lines(describe_functions(rows), rounds)


@app.command()
def browser(rounds: RoundsOption = 5, json_: JsonOption = False) -> None:
    """Time the kernel that a page runs, in Node.js, in alternation with this node's kernels, one thread each."""
    from inos.bench.browser.measure import describe_browser, measure_browser
    from inos.bench.load import LoadMeter

    meter = LoadMeter()
    rows = measure_browser(rounds)
    load = meter.read()
    if json_:
        _print_json({"measured": msgspec.to_builtins(rows), "load": load.to_json()})
        return
    _print_lines([*describe_browser(rows), load.describe()], rounds)


@app.command()
def programs(
    layers: Annotated[
        int, typer.Option("--layers", min=1, max=64, metavar="N", help="The layers of the language model.")
    ] = 4,
    steps: Annotated[
        int, typer.Option("--steps", min=1, max=1024, metavar="N", help="The tokens that each of 16 sequences gets.")
    ] = 64,
    rounds: RoundsOption = 5,
    json_: JsonOption = False,
) -> None:
    """Time integer programs with the native interpreter, in alternation with numpy's: elementwise operations, and a
    language model that writes, also with its products mined."""
    from inos.bench.load import LoadMeter
    from inos.bench.programs.decoder import Model
    from inos.bench.programs.measure import describe_programs, measure_programs

    meter = LoadMeter()
    rows = measure_programs(Model(layers=layers, steps=steps), rounds)
    load = meter.read()
    if json_:
        _print_json({"measured": msgspec.to_builtins(rows), "load": load.to_json()})
        return
    _print_lines(["", *describe_programs(rows), "", load.describe()], rounds)


def _print_json(found: dict[str, Any], extra: dict[str, str] | None = None) -> None:
    from inos.bench.machine import describe_machine

    print_json({"machine": describe_machine() | (extra or {}), **found})


def _print_lines(lines: Iterable[str], rounds: int | None = None, extra: dict[str, str] | None = None) -> None:
    """Print what was measured below the machine it was measured on."""
    from inos.bench.machine import describe_machine

    machine = ", ".join(f"{name} {value}" for name, value in (describe_machine() | (extra or {})).items())
    print_text(machine + ("" if rounds is None else f"; medians of {rounds} rounds"))
    for line in lines:
        print_text(line)


def _parse(text: str) -> tuple[int, int, int]:
    if not (found := re.fullmatch(r"(\d+)[x*,](\d+)[x*,](\d+)", text)):
        fail("bad-shape", f"--shape {text!r} is not MxNxK", "for example 4096x4096x4096")
    m, n, k = (int(digits) for digits in found.groups())
    return m, n, k
