"""Products over workers of this machine, as processes of their own, in alternation with the node's own engine."""

import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from aiohttp import web
from msgspec import Struct

from inos.bench.cluster import read_pss_mb
from inos.bench.errors import BenchError
from inos.bench.machine import raised_priority, read_cpu_s
from inos.chain.ledger import BlockOutcome
from inos.chain.template import Template
from inos.core.events import EventBus
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.miner.product import Product
from inos.miner.split import SplitProduct
from inos.miner.stats import MinerStats
from inos.node.process import make_child_environment
from inos.primitives.blocks import Block
from inos.primitives.clock import SystemClock
from inos.primitives.matrices import Witness
from inos.primitives.units import Address, MatrixId, Target
from inos.work import Operand, StopSignal, mine_strips
from inos.work.backends import AUTO, get_backend
from inos.workers.server import WorkerService, WorkerSettings

MEMORY_WORKERS: Final = 4
MEMORY_SHAPE: Final = (16_384, 1_024, 65_536)
"""X has 1 GiB."""
SAMPLE_S: Final = 0.2
SLICE_S: Final = 0.25
FIRST_SLICE_TICKETS: Final = 16_384
"""The engine's slices are those of a miner that knows its speed."""
JOIN_S: Final = 120.0
JOIN_POLL_S: Final = 0.1
PRODUCT_S: Final = 600.0


class WorkersStats(Struct, frozen=True):
    """What was measured."""

    side: int
    workers: int
    rounds: int
    engine_s: float
    """Median of one product on the node's engine as the miner runs it, with as many threads as there are workers."""
    workers_s: float
    """Median of one product over workers of one thread each, which map the operands."""
    ratio: float
    """The median of the ratios of both in each round: 1 if workers are as fast as the engine."""
    cpu_ratio: float
    """The same by processor time, the node's own included, which other programs disturb less."""
    least_cpu_ratio: float
    """The ratio of the least processor times of each, which other programs disturb least."""
    engine_cpu_s: float
    """Median processor time of one product on the engine."""
    workers_cpu_s: float
    """Median processor time of the workers together for one product."""
    node_cpu_s: float
    """Median processor time of the node for one product over workers: it checks rows and shares, and keeps the
    rows."""
    pieces: int
    operand_mb: float
    pss_mb: float
    """The largest sum of the proportional memory of four workers that multiply that operand."""


class StandInNode:
    """Satisfies inos.workers.server.ports.NodePort: one template, and no ticket wins."""

    def __init__(self) -> None:
        self.network = load_network("devnet")
        self.genesis_id = self.network.genesis_id
        self.clock = SystemClock()
        self.events = EventBus()
        self.ledger = SimpleNamespace(
            tip=SimpleNamespace(id=self.network.state.header.parent, header=self.network.state.header)
        )
        self.templates = self.blocks = self

    async def make(self, beneficiary: Address) -> Template:
        return Template(self.network.state.header, (), Target(0))

    async def add(self, block: Block, witness: Witness) -> BlockOutcome:
        raise BenchError("wrong-result", "a ticket won although none can")


def measure_workers(
    side: int,
    workers: int,
    rounds: int,
    announce: Callable[[str], None],
    *,
    has_memory: bool = True,
    backend: str = AUTO,
) -> WorkersStats:
    """Time products of three squares of this side over workers and on the engine, in turn.

    Args:
        backend: what all of them multiply with.

    Raises:
        BenchError: a product is wrong, or a worker does not join. InvalidBackend: there is no such backend here.
    """
    get_backend(backend)
    with raised_priority():
        return asyncio.run(_measure(side, workers, rounds, announce, has_memory=has_memory, backend=backend))


def describe_workers(stats: WorkersStats) -> list[str]:
    """Return the figures as lines of text."""

    def show(name: str, seconds: float) -> str:
        return f"  {name:<28} {1e3 * seconds:6.0f} ms  {2e-9 * stats.side**3 / seconds:5.0f} Gop/s"

    lines = [
        f"{stats.side} x {stats.side} x {stats.side}, exact in every round",
        show(f"engine, {stats.workers} threads", stats.engine_s),
        show(f"{stats.workers} workers, one thread each", stats.workers_s),
        f"  workers / engine {stats.ratio:.2f} by the clock, {stats.cpu_ratio:.2f} by processor time,"
        f" {stats.least_cpu_ratio:.2f} by the least; {stats.pieces} pieces a product",
        f"  processor time: engine {1e3 * stats.engine_cpu_s:.0f} ms, workers {1e3 * stats.workers_cpu_s:.0f} ms"
        f" and {1e3 * stats.node_cpu_s:.0f} ms of the node",
    ]
    if stats.pss_mb:
        lines.append(
            f"  memory of {MEMORY_WORKERS} workers with an operand of {stats.operand_mb:.0f} MB:"
            f" {stats.pss_mb:.0f} MB in all (PSS)"
        )
    return lines


