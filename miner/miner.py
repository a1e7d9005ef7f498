"""The miner works on one slice after another: of a paid product if there is one, else of filler."""

import asyncio
import threading
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
import structlog

from inos.chain.events import TipChanged
from inos.core.computation import LoadedProgram, compute_outputs
from inos.functions import Role
from inos.miner.computation import Computation
from inos.miner.engine import Engine, MineStrips
from inos.miner.filler import Throttle, choose_filler_rows, make_filler
from inos.miner.job_run import JobRun
from inos.miner.jobs import JobManager
from inos.miner.lottery import Draw, Lottery
from inos.miner.payout import Payout
from inos.miner.ports import NodePort, WorkersPort
from inos.miner.product import Product
from inos.miner.program_products import ProgramProducts
from inos.miner.settings import MinerSettings, Purpose, check_settings
from inos.miner.split import OWN, SplitProduct
from inos.miner.stats import MinerState, MinerStats, MinerStatus
from inos.miner.transaction_queue import TransactionQueue
from inos.primitives.errors import InosError
from inos.primitives.transactions import Transaction
from inos.primitives.units import JobId, Tickets
from inos.work.stopping import Stopped

log: Final = structlog.get_logger("miner")

FIRST_SLICE_TICKETS: Final = 64
"""A slice has this size until the speed of the machine is known."""
IDLE_S: Final = 0.5
WAIT_S: Final = 0.25
"""While workers have the rest of a product, the miner looks this often whether one of them is late."""
RETRY_S: Final = 1.0
"""The miner pauses this long after a template could not be made."""


