"""The job manager takes jobs on, fetches and claims them, gives them to the engine, delivers and watches them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
from msgspec.structs import replace

from inos.consensus.records import JobState, TaskWork
from inos.consensus.reputation import compute_open_claim_limit
from inos.consensus.state import compute_reputation
from inos.core.computation import InvalidTask, TaskRefused
from inos.miner.computation import Computation, FailedModules, FunctionRunner
from inos.miner.fetch_ahead import FetchAhead
from inos.miner.fetching import fetch_product, fetch_task
from inos.miner.holdings import Holdings
from inos.miner.job_run import JobRun
from inos.miner.lifecycle import Decision, Observation, Progress, Step, decide
from inos.miner.policy import (
    Capacity,
    Offer,
    choose_job,
    compute_spendable,
    get_refusal,
    is_early,
    is_finishable,
    make_early_offer,
)
from inos.miner.ports import NodePort
from inos.miner.product import Product
from inos.miner.settings import JobKind, MinerSettings
from inos.miner.stats import MinerStats
from inos.miner.transaction_queue import TransactionQueue
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.transactions import (
    ClaimJob,
    PostJob,
    PostTask,
    SubmitOutcome,
    SubmitResult,
    Transaction,
)
from inos.primitives.units import Height, JobId, Nano, Tickets, TxId

log: Final = structlog.get_logger("miner")

ADVANCE_S: Final = 0.5
"""The manager looks at its jobs at least this often."""
LOOK_S: Final = 1.0
"""The manager looks at the open jobs at least this often, and whenever the tip moves or a template was made."""
MAX_OFFERS: Final = 4096
"""The manager looks at this many open jobs, enough that cheap ones cannot hide better ones."""
AVOID_BLOCKS: Final = 20
"""A job is avoided for this many blocks after its operands could not be fetched, or after it was lost."""
MAX_AVOIDED: Final = 1024


class JobManager:
    """Holds the runs, and moves each on as `decide` says.

    Args:
        queue: sends the transactions of the account that claims.
        stats: counts jobs settled and lost, and knows the speed that says what can be finished.
    """

    def __init__(self, node: NodePort, settings: MinerSettings, queue: TransactionQueue, stats: MinerStats) -> None:
        self._node = node
        self._settings = settings
        self._queue = queue
        self._stats = stats
        self._holdings = Holdings(node.matrices)
        self._ahead = FetchAhead(node, settings, queue.address, self._holdings)
        self._avoid: dict[JobId, Height] = {}
        self._early: tuple[Offer, ...] = ()
        self._not_early_until = Height(0)
        self._wake = asyncio.Event()
        self._wake_offers = asyncio.Event()
        self._wake_ahead = asyncio.Event()
        self.work_ready = asyncio.Event()
        self.after_advance: Callable[[], Awaitable[None]] | None = None
        """The manager calls this after each look, so that other transactions of the account are sent too."""
        self.lacks_capital = False
        """If this is True, the miner would take a job that is open, but its account cannot pay the bond."""
        self.is_taking = True
        """If this is False, no more jobs are taken on or claimed; those that are claimed are finished either way."""
        self.runs: dict[JobId, JobRun] = {}
        self._group: asyncio.TaskGroup | None = None
        self._functions = FunctionRunner(settings.module_cache)
        self._failed = FailedModules()

    async def run(self) -> None:
        """Manage jobs until cancelled. Fetching waits for other nodes, so it has a loop of its own."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._repeat(self.advance, self._wake, ADVANCE_S))
            group.create_task(self._repeat(self.take_on, self._wake_offers, LOOK_S))
            if self._settings.fetch_ahead_bytes:
                group.create_task(self._repeat(self._fetch_ahead, self._wake_ahead, LOOK_S))

    def wake(self) -> None:
        """Look at the jobs now, because something changed."""
        self._wake.set()

    def on_tip(self) -> None:
        """Look at the jobs and the offers, because the tip moved."""
        self._early = ()
        self.wake()
        self._wake_offers.set()

    def on_template(self, transactions: Sequence[Transaction]) -> None:
        """Note which jobs the next block posts, if this miner finds it: a claim can stand in the same block."""
        height = Height(self._get_height() + 1)
        offers = [
            make_early_offer(tx, tx.payload, height)
            for tx in transactions
            if isinstance(tx.payload, PostJob | PostTask)
        ]
        self._holdings.named.begin_look()
        held = [replace(offer, holding=self._holdings.look(offer.job)) for offer in offers]
        # A posting can be replaced for nothing, and a task does not say how large its files are.
        self._early = tuple(offer for offer in held if offer.is_held or offer.kind is JobKind.PRODUCT)
        if self._early:
            self._wake_offers.set()

    def get_work(self) -> JobRun | None:
        """Return the claimed product or program to continue with, which is the one whose claim expires first."""
        ready = [run for run in self.runs.values() if run.step is Step.MINE and run.is_waiting_to_be_mined]
        return min(ready, key=self._get_expiry) if ready else None

    @property
    def held(self) -> int:
        """Return how many jobs were taken on and are not paid yet."""
        return sum(not run.is_settled for run in self.runs.values())

    async def advance(self) -> None:
        """Look at every job once, and take its next step."""
        for run in list(self.runs.values()):
            try:
                await self._advance(run)
            except InosError as error:
                self._record_error(error, run)
        await self._queue.advance()
        if self.after_advance is not None:
            await self.after_advance()

    def compute_spendable(self) -> Nano:
        """Return the balance that no claim on its way will lock."""
        return self._compute_capacity().spendable

    async def take_on(self) -> None:
        """Take on one more job, if one is worth it and there is room for it."""
        if not self.is_taking:
            return
        held = self._find_held()
        offer = held or self._choose()
        if offer is None:
            return
        try:
            work = await self._fetch(offer)
        except InosError as error:
            if held is not None and not isinstance(error, MatrixMissing | InvalidTask | TaskRefused):
                raise  # The bond is at stake, so it is tried again at once.
            if self._is_early(offer.id):
                self._pause_early()  # The job itself is tried again once a block has it.
            else:
                self._avoid_job(offer.id)
            self._stats.last_error = f"job {offer.id.hex()[:16]}: [{error.code}] {error.message}"
            log.info("job cannot be taken on", job=offer.id.hex(), code=error.code, error=error.message)
            return
        height = None if self._is_early(offer.id) else self._get_height()
        self.runs[offer.id] = JobRun(offer, work, height, claims_sent=int(held is not None))
        self._stats.jobs_taken += 1
        self._stats.jobs_taken_held += offer.is_held
        log.info("job taken on", job=offer.id.hex(), units=offer.units, reward=offer.job.reward)
        self.wake()
        self._wake_offers.set()  # There may be room for one more.

    def _get_height(self) -> Height:
        return Height(self._node.ledger.tip.header.height)

    async def _repeat(self, act: Callable[[], Any], wake: asyncio.Event, pause_s: float) -> None:
        while True:
            wake.clear()
            try:
                await act()
            except InosError as error:
                self._record_error(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await wake.wait()

    async def _advance(self, run: JobRun) -> None:
        if isinstance(run.work, Computation):
            await self._keep_outcome(run.id, run.work)
        decision = self._decide(run)
        run.step = decision.step
        self._count_settled(run, decision.step in (Step.SETTLED, Step.FINISHED))
        if decision.step is Step.CLAIM:
            if not self.is_taking:
                return  # The miner is stopped and would not multiply it, so the bond would be lost.
            await self._queue.send(run.claim_key, ClaimJob(run.id))
            run.claims_sent += 1
            log.info("job claimed", job=run.id.hex(), times=run.claims_sent)
        elif decision.step is Step.SUBMIT:
            await self._submit(run)
        elif decision.step is Step.MINE:
            self._begin(run)
        elif decision.step in (Step.DROP, Step.FINISHED):
            await self._drop(run, decision)

    def _decide(self, run: JobRun) -> Decision:
        failure = run.work.failure if isinstance(run.work, Computation) else None
        if failure is not None:
            self._record_error(failure, run)
            return Decision(Step.DROP, failure.code)
        return decide(self._queue.address, *self._observe(run))

    def _begin(self, run: JobRun) -> None:
        """Let the mining loop continue with a product or program, or start a function."""
        work = run.work
        if isinstance(work, Computation) and not work.is_mined:
            if not work.is_running and self._group is not None:
                work.is_running = True
                self._group.create_task(self._functions.run(run.id, work, self.wake))
            return
        self.work_ready.set()

    def _observe(self, run: JobRun) -> tuple[Progress, Observation]:
        height, job = self._get_height(), self._node.ledger.state.get_job(run.id)
        if job is not None:
            run.last_seen = height
        progress = Progress(
            claims_sent=run.claims_sent,
            is_complete=run.work.is_complete,
            is_computed_first=run.offer.kind is JobKind.FUNCTION,
            last_seen=run.last_seen,
        )
        observed = Observation(
            height=height,
            job=job,
            is_posting_pending=self._node.mempool.has(TxId(run.id)),
            claim=self._node.ledger.state.get_claim(run.id),
            is_claim_pending=self._queue.is_pending(run.claim_key),
            is_result_pending=self._queue.is_pending(run.result_key),
            is_finishable=run.work.is_complete or is_finishable(self._node.params, run.offer, self._compute_capacity()),
        )
        return progress, observed

    async def _keep_outcome(self, job: JobId, work: Computation) -> None:
        """Store outputs as soon as they are computed, so that a restart does not lose what may have cost hours."""
        if work.outputs is not None and work.outcome is None:
            work.outcome = await self._node.matrices.keep_outcome(job, work.outputs)
            work.outputs = None

    async def _submit(self, run: JobRun) -> None:
        if run.result is None:
            run.result = await self._store_result(run)
        await self._queue.send(run.result_key, run.result)
        log.info("result submitted", job=run.id.hex())

    async def _store_result(self, run: JobRun) -> SubmitResult | SubmitOutcome:
        """Put a complete result into the store, and return what delivers it."""
        work, matrices = run.work, self._node.matrices
        if isinstance(work, Computation):
            assert work.outcome is not None
            return SubmitOutcome(run.id, work.outcome)
        if work.file is not None:
            return SubmitResult(run.id, await matrices.put_product(work.file.finish))
        return SubmitResult(run.id, await matrices.put(work.result()))

    def _count_settled(self, run: JobRun, is_settled: bool) -> None:
        """Count a payment once, and remove it from the count if a reorganisation undid it."""
        if is_settled != run.is_settled:
            run.is_settled = is_settled
            self._stats.jobs_settled += 1 if is_settled else -1

    async def _drop(self, run: JobRun, decision: Decision) -> None:
        del self.runs[run.id]
        if run.is_posting_pending:
            self._pause_early()
        if isinstance(run.work, Product) and run.work.file is not None:
            await asyncio.to_thread(run.work.file.drop)
        if isinstance(run.work, Computation):
            run.work.stop.set()
            await asyncio.to_thread(self._node.matrices.outcomes.drop, run.id)
            self._failed.note(run.offer.job.poster, run.work, self._get_height())
        self._queue.forget(run.claim_key)
        self._queue.forget(run.result_key)
        if decision.step is Step.DROP:
            self._stats.jobs_lost += 1
            self._avoid_job(run.id)
            log.info("job given up", job=run.id.hex(), reason=decision.reason)

    def _choose(self) -> Offer | None:
        height = self._get_height()
        self._avoid = {job: until for job, until in self._avoid.items() if until > height}
        listed = self._node.ledger.reader.list_jobs(state=JobState.OPEN, limit=MAX_OFFERS)
        self._holdings.named.begin_look()
        offers = [Offer(job_id, job, self._holdings.look(job)) for job_id, job in listed]
        offers += self._list_early()
        avoid = self._avoid.keys() | self.runs.keys()
        capacity = self._compute_capacity()
        chosen = choose_job(self._node.params, self._settings, self._queue.address, offers, capacity, avoid)
        self.lacks_capital = chosen is None and any(
            get_refusal(self._node.params, self._settings, offer, capacity) == "bond-not-affordable"
            for offer in offers
            if offer.id not in avoid
        )
        return chosen

    async def _fetch_ahead(self) -> None:
        if self.is_taking and await self._ahead.step(self._compute_capacity(), self._avoid.keys() | self.runs.keys()):
            self._wake_ahead.set()

    def _list_early(self) -> list[Offer]:
        """Return jobs that the next block will post, or none while such a job is held already.

        One at a time is held, because its claim has to wait with all later transactions of the account if the posting
        is replaced. After that, no more are taken for some blocks.
        """
        is_allowed = self._get_height() >= self._not_early_until
        if not is_allowed or any(run.is_posting_pending for run in self.runs.values()):
            return []
        return [offer for offer in self._early if is_early(offer) and self._node.mempool.has(TxId(offer.id))]

    def _find_held(self) -> Offer | None:
        """Return a job claimed by this account that was not taken on here: after a restart, or if another program
        claimed it."""
        for job, record in self._node.ledger.reader.list_jobs(
            state=JobState.CLAIMED, worker=self._queue.address, limit=MAX_OFFERS
        ):
            if job not in self.runs and job not in self._avoid:
                return Offer(job, record, self._holdings.look(record))
        return None

    def _compute_capacity(self) -> Capacity:
        params, me = self._node.params, self._queue.address
        account, fee = self._node.ledger.state.get_account(me), self._node.mempool.estimate_fee()
        unsettled = [run for run in self.runs.values() if not run.is_settled]
        waiting = [run for run in unsettled if self._node.ledger.state.get_claim(run.id) is None]
        limit = min(
            compute_open_claim_limit(params, compute_reputation(params, account, self._get_height())),
            self._settings.max_claims,
        )
        return Capacity(
            height=self._get_height(),
            spendable=compute_spendable(account, sum(run.offer.job.bond + 2 * fee for run in waiting)),
            fee=fee,
            claims_left=limit - account.open_claims - len(waiting),
            backlog=Tickets(sum(run.work.tickets_left for run in self.runs.values())),
            rate=self._stats.total_speed,
        )

    async def _fetch(self, offer: Offer) -> Product | Computation:
        work, matrices = offer.job.work, self._node.matrices
        patience_s = self._settings.fetch_timeout_s
        if self._is_early(offer.id):  # Such a job may cost its poster nothing, and others wait meanwhile.
            patience_s = min(patience_s, self._node.params.spacing_ms / 1000)
        if not isinstance(work, TaskWork):
            return await fetch_product(matrices, offer, work, patience_s)
        outcome = await asyncio.to_thread(matrices.outcomes.find, offer.id)
        if outcome is not None:
            return Computation(work, None, outcome)
        loaded = await fetch_task(matrices, work, patience_s)
        if offer.job.state is JobState.OPEN:
            self._failed.check(offer.job.poster, loaded, self._get_height())
        return Computation(work, loaded)

    def _is_early(self, job: JobId) -> bool:
        """Return True if the chain does not have the job yet."""
        return self._node.ledger.state.get_job(job) is None

    def _pause_early(self) -> None:
        """Believe only blocks for a while, because a job that no block had came to nothing."""
        self._not_early_until = Height(self._get_height() + AVOID_BLOCKS)

    def _avoid_job(self, job: JobId) -> None:
        if len(self._avoid) < MAX_AVOIDED:
            self._avoid[job] = Height(self._get_height() + AVOID_BLOCKS)

    def _get_expiry(self, run: JobRun) -> int:
        claim = self._node.ledger.state.get_claim(run.id)
        return claim.expires_at if claim is not None else run.offer.job.deadline

    def _record_error(self, error: InosError, run: JobRun | None = None) -> None:
        self._stats.last_error = f"[{error.code}] {error.message}"
        log.warning("step of a job failed", code=error.code, error=error.message, job=run.id.hex() if run else "")