async def _measure(
    side: int, workers: int, rounds: int, announce: Callable[[str], None], *, has_memory: bool, backend: str
) -> WorkersStats:
    engine, over, pieces = list[float](), list[float](), 0
    with tempfile.TemporaryDirectory(prefix="inos-bench-") as folder:
        async with _serve(Path(folder), backend) as bench:
            announce(f"starting {workers} workers ...")
            x, w = (bench.store_operand(side, side, seed) for seed in (1, 2))
            async with bench.run_workers(workers) as pids:
                announce("multiplying over workers and on the engine, in turn ...")
                cpu = _ProcessorTimes(pids)
                for turn in range(rounds + 1):
                    cpu.begin()
                    began = time.perf_counter()
                    product, pieces = await bench.multiply(x, w)
                    middle = time.perf_counter()
                    cpu.end_workers()
                    own = await asyncio.to_thread(_multiply_here, x, w, turn, workers, backend)
                    done = time.perf_counter()
                    cpu.end_engine()
                    if not np.array_equal(own.result(), product):
                        raise BenchError("wrong-result", "the workers' product differs")
                    over.append(middle - began)
                    engine.append(done - middle)
                for each in (over, engine, cpu.engine, cpu.node, cpu.workers):
                    del each[0]  # In the first round the workers map the operands and start threads.
            pss = 0.0
            if has_memory:
                announce(f"measuring the memory of {MEMORY_WORKERS} workers ...")
                pss = await _measure_memory(bench)
    m, _, k = MEMORY_SHAPE
    ratio = statistics.median(one / other for one, other in zip(engine, over, strict=True))
    return WorkersStats(
        side=side,
        workers=workers,
        rounds=rounds,
        engine_s=statistics.median(engine),
        workers_s=statistics.median(over),
        ratio=ratio,
        cpu_ratio=statistics.median(own / all_ for own, all_ in zip(cpu.engine, cpu.list_sums(), strict=True)),
        least_cpu_ratio=min(cpu.engine) / min(cpu.list_sums()),
        engine_cpu_s=statistics.median(cpu.engine),
        workers_cpu_s=statistics.median(cpu.workers),
        node_cpu_s=statistics.median(cpu.node),
        pieces=pieces,
        operand_mb=m * k / 1e6,
        pss_mb=pss,
    )


def _multiply_here(x: Operand, w: Operand, turn: int, threads: int, backend: str) -> Product:
    """Multiply as the miner does alone: slice by slice, each kept in the product."""
    product, seconds, tickets = Product(x, w), 0.0, FIRST_SLICE_TICKETS
    while not product.is_complete:
        first, last = product.plan(tickets)
        anchor = bytes(24) + turn.to_bytes(4, "big") + first.to_bytes(4, "big")
        began = time.perf_counter()
        # With a stop event its threads give way to others, as those of workers do.
        stop = StopSignal()
        mined = mine_strips(x, w, anchor, 0, first, last, backend=backend, threads=threads, stop=stop)
        if mined.product is None:
            raise BenchError("wrong-result", "the engine stopped")
        product.keep(first, last, mined.product)
        seconds = time.perf_counter() - began
        tickets = max(FIRST_SLICE_TICKETS, int(mined.tickets / seconds * SLICE_S))
    return product


