"""Products on a Ray cluster of this machine's processors, in alternation with the node's own engine."""

import os
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from inos.bench.errors import BenchError
from inos.bench.local_ray import LocalRay
from inos.work import Mined, Operand, mine_strips
from inos.work.cluster import ClusterEngine, open_engine

MEMORY_WORKERS: Final = 4
MEMORY_SHAPE: Final = (16_384, 1_024, 65_536)
"""X has 1 GiB."""
SAMPLE_S: Final = 0.2
_TOKEN: Final = secrets.token_hex(32)


class Timing(Struct, frozen=True):
    """The times of one product by one way to the cluster, and on the node's engine with as many threads, in turn."""

    way: str
    seconds: float
    """The median there."""
    own_s: float
    """The median here."""
    ratio: float
    """The median of the ratio of speeds within one round, there over here."""


class ClusterStats(Struct, frozen=True):
    """What was measured."""

    side: int
    workers: int
    timings: tuple[Timing, ...]
    operand_mb: float
    workers_pss_mb: float
    """The largest sum of the proportional memory of the workers that multiply that operand."""
    processes: int
    """The number of those workers."""

    def get_speed(self, seconds: float) -> float:
        """Return Gop/s; a multiplication and an addition are two operations."""
        return 2e-9 * self.side**3 / seconds


def measure_cluster(side: int, workers: int, rounds: int, announce: Callable[[str], None]) -> ClusterStats:
    """Start a cluster with `workers` processors, and time products of three squares of this side.

    Raises:
        ClusterError: Ray is not installed. BenchError: a product is wrong, or the head does not start.
    """
    x, w = (_make(side, side, seed) for seed in (1, 2))
    announce(f"starting a cluster with {workers} processors ...")
    timings = []
    with _run_cluster(workers, 1 << 30) as cluster:
        for way, address, needs_rows in (
            ("ray://HEAD:PORT", cluster.address, True),
            ("... tickets only", cluster.address, False),
            ("ray://auto", "ray://auto", True),
        ):
            announce(f"multiplying by {way} and here, in turn ...")
            timings.append(_measure(way, open_engine(address), (x, w), workers, rounds, needs_rows=needs_rows))
    announce(f"measuring the memory of {MEMORY_WORKERS} workers ...")
    memory, processes = _measure_memory()
    m, _, k = MEMORY_SHAPE
    return ClusterStats(side, workers, tuple(timings), m * k / 1e6, memory, processes)


def describe_cluster(stats: ClusterStats) -> list[str]:
    """Return the figures as lines of text."""
    return [
        f"{stats.side} x {stats.side} x {stats.side}, {stats.workers} processors",
        *(
            f"  {each.way:<16} {stats.get_speed(each.seconds):5.0f} Gop/s, own engine"
            f" {stats.get_speed(each.own_s):5.0f} Gop/s, ratio {each.ratio:.2f}"
            for each in stats.timings
        ),
        f"  memory of {stats.processes} workers with an operand of {stats.operand_mb:.0f} MB:"
        f" {stats.workers_pss_mb:.0f} MB in all (PSS)",
    ]


@contextmanager
def _run_cluster(workers: int, store: int) -> Iterator[LocalRay]:
    before = dict(os.environ)
    with LocalRay(machines=1, cpus=workers, store=store, token=_TOKEN) as cluster:
        os.environ.update(cluster.variables, RAY_ADDRESS=cluster.gcs_address)
        try:
            yield cluster
        finally:
            os.environ.clear()
            os.environ.update(before)


def _make(rows: int, cols: int, seed: int) -> Operand:
    return Operand.commit(np.random.default_rng(seed).integers(-64, 64, (rows, cols), np.int8), copy=False)


def _measure(
    way: str, engine: ClusterEngine, pair: tuple[Operand, Operand], threads: int, rounds: int, *, needs_rows: bool
) -> Timing:
    """Time a product on the cluster and here, in turn, and close the engine."""
    (x, w), taken, own = pair, [], []
    try:
        for turn in range(rounds + 1):
            anchor = turn.to_bytes(32, "big")
            began = time.perf_counter()
            there = engine.mine_strips(x, w, anchor, 0, 0, x.strips, threads=1, needs_rows=needs_rows)
            middle = time.perf_counter()
            here = mine_strips(x, w, anchor, 0, 0, x.strips, threads=threads)
            if turn:  # The first turn stores the operands and starts the workers.
                own.append(time.perf_counter() - middle)
                taken.append(middle - began)
            _check(there, here, needs_rows=needs_rows)
    finally:
        engine.close()
    ratio = statistics.median(here_s / there_s for here_s, there_s in zip(own, taken, strict=True))
    return Timing(way, statistics.median(taken), statistics.median(own), ratio)


def _check(there: Mined, here: Mined, *, needs_rows: bool) -> None:
    if there.product is None or here.product is None or there.tickets != here.tickets:
        raise BenchError("wrong-result", "the cluster drew other tickets")
    if needs_rows and not np.array_equal(there.product, here.product):
        raise BenchError("wrong-result", "the cluster's product differs")


def _measure_memory() -> tuple[float, int]:
    """Return the peak of the workers' proportional memory in MB, and how many workers there were then."""
    m, n, k = MEMORY_SHAPE
    with _run_cluster(MEMORY_WORKERS, 3 << 30) as cluster:
        engine, end, peak = open_engine("ray://auto"), threading.Event(), (0.0, 0)

        def watch() -> None:
            nonlocal peak
            while not end.wait(SAMPLE_S):
                found = cluster.find_workers("multiply_part")
                peak = max(peak, (sum(map(read_pss_mb, found)), len(found)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            _multiply_large(engine, m, n, k)
        finally:
            end.set()
            watcher.join()
            engine.close()
    return peak


def _multiply_large(engine: ClusterEngine, m: int, n: int, k: int) -> None:
    x, w = _make(m, k, 1), _make(n, k, 2)
    if not engine.mine_strips(x, w, bytes(32), 0, 0, x.strips, threads=1).is_complete:
        raise BenchError("wrong-result", "the product was stopped")


def read_pss_mb(pid: int) -> float:
    """Return a process's proportional memory: what it shares is divided among those that share it. 0 if it ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
