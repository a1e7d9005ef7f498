"""The jobs this miner has taken on: fetched, claimed, handed to the engine, delivered, watched."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from inos.consensus.records import JobState
from inos.consensus.reputation import compute_open_claim_limit
from inos.consensus.state import compute_reputation
from inos.miner.lifecycle import Decision, Observation, Progress, Step, decide
from inos.miner.policy import Capacity, Offer, choose_job, compute_spendable, get_refusal, is_finishable
from inos.miner.ports import NodePort
from inos.miner.product import Product
from inos.miner.settings import MinerSettings
from inos.miner.stats import MinerStats
from inos.miner.transaction_queue import TransactionQueue
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import ClaimJob, JobMode, SubmitResult
from inos.primitives.units import Height, JobId, MatrixId, Nano, Tickets
from inos.work import Operand

log: Final = structlog.get_logger("miner")

TEND_S: Final = 0.5
"""The desk looks at its jobs at least this often."""
LOOK_S: Final = 0.3
"""Pause between two looks at what is on offer."""
MAX_OFFERS: Final = 4096
"""Open jobs looked at; so many that cheap ones cannot hide the good ones behind them for little."""
FETCH_BYTES_PER_S: Final = 32 << 20
"""Beside the settings' time to fetch an operand, one that comes this fast is waited for."""
AVOID_BLOCKS: Final = 20
"""Blocks for which a job whose operands could not be had, or that was lost, is left alone."""
MAX_AVOIDED: Final = 1024


class JobRun:
    """One job on the desk: what was offered, how far its product is."""

    def __init__(self, offer: Offer, product: Product, height: Height, *, claims_sent: int = 0) -> None:
        self.offer = offer
        self.product = product
        self.y: MatrixRef | None = None
        self.claims_sent = claims_sent
        self.last_seen = height
        self.step = Step.WAIT
        self.is_settled = False

    @property
    def id(self) -> JobId:
        return self.offer.id

    @property
    def claim_key(self) -> str:
        return f"claim {self.id.hex()}"

    @property
    def result_key(self) -> str:
        return f"result {self.id.hex()}"