class Miner:
    """Runs from `run()` until cancelled. `start` and `stop` switch the work on and off in between.

    Args:
        node: the services of the node.
        settings: the beneficiary, the kind of work, and the limits.
        random: draws filler operands and the first nonce.
        mine: replaces inos.work.mine_strips in tests.
        workers: multiply parts of the miner's products, and fillers of their own.

    Raises:
        InosError: the settings contradict each other (see check_settings).
    """

    def __init__(
        self,
        node: NodePort,
        settings: MinerSettings,
        random: np.random.Generator,
        mine: MineStrips | None = None,
        workers: WorkersPort | None = None,
    ) -> None:
        check_settings(settings)
        self._node = node
        self._settings = settings
        self._random = random
        self._workers = workers
        self._stats = MinerStats()
        self._engine = Engine(settings.backend, settings.threads, mine)
        self._throttle = Throttle(settings.filler_rate)
        self._filler: SplitProduct | None = None
        self._shared: tuple[JobRun, SplitProduct] | None = None
        """The job that the miner and its workers multiply."""
        self._draw: Draw | None = None
        self._is_slice_large = False
        self._program_stop = threading.Event()
        self._products: ProgramProducts | None = None
        """Makes the products of the program that runs now."""
        self._enabled = asyncio.Event()
        self._work_changed = asyncio.Event()
        self._jobs: JobManager | None = None
        self._queue: TransactionQueue | None = None
        if settings.is_claiming and settings.key is not None:
            self._queue = TransactionQueue(node, settings.key)
            self._jobs = JobManager(node, settings, self._queue, self._stats)
            self._work_changed = self._jobs.work_ready
        payout = Payout(node, settings, self._jobs, self._queue)
        if self._jobs is not None:
            self._jobs.after_advance = payout.advance
        first_nonce = int(random.integers(2**32)) << 16
        self._lottery = Lottery(node, settings, payout, self._stats, first_nonce, self._note_template)

    def start(self) -> None:
        """Start, or resume."""
        self._enabled.set()
        if self._jobs is not None:
            self._jobs.is_taking = True
        if self._workers is not None:
            self._workers.set_active(True)

    def stop(self) -> None:
        """Pause. The slice in progress is given up; rows that are complete are kept."""
        self._enabled.clear()
        self._engine.interrupt()
        self._program_stop.set()
        if self._jobs is not None:
            self._jobs.is_taking = False
        self._shared = None
        if self._workers is not None:
            self._workers.set_active(False)

    def get_status(self) -> MinerStatus:
        """Return the counts as they are now."""
        stats = self._stats
        return MinerStatus(
            state=stats.state,
            purpose=self._settings.purpose.value,
            beneficiary=self._settings.beneficiary,
            worker=self._queue.address if self._queue is not None else None,
            can_claim=self._settings.is_claiming,
            job=stats.job,
            jobs_in_progress=self._jobs.held if self._jobs is not None else 0,
            job_tickets=Tickets(stats.job_tickets),
            filler_tickets=Tickets(stats.filler_tickets),
            tickets_per_second=stats.get_rate(self._node.clock.monotonic()),
            blocks_won=stats.blocks_won,
            blocks_stale=stats.blocks_stale,
            jobs_settled=stats.jobs_settled,
            jobs_lost=stats.jobs_lost,
            jobs_taken=stats.jobs_taken,
            jobs_taken_held=stats.jobs_taken_held,
            last_error=stats.last_error,
            worker_tickets=Tickets(stats.worker_tickets),
        )

    def get_rows_done(self, job: JobId) -> int | None:
        """Return how many rows of a job's product are made, or None if the job was not taken on."""
        run = self._jobs.runs.get(job) if self._jobs is not None else None
        return run.work.rows_done if run is not None and isinstance(run.work, Product) else None

    async def run(self) -> None:
        """Mine while started, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_tip())
                group.create_task(self._mine())
                if self._jobs is not None:
                    group.create_task(self._jobs.run())
        finally:
            self._engine.close()
            self._stats.state = MinerState.STOPPED

    async def _watch_tip(self) -> None:
        """Stop the slice in progress when the tip moves, because its tickets can win nothing any more.

        A slice of a large product goes on: one strip of it may take longer than a block, and its rows are needed.
        """
        async with self._node.events.subscribe() as events:
            async for event in events:
                if not isinstance(event, TipChanged):
                    continue
                is_stale = self._draw is not None and self._draw.header.parent != event.tip.id
                if is_stale and not self._is_slice_large:
                    self._engine.interrupt()
                if is_stale and self._products is not None:
                    self._products.set_stale()
                if self._jobs is not None:
                    self._jobs.on_tip()

    def _note_template(self, transactions: Sequence[Transaction]) -> None:
        if self._jobs is not None:
            self._jobs.on_template(transactions)

    async def _mine(self) -> None:
        while True:
            if not self._enabled.is_set():
                self._set_state(MinerState.STOPPED)
                await self._enabled.wait()
            run = self._jobs.get_work() if self._jobs is not None else None
            split = self._share(run)
            try:
                if run is not None:
                    await self._mine_job(run, split)
                elif self._settings.purpose is Purpose.JOBS or not self._settings.has_engine:
                    self._set_state(MinerState.IDLE)
                    await self._wait_for_work(IDLE_S)
                else:
                    await self._mine_filler()
            except InosError as error:
                self._stats.last_error = f"[{error.code}] {error.message}"
                log.warning("slice failed", code=error.code, error=error.message)
                await asyncio.sleep(RETRY_S)

    def _share(self, run: JobRun | None) -> SplitProduct | None:
        """Offer the product of this job to the workers, and return it; take back any other."""
        shared = self._shared
        if run is None or not isinstance(run.work, Product):
            shared = None
        elif shared is None or shared[0] is not run:
            shared = run, SplitProduct(run.work, run.id, self._stats, self._node.clock)
        split = None if shared is None else shared[1]
        if self._workers is not None:
            self._stats.workers_speed = self._workers.speed
            self._workers.offer(split)
        self._shared = shared
        return split

    async def _mine_job(self, run: JobRun, split: SplitProduct | None) -> None:
        self._set_state(MinerState.JOB, run)
        if isinstance(run.work, Computation):
            await self._mine_program(run.id, run.work)
        elif split is not None:
            await self._mine_slice(split, self._slice_tickets(), is_job=True)
        if run.work.is_complete and self._jobs is not None:
            self._jobs.wake()

    async def _mine_program(self, job: JobId, program: Computation) -> None:
        """Run a program in a thread; its products draw tickets."""
        loaded = program.loaded
        assert isinstance(loaded, LoadedProgram)
        self._program_stop = program.stop = threading.Event()
        self._products = ProgramProducts(
            self._renew_draw,
            self._lottery.submit,
            self._settings.slice_ms / 1000,
            loaded.inputs,
            backend=self._settings.backend,
            threads=self._settings.threads,
            stop=self._program_stop,
        )
        compute = partial(
            compute_outputs,
            job,
            loaded,
            role=Role.WORKER,
            stop=self._program_stop,
            product=self._products,
        )
        began = self._node.clock.monotonic()
        try:
            program.outputs = await asyncio.to_thread(compute)
            self._count_program(self._products.finish())
            self._stats.note_speed(program.task.units, self._node.clock.monotonic() - began)
        except Stopped:
            log.info("program interrupted", job=job.hex())
        except InosError as error:
            program.failure = error
        finally:
            self._program_stop.set()
            self._products = None

    async def _renew_draw(self, tickets: int) -> Draw:
        """Count the tickets of a program since the last call, and make a new draw."""
        self._count_program(tickets)
        draw = self._draw = await self._lottery.draw()
        return draw

    def _count_program(self, tickets: int) -> None:
        if tickets:
            self._stats.count_tickets(tickets, self._node.clock.monotonic(), is_job=True)

    async def _mine_filler(self) -> None:
        pause = self._throttle.get_pause(self._node.clock.monotonic())
        self._set_state(MinerState.FILLER)
        if pause > 0:
            await self._wait_for_work(pause)
            return
        if self._filler is None:
            self._filler = self._split(await asyncio.to_thread(make_filler, self._settings, self._random))
        started = self._node.clock.monotonic()
        tickets = await self._mine_slice(self._filler, self._throttle.limit(self._slice_tickets()), is_job=False)
        self._throttle.spend(tickets, started)
        if self._filler.product.is_complete:
            self._filler = self._split(await self._renew_filler(self._filler.product))

    async def _renew_filler(self, filler: Product) -> Product:
        """Return the filler again, or a larger one for an engine that multiplies this one at once."""
        rows = choose_filler_rows(self._settings, filler.x.ref.rows, self._stats.speed)
        if rows > filler.x.ref.rows:
            return await asyncio.to_thread(make_filler, self._settings, self._random, rows)
        filler.rewind()
        return filler

    def _split(self, filler: Product) -> SplitProduct:
        return SplitProduct(filler, None, self._stats, self._node.clock)

    async def _mine_slice(self, split: SplitProduct, tickets: int, *, is_job: bool) -> int:
        """Multiply one slice under a new draw, and return its tickets; 0 if a new tip stopped it, or if workers have
        all that is left."""
        if not self._settings.has_engine or split.is_taken:
            await split.wait(WAIT_S)
            return 0
        draw = self._draw = await self._lottery.draw()
        self._is_slice_large = split.product.file is not None
        split.own_speed = self._stats.speed
        part = split.take(OWN, tickets, split.own_speed, self._stats.total_speed)
        if part is None:
            return 0
        try:
            return await self._mine_part(split, part, draw, is_job=is_job)
        finally:
            split.give_back(OWN, *part)

    async def _mine_part(self, split: SplitProduct, part: tuple[int, int], draw: Draw, *, is_job: bool) -> int:
        started = self._node.clock.monotonic()
        needs_rows = split.product.keeps_rows
        mined = await self._engine.mine(split.x, split.w, draw.anchor, draw.target, *part, needs_rows=needs_rows)
        if not mined.is_complete or mined.product is None:
            return 0
        await split.finish(OWN, *part, mined.product)
        now = self._node.clock.monotonic()
        self._stats.count_slice(mined.tickets, now - started, self._node.clock.monotonic(), is_job=is_job)
        if mined.wins:
            await self._lottery.submit(draw, mined.wins[0])
        return mined.tickets

    def _slice_tickets(self) -> int:
        """Return the tickets of a slice that takes about slice_ms."""
        speed = self._stats.speed
        return max(1, int(speed * self._settings.slice_ms / 1000)) if speed > 0 else FIRST_SLICE_TICKETS

    async def _wait_for_work(self, limit_s: float) -> None:
        """Wait until there is a job to work on, at most `limit_s` seconds."""
        self._work_changed.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._work_changed.wait()
        except TimeoutError:
            return

    def _set_state(self, state: MinerState, run: JobRun | None = None) -> None:
        self._stats.state = state
        self._stats.job = run.id if run is not None else None
