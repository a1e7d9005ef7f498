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


class ClusterStats(Struct, frozen=True):
    """What was measured."""

    side: int
    workers: int
    rounds: int
    own_s: float
    """Medians of one product with as many threads on the node's engine, ..."""
    client_s: float
    """... by ray://HEAD:PORT, over loopback, ..."""
    auto_s: float
    """... and by ray://auto, where products are read from shared memory."""
    operand_mb: float
    workers_pss_mb: float
    """The largest sum of the proportional memory of four workers that multiply that operand."""
    processes: int

    def get_speed(self, seconds: float) -> float:
        """Return Gop/s; a multiplication and an addition are two operations."""
        return 2e-9 * self.side**3 / seconds


def measure_cluster(side: int, workers: int, rounds: int, announce: Callable[[str], None]) -> ClusterStats:
    """Start a cluster with `workers` processors, and time products of three squares of this side.

    Raises:
        ClusterError: Ray is not installed. BenchError: a product is wrong, or the head does not start.
    """
    x, w = (_make(side, side, seed) for seed in (1, 2))
    own: list[float] = []
    announce(f"starting a cluster with {workers} processors ...")
    with _run_cluster(workers, 1 << 30) as cluster:
        announce("multiplying by ray://HEAD:PORT and here, in turn ...")
        client = _measure(cluster.address, x, w, workers, rounds, own)
        announce("multiplying by ray://auto and here, in turn ...")
        auto = _measure("ray://auto", x, w, workers, rounds, own)
    announce(f"measuring the memory of {MEMORY_WORKERS} workers ...")
    memory, processes = _measure_memory()
    m, _, k = MEMORY_SHAPE
    return ClusterStats(side, workers, rounds, statistics.median(own), client, auto, m * k / 1e6, memory, processes)


def describe_cluster(stats: ClusterStats) -> list[str]:
    """Return the figures as lines of text."""

    def show(name: str, seconds: float) -> str:
        return f"  {name:<16} {stats.get_speed(seconds):5.0f} Gop/s  {stats.own_s / seconds:.2f} of the own engine"

    return [
        f"{stats.side} x {stats.side} x {stats.side}, {stats.workers} processors",
        show("own engine", stats.own_s),
        show("ray://HEAD:PORT", stats.client_s),
        show("ray://auto", stats.auto_s),
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


def _measure(address: str, x: Operand, w: Operand, threads: int, rounds: int, own: list[float]) -> float:
    """Return the median time on the cluster, and add the times of this machine's engine to `own`."""
    engine, taken = open_engine(address), []
    try:
        for turn in range(rounds + 1):
            anchor = turn.to_bytes(32, "big")
            began = time.perf_counter()
            there = engine.mine_strips(x, w, anchor, 0, 0, x.strips, threads=1)
            middle = time.perf_counter()
            here = mine_strips(x, w, anchor, 0, 0, x.strips, threads=threads)
            if turn:  # The first turn stores the operands and starts the workers.
                taken.append(middle - began)
                own.append(time.perf_counter() - middle)
            _check(there, here)
    finally:
        engine.close()
    return statistics.median(taken)


def _check(there: Mined, here: Mined) -> None:
    if there.product is None or here.product is None or not np.array_equal(there.product, here.product):
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