class JobManager:
    """Holds the runs and moves each on by what `decide` says.

    Args:
        lane: sends the transactions of the account that claims.
        figures: jobs settled and lost, and the speed that tells what can be finished.
    """

    def __init__(self, node: NodePort, settings: MinerSettings, queue: TransactionQueue, stats: MinerStats) -> None:
        self._node = node
        self._settings = settings
        self._queue = queue
        self._stats = stats
        self._avoid: dict[JobId, Height] = {}
        self._wake = asyncio.Event()
        self.work_ready = asyncio.Event()
        self.after_tending: Callable[[], Awaitable[None]] | None = None
        """Called after each look, for whatever else the account has to send."""
        self.lacks_capital = False
        """A job is on offer that would be taken if the account could pay its bond."""
        self.is_taking = True
        """Whether jobs are taken on and claimed; those claimed already are seen through either way."""
        self.runs: dict[JobId, JobRun] = {}

    async def run(self) -> None:
        """Tend the desk until cancelled. Fetching waits for other nodes, so it has a loop of its own."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self.tend, self._wake, TEND_S))
            group.create_task(self._repeat(self.take_on, None, LOOK_S))

    def wake(self) -> None:
        """Something changed: look now."""
        self._wake.set()

    def get_work(self) -> JobRun | None:
        """The claimed product to go on with: the one whose time ends first."""
        ready = [run for run in self.runs.values() if run.step is Step.MINE and not run.product.is_complete]
        return min(ready, key=self._get_expiry) if ready else None

    @property
    def held(self) -> int:
        """Jobs taken on and not yet paid."""
        return sum(not run.is_settled for run in self.runs.values())

    async def tend(self) -> None:
        """Look at every job once and do what is next."""
        for run in list(self.runs.values()):
            try:
                await self._advance(run)
            except InosError as error:
                self._note(error, run)
        await self._queue.tend()
        if self.after_tending is not None:
            await self.after_tending()

    def compute_spendable(self) -> Nano:
        """Balance that no claim on its way is going to lock."""
        return self._compute_capacity().spendable

    async def take_on(self) -> None:
        """Take on one more job, if there is one worth it and room for it."""
        if not self.is_taking:
            return
        held = self._find_held()
        offer = held or self._choose()
        if offer is None:
            return
        try:
            product = await self._fetch(offer)
        except InosError as error:
            if held is not None and not isinstance(error, MatrixMissing):
                raise  # a bond hangs on it: tried again at once
            self._shun(offer.id)
            self._stats.last_error = f"job {offer.id.hex()[:16]}: [{error.code}] {error.message}"
            log.info("job cannot be taken on", job=offer.id.hex(), code=error.code, error=error.message)
            return
        self.runs[offer.id] = JobRun(offer, product, self._get_height(), claims_sent=int(held is not None))
        log.info("job taken on", job=offer.id.hex(), tickets=offer.tickets, reward=offer.job.reward)
        self.wake()

    def _get_height(self) -> Height:
        return Height(self._node.ledger.tip.header.height)

    async def _repeat(self, act: Callable[[], Any], wake: asyncio.Event | None, pause_s: float) -> None:
        while True:
            try:
                await act()
            except InosError as error:
                self._note(error)
            if wake is None:
                await asyncio.sleep(pause_s)
                continue
            try:
                async with asyncio.timeout(pause_s):
                    await wake.wait()
            except TimeoutError:
                continue
            wake.clear()

    async def _advance(self, run: JobRun) -> None:
        decision = decide(self._queue.address, *self._look(run))
        run.step = decision.step
        self._count_settled(run, decision.step in (Step.SETTLED, Step.FINISHED))
        if decision.step is Step.CLAIM:
            if not self.is_taking:
                return  # nobody would multiply it: the bond would be lost
            await self._queue.send(run.claim_key, ClaimJob(run.id))
            run.claims_sent += 1
            log.info("job claimed", job=run.id.hex(), times=run.claims_sent)
        elif decision.step is Step.SUBMIT:
            await self._submit(run)
        elif decision.step is Step.MINE:
            self.work_ready.set()
        elif decision.step in (Step.DROP, Step.FINISHED):
            await self._drop(run, decision)

    def _look(self, run: JobRun) -> tuple[Progress, Observation]:
        height, job = self._get_height(), self._node.ledger.state.get_job(run.id)
        if job is not None:
            run.last_seen = height
        progress = Progress(claims_sent=run.claims_sent, is_complete=run.product.is_complete, last_seen=run.last_seen)
        observed = Observation(
            height=height,
            job=job,
            claim=self._node.ledger.state.get_claim(run.id),
            is_claim_pending=self._queue.is_pending(run.claim_key),
            is_result_pending=self._queue.is_pending(run.result_key),
            is_finishable=run.product.is_complete
            or is_finishable(self._node.params, run.offer, self._compute_capacity()),
        )
        return progress, observed

    async def _submit(self, run: JobRun) -> None:
        if run.y is None:
            file = run.product.file
            run.y = await (
                self._node.matrices.put(run.product.result())
                if file is None
                else self._node.matrices.put_product(file.finish)
            )
        await self._queue.send(run.result_key, SubmitResult(run.id, run.y))
        log.info("result submitted", job=run.id.hex(), y=run.y.id.hex())

    def _count_settled(self, run: JobRun, is_settled: bool) -> None:
        """Count a payment once, and take the count back where a reorganisation undid it."""
        if is_settled != run.is_settled:
            run.is_settled = is_settled
            self._stats.jobs_settled += 1 if is_settled else -1

    async def _drop(self, run: JobRun, decision: Decision) -> None:
        del self.runs[run.id]
        if run.product.file is not None:
            await asyncio.to_thread(run.product.file.drop)
        self._queue.forget(run.claim_key)
        self._queue.forget(run.result_key)
        if decision.step is Step.DROP:
            self._stats.jobs_lost += 1
            self._shun(run.id)
            log.info("job given up", job=run.id.hex(), reason=decision.reason)

    def _choose(self) -> Offer | None:
        height = self._get_height()
        self._avoid = {job: until for job, until in self._avoid.items() if until > height}
        offers = [Offer(*item) for item in self._node.ledger.list_jobs(state=JobState.OPEN, limit=MAX_OFFERS)]
        avoid = self._avoid.keys() | self.runs.keys()
        capacity = self._compute_capacity()
        chosen = choose_job(self._node.params, self._settings, self._queue.address, offers, capacity, avoid)
        self.lacks_capital = chosen is None and any(
            get_refusal(self._node.params, self._settings, offer, capacity) == "bond-not-affordable"
            for offer in offers
            if offer.id not in avoid
        )
        return chosen

    def _find_held(self) -> Offer | None:
        """A job claimed by this account that is not on the desk: after a restart, or by another hand."""
        for job, record in self._node.ledger.list_jobs(
            state=JobState.CLAIMED, worker=self._queue.address, limit=MAX_OFFERS
        ):
            if job not in self.runs and job not in self._avoid:
                return Offer(job, record)
        return None

    def _compute_capacity(self) -> Capacity:
        params, me = self._node.params, self._queue.address
        account, fee = self._node.ledger.state.get_account(me), self._node.mempool.estimate_fee()
        unclaimed = [run for run in self.runs.values() if not run.is_settled and run.step is not Step.MINE]
        waiting = [run for run in unclaimed if self._node.ledger.state.get_claim(run.id) is None]
        limit = min(
            compute_open_claim_limit(params, compute_reputation(params, account, self._get_height())),
            self._settings.max_claims,
        )
        return Capacity(
            height=self._get_height(),
            spendable=compute_spendable(account, sum(run.offer.job.bond + 2 * fee for run in waiting)),
            fee=fee,
            claims_left=limit - account.open_claims - len(waiting),
            backlog=Tickets(sum(run.product.tickets_left for run in self.runs.values())),
            rate=self._stats.speed,
        )

    async def _fetch(self, offer: Offer) -> Product:
        job = offer.job
        x, w = await self._fetch_operand(job.x), await self._fetch_operand(job.w)
        if job.mode is JobMode.CHECKED:
            return Product(x, w)
        return Product(x, w, await self._node.matrices.open_product(offer.id, job.x.rows, job.w.rows))

    async def _fetch_operand(self, ref: MatrixRef) -> Operand:
        """A large one comes in several attempts: what came stays, and the job is looked at again later."""
        timeout_s = self._settings.fetch_timeout_s + ref.rows * ref.cols / FETCH_BYTES_PER_S
        array = await self._node.matrices.fetch(MatrixId(ref.id), timeout_s)
        return await asyncio.to_thread(Operand.commit, array)

    def _shun(self, job: JobId) -> None:
        if len(self._avoid) < MAX_AVOIDED:
            self._avoid[job] = Height(self._get_height() + AVOID_BLOCKS)

    def _get_expiry(self, run: JobRun) -> int:
        claim = self._node.ledger.state.get_claim(run.id)
        return claim.expires_at if claim is not None else run.offer.job.deadline

    def _note(self, error: InosError, run: JobRun | None = None) -> None:
        self._stats.last_error = f"[{error.code}] {error.message}"
        log.warning("job step refused", code=error.code, error=error.message, job=run.id.hex() if run else "")
