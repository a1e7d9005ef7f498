"""Products on a Ray cluster of this machine's processors, in alternation with the node's own engine."""

import os
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from inos.bench.errors import BenchError
from inos.bench.local_ray import LocalRay
from inos.bench.machine import raised_priority
from inos.work import Mined, Operand, StopSignal, mine_strips
from inos.work.backends import AUTO, get_backend
from inos.work.cluster import ClusterEngine, open_engine
from inos.work.cluster.connection import Connection

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
    cpu_s: float
    """The median processor time of one product there, of all of Ray's processes and of this one."""
    own_cpu_s: float
    """The median processor time of one product here."""
    cpu_ratio: float
    """The median of the ratio of processor times within one round, which other programs disturb less."""


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


def measure_cluster(
    side: int,
    workers: int,
    rounds: int,
    announce: Callable[[str], None],
    *,
    has_memory: bool = True,
    backend: str = AUTO,
) -> ClusterStats:
    """Start a cluster with `workers` processors, and time products of three squares of this side.

    Args:
        backend: what its workers and this machine multiply with.

    Raises:
        ClusterError: Ray is not installed. BenchError: a product is wrong, or the head does not start.
        InvalidBackend: there is no such backend here.
    """
    get_backend(backend)
    x, w = (_make(side, side, seed) for seed in (1, 2))
    announce(f"starting a cluster with {workers} processors ...")
    timings = []
    with raised_priority(), _run_cluster(workers, 1 << 30) as cluster:
        for way, maps, needs_rows in (
            ("ray://HEAD:PORT", True, True),
            ("... without rows", True, False),
            ("... not mapped", False, True),
        ):
            announce(f"multiplying by {way} and here, in turn ...")
            engine = ClusterEngine(cluster.address, partial(Connection, maps=maps))
            timings.append(_measure(way, engine, (x, w), (workers, backend), rounds, cluster, needs_rows=needs_rows))
    memory, processes = 0.0, 0
    if has_memory:
        announce(f"measuring the memory of {MEMORY_WORKERS} workers ...")
        memory, processes = _measure_memory()
    m, _, k = MEMORY_SHAPE
    return ClusterStats(side, workers, tuple(timings), m * k / 1e6, memory, processes)


def describe_cluster(stats: ClusterStats) -> list[str]:
    """Return the figures as lines of text."""
    lines = [
        f"{stats.side} x {stats.side} x {stats.side}, {stats.workers} processors",
        *(
            f"  {each.way:<16} {stats.get_speed(each.seconds):5.0f} Gop/s, own engine"
            f" {stats.get_speed(each.own_s):5.0f} Gop/s, ratio {each.ratio:.2f}; by processor time"
            f" {1e3 * each.cpu_s:.0f} and {1e3 * each.own_cpu_s:.0f} ms, {each.cpu_ratio:.2f}"
            for each in stats.timings
        ),
    ]
    if stats.processes:
        lines.append(
            f"  memory of {stats.processes} workers with an operand of {stats.operand_mb:.0f} MB:"
            f" {stats.workers_pss_mb:.0f} MB in all (PSS)"
        )
    return lines


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
    way: str,
    engine: ClusterEngine,
    pair: tuple[Operand, Operand],
    means: tuple[int, str],
    rounds: int,
    cluster: LocalRay,
    *,
    needs_rows: bool,
) -> Timing:
    """Time a product on the cluster and here, in turn, and close the engine.

    Args:
        means: the threads here, as many as the cluster has, and the backend.
    """
    threads, backend = means
    (x, w), taken, own, cpu, own_cpu = pair, list[float](), list[float](), list[float](), list[float]()
    try:
        for turn in range(rounds + 1):
            anchor = turn.to_bytes(32, "big")
            began, cpu_began = time.perf_counter(), time.process_time() + cluster.read_cpu_s()
            there = engine.mine_strips(x, w, anchor, 0, 0, x.strips, backend=backend, threads=1, needs_rows=needs_rows)
            taken.append(time.perf_counter() - began)
            cpu.append(time.process_time() + cluster.read_cpu_s() - cpu_began)
            began, cpu_began = time.perf_counter(), time.process_time()
            # With a stop event its threads give way to others, as those of the cluster do.
            stop = StopSignal()
            here = mine_strips(x, w, anchor, 0, 0, x.strips, backend=backend, threads=threads, stop=stop)
            own.append(time.perf_counter() - began)
            own_cpu.append(time.process_time() - cpu_began)
            _check(there, here, needs_rows=needs_rows)
    finally:
        engine.close()
    for each in (taken, own, cpu, own_cpu):
        del each[0]  # The first turn stores the operands and starts the workers.
    return Timing(
        way,
        statistics.median(taken),
        statistics.median(own),
        statistics.median(here / there for here, there in zip(own, taken, strict=True)),
        statistics.median(cpu),
        statistics.median(own_cpu),
        statistics.median(here / there for here, there in zip(own_cpu, cpu, strict=True)),
    )


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
