"""Tickets per second of the browser's kernel and of the node's kernels, in alternation."""

import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import Struct

from inos import work
from inos.bench.errors import BenchError
from inos.node.process import make_child_environment
from inos.work.backends import list_backends

SIDE: Final = 1024
"""Rows, columns and depth of the product: those of a filler by default."""
ROUND_S: Final = 1.0
TICKET_OPS: Final = 2 * 2**18
"""Operations of one ticket: a multiplication and an addition each."""
NATIVE: Final[tuple[str, ...]] = ("native-portable", "native-avx2")
ANSWER_S: Final = 60.0


class Drawn(NamedTuple):
    """What one contender drew in one round."""

    tickets: int
    wall_s: float
    processor_s: float


class BrowserRow(Struct, frozen=True):
    """The medians of one contender."""

    name: str
    tickets_per_s: float
    """By processor time, which other programs on the machine hardly change."""
    gops: float
    wall_tickets_per_s: float


Contender = Callable[[], Drawn]


def measure_browser(rounds: int) -> list[BrowserRow]:
    """Return the speeds of the browser's kernel in Node.js and of the native kernels, one thread each.

    Raises:
        BenchError: "no-node" if Node.js is missing, "engine-failed" if it ended.
    """
    usable = [info.name for info in list_backends() if info.is_available]
    names = [name for name in NATIVE if name in usable] or usable[-1:]
    if usable[0] not in names:
        names.append(usable[0])
    with _run_engine() as (version, engine):
        contenders: dict[str, Contender] = {f"wasm in Node.js {version}": engine}
        contenders |= {name: _make_native(name) for name in names}
        drawn: dict[str, list[Drawn]] = {name: [] for name in contenders}
        for turn in range(rounds + 1):
            for name, run in contenders.items():
                result = run()
                if turn:  # the first round compiles, and fills the caches
                    drawn[name].append(result)
    return [_make_row(name, results) for name, results in drawn.items()]


def describe_browser(rows: list[BrowserRow]) -> list[str]:
    """Return the rows as lines of text."""
    head = f"{'one thread, 1024 x 1024 x 1024':<34} {'tickets/s':>12} {'Gop/s':>8} {'by the clock':>14}"
    return [
        head,
        *(
            f"{row.name:<34} {row.tickets_per_s:>12,.0f} {row.gops:>8.1f} {row.wall_tickets_per_s:>10,.0f} /s"
            for row in rows
        ),
    ]


def _make_row(name: str, results: list[Drawn]) -> BrowserRow:
    speed = statistics.median(one.tickets / one.processor_s for one in results)
    wall = statistics.median(one.tickets / one.wall_s for one in results)
    return BrowserRow(name, speed, speed * TICKET_OPS / 1e9, wall)


def _make_native(name: str) -> Contender:
    rng = np.random.default_rng(1)
    x, w = (work.Operand.commit(rng.integers(-64, 64, (SIDE, SIDE), np.int8)) for _ in range(2))
    anchors = iter(range(2**32))

    def run() -> Drawn:
        began, used, tickets = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - began < ROUND_S:
            anchor = next(anchors).to_bytes(32, "big")
            tickets += work.mine(x, w, anchor, 0, threads=1, backend=name).tickets
        return Drawn(tickets, time.perf_counter() - began, time.process_time() - used)

    return run


@contextmanager
def _run_engine() -> Iterator[tuple[str, Contender]]:
    """Yield Node.js' version and a function that lets it draw tickets for a round."""
    node = shutil.which("node")
    if node is None:
        raise BenchError("no-node", "Node.js is missing, which runs the browser's kernel", hint="install nodejs")
    version = subprocess.run(
        (node, "--version"),
        capture_output=True,
        text=True,
        check=True,
        timeout=ANSWER_S,
        env=make_child_environment(),
    )
    with (
        as_file(files("inos.bench.browser") / "engine.mjs") as engine,
        as_file(files("inos.rpc") / "explorer" / "work" / "kernel.js") as script,
        as_file(files("inos.work.backends.wasm") / "kernel.wasm") as module,
        subprocess.Popen(
            (node, str(engine), str(script), str(module)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=make_child_environment(),
        ) as process,
    ):
        try:
            yield version.stdout.strip().removeprefix("v"), lambda: _ask(process)
        finally:
            process.kill()


def _ask(process: "subprocess.Popen[str]") -> Drawn:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        print(ROUND_S, file=process.stdin, flush=True)
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        raise BenchError("engine-failed", f"Node.js ended: {process.stderr.read()[-500:].strip()}")
    found: dict[str, Any] = json.loads(answer)
    return Drawn(found["tickets"], found["wall"], found["processor"])