class _ProcessorTimes:
    """Lists the processor time of workers and of this process, which is the node and the engine in turn."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self.engine = list[float]()
        self.node = list[float]()
        self.workers = list[float]()
        self.begin()

    def begin(self) -> None:
        """Count what is done from now on."""
        self._began, self._workers_began = time.process_time(), sum(map(read_cpu_s, self._pids))

    def end_workers(self) -> None:
        """Note what a product over workers took."""
        self.node.append(time.process_time() - self._began)
        self.workers.append(sum(map(read_cpu_s, self._pids)) - self._workers_began)
        self.begin()

    def end_engine(self) -> None:
        """Note what a product on the engine took."""
        self.engine.append(time.process_time() - self._began)

    def list_sums(self) -> list[float]:
        """Return the time of workers and node together, for each product."""
        return [one + other for one, other in zip(self.workers, self.node, strict=True)]


async def _measure_memory(bench: "_Bench") -> float:
    """Return the peak of the workers' proportional memory in MB."""
    m, n, k = MEMORY_SHAPE
    x, w = bench.store_operand(m, k, 1), bench.store_operand(n, k, 2)
    peak = 0.0
    async with bench.run_workers(MEMORY_WORKERS) as pids:
        multiplying = asyncio.ensure_future(bench.multiply(x, w))
        while not multiplying.done():
            peak = max(peak, await asyncio.to_thread(lambda: sum(map(read_pss_mb, pids))))
            await asyncio.wait([multiplying], timeout=SAMPLE_S)
        await multiplying
    return peak


class _Bench:
    """A service on loopback, with a store whose files workers map."""

    def __init__(
        self, folder: Path, backend: str, node: StandInNode, store: MatrixStore, service: WorkerService
    ) -> None:
        self._folder = folder
        self._backend = backend
        self._node = node
        self._store = store
        self._service = service
        self.url = ""

    def store_operand(self, rows: int, cols: int, seed: int) -> Operand:
        """Store a random operand, and return it as mapped from its file."""
        array = np.random.default_rng(seed).integers(-64, 64, (rows, cols), np.int8)
        ref = self._store.put(array)
        del array
        mapped = self._store.get(MatrixId(ref.id))
        if mapped is None:
            raise BenchError("wrong-result", "the store lost an operand")
        return Operand.commit(mapped, copy=False)

    async def multiply(self, x: Operand, w: Operand) -> tuple[np.ndarray[Any, np.dtype[np.int32]], int]:
        """Return the product that the workers made, and in how many pieces."""
        before = sum(each.pieces for each in self._service.get_status().workers)
        split = SplitProduct(Product(x, w), None, MinerStats(), self._node.clock)
        self._service.offer(split)
        async with asyncio.timeout(PRODUCT_S):
            while not split.product.is_complete:
                await split.wait(1.0)
        self._service.offer(None)
        return split.product.result(), sum(each.pieces for each in self._service.get_status().workers) - before

    @asynccontextmanager
    async def run_workers(self, count: int) -> AsyncIterator[list[int]]:
        """Run workers of one thread each, and yield their process ids once all have joined."""
        command = (sys.executable, "-P", "-m", "inos", "worker", "--join", self.url, "--threads", "1")
        options = ("--token-file", str(self._folder / "fleet.token"), "--piece", "4GiB", "--log-level", "warning")
        backend = ("--backend", self._backend)
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        processes = [
            await asyncio.create_subprocess_exec(
                *command,
                *options,
                *backend,
                stdout=asyncio.subprocess.DEVNULL,
                env=make_child_environment() | one_thread,
            )
            for _ in range(count)
        ]
        try:
            async with asyncio.timeout(JOIN_S):
                joined = 0
                while joined < count:
                    await asyncio.sleep(JOIN_POLL_S)
                    joined = sum(each.is_local for each in self._service.get_status().workers)
            yield [process.pid for process in processes]
        except TimeoutError as error:
            late = f"the workers did not join within {JOIN_S:g} s"
            raise BenchError("not-joined", late, hint="try again while the machine is idle") from error
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    process.terminate()
            await asyncio.gather(*(process.wait() for process in processes))


@asynccontextmanager
async def _serve(folder: Path, backend: str) -> AsyncIterator[_Bench]:
    """Serve workers on a free port."""
    token = secrets.token_hex(32)
    path = folder / "fleet.token"
    path.write_text(token)
    path.chmod(0o600)
    node, store = StandInNode(), MatrixStore(folder / "matrices")
    settings = WorkerSettings(
        beneficiary=Address(bytes(20)), token=bytes.fromhex(token), has_fillers=False, socket_path=folder / "fleet.sock"
    )
    service = WorkerService(node, settings, np.random.default_rng(1), files=store)
    app = web.Application()
    app.router.add_get("/work", service.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    task = asyncio.ensure_future(service.run())
    bench = _Bench(folder, backend, node, store, service)
    bench.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bench
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await runner.cleanup()
        store.close()
