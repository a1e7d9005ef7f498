"""The watcher checks every optimistic result in its challenge window, and contests the wrong ones from its own account.

Pipeline: delivered and disputed jobs at the tip -> `result_check` -> challenge of the first wrong tile; for a task
`task_check` -> dispute, since nothing shorter than running it again shows that its outcome is wrong. The watcher counts
and logs a result that cannot be fetched; it disputes no such result.
"""

import asyncio
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from inos.agents.result_check import ResultCheck, WrongTile
from inos.agents.signing import make_transaction
from inos.agents.status import WatchStatus
from inos.agents.task_check import TaskCheck
from inos.chain.events import TipChanged
from inos.consensus.records import Job, JobState, ProductWork, TaskWork
from inos.core.node_core import NodeCore
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.matrices import MatrixRef
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Dispute, Verdict, compute_tx_id
from inos.primitives.units import JobId, TxId

log: Final = structlog.get_logger("watch")

MAX_WATCHED: Final = 4096
"""The watcher looks at this many delivered jobs, the oldest first."""
MAX_FETCHING: Final = 16
"""This many results are fetched at one time, so that one that no node serves does not delay the others."""
LOOK_S: Final = 2.0
"""The watcher looks at the tip at least this often, even if no event arrives."""
OPEN: Final = (JobState.DELIVERED, JobState.DISPUTED)
"""In these states a job's result can be shown wrong."""


class Watcher:
    """Runs until cancelled.

    Args:
        key: the secret (32 bytes) of the account that sends challenges and disputes, and receives their rewards.
        modules: the folder in which compiled modules of functions are kept.
    """

    def __init__(self, core: NodeCore, key: bytes, modules: Path | None = None) -> None:
        self._core = core
        self._key = key
        self._check = ResultCheck(core, key)
        self._tasks = TaskCheck(core, modules)
        self._verdicts: OrderedDict[tuple[bytes, bytes], Verdict] = OrderedDict()
        """The verdicts by task and outcome."""
        self._address = compute_address(compute_public_key(key))
        self._findings: OrderedDict[tuple[bytes, bytes], WrongTile | None] = OrderedDict()
        """The verdicts by job and result; None means that the result is right."""
        self._in_progress: set[tuple[bytes, bytes]] = set()
        self._sent: dict[bytes, TxId] = {}
        self._checked = self._wrong = self._challenged = self._unavailable = 0
        self._last_error = ""

    def get_status(self) -> WatchStatus:
        return WatchStatus(
            address=self._address,
            checked=self._checked,
            wrong=self._wrong,
            challenged=self._challenged,
            unavailable=self._unavailable,
            last_error=self._last_error,
        )

    async def run(self) -> None:
        """Watch until cancelled."""
        log.info("watching optimistic results", key=self._address.hex())
        async with asyncio.TaskGroup() as group, self._core.events.subscribe() as events:
            while True:
                await self._check_new(group)
                await events.wait_for(TipChanged, limit_s=LOOK_S)

    async def _check_new(self, group: asyncio.TaskGroup) -> None:
        """Start to check new results, and challenge the wrong ones."""
        ledger = self._core.ledger
        delivered = [each for state in OPEN for each in ledger.reader.list_jobs(state=state, limit=MAX_WATCHED)]
        for job_id, job in delivered:
            product = job.work
            if isinstance(product, TaskWork):
                await self._watch_task(group, job_id, job, product)
                continue
            if product.y is None:
                continue
            name = (bytes(job_id), bytes(product.y.id))
            if name in self._findings:
                await self._challenge_if_wrong(job_id, product, self._findings[name])
            elif name not in self._in_progress and len(self._in_progress) < MAX_FETCHING:
                self._in_progress.add(name)
                group.create_task(self._check_result(job_id, product, product.y))
        live = {bytes(job_id) for job_id, _ in delivered}
        self._sent = {job: tx for job, tx in self._sent.items() if job in live}

    async def _watch_task(self, group: asyncio.TaskGroup, job_id: JobId, job: Job, task: TaskWork) -> None:
        """Start to check a delivered task, and dispute a wrong one."""
        claim = self._core.ledger.state.get_claim(job_id)
        if job.state is not JobState.DELIVERED or task.outputs is None or claim is None or claim.is_judged:
            return  # What a jury has upheld cannot be disputed again.
        name = (bytes(job_id), b"".join(task.outputs))
        if name in self._verdicts:
            await self._dispute_if_wrong(job_id, self._verdicts[name])
        elif name not in self._in_progress and len(self._in_progress) < MAX_FETCHING:
            self._in_progress.add(name)
            group.create_task(self._check_task(name, job_id, task))

    async def _check_task(self, name: tuple[bytes, bytes], job_id: JobId, task: TaskWork) -> None:
        try:
            verdict = await self._tasks.judge(job_id, task, partial(self._is_task_open, job_id, task))
            self._checked += 1
            self._wrong += verdict is Verdict.WRONG
            self._verdicts[name] = verdict
            while len(self._verdicts) > MAX_WATCHED:
                self._verdicts.popitem(last=False)
            log.info("outcome checked", job=job_id.hex(), verdict=verdict.name.lower())
            if self._is_task_open(job_id, task):
                await self._dispute_if_wrong(job_id, verdict)
        except MatrixMissing as error:
            self._unavailable += 1
            self._record_error(job_id, error)
        except InosError as error:
            self._record_error(job_id, error)
        finally:
            self._in_progress.discard(name)

    async def _dispute_if_wrong(self, job_id: JobId, verdict: Verdict) -> None:
        """Ask a jury about a wrong outcome, unless this node's dispute waits in the pool."""
        sent = self._sent.get(job_id)
        if verdict is not Verdict.WRONG or (sent is not None and self._core.mempool.has(sent)):
            return
        try:
            tx = make_transaction(self._core, self._key, Dispute(job_id))
            await self._core.transactions.send(tx)
            self._sent[bytes(job_id)] = compute_tx_id(tx)
            self._challenged += 1
            log.info("outcome disputed", job=job_id.hex())
        except InosError as error:
            self._record_error(job_id, error)

    def _is_task_open(self, job_id: JobId, task: TaskWork) -> bool:
        """Return True if this outcome can still be disputed."""
        job = self._core.ledger.state.get_job(job_id)
        return job is not None and job.state is JobState.DELIVERED and job.work == task

    async def _check_result(self, job_id: JobId, product: ProductWork, y: MatrixRef) -> None:
        name = (bytes(job_id), bytes(y.id))
        try:
            arrays = await self._check.fetch((product.x, product.w, y), partial(self._is_open, job_id, y))
            finding = await self._check.find_wrong_tile(job_id, product, y, arrays)
            self._keep(name, finding)
            log.info("result checked", job=job_id.hex(), is_right=finding is None)
            if self._is_open(job_id, y):
                await self._challenge_if_wrong(job_id, product, finding)
        except MatrixMissing as error:
            self._unavailable += 1
            self._record_error(job_id, error)
        except InosError as error:
            self._record_error(job_id, error)
        finally:
            self._in_progress.discard(name)

    async def _challenge_if_wrong(self, job_id: JobId, product: ProductWork, finding: WrongTile | None) -> None:
        """Challenge a wrong result, unless this node's challenge waits in the pool."""
        sent = self._sent.get(job_id)
        if finding is None or product.y is None or (sent is not None and self._core.mempool.has(sent)):
            return
        try:
            self._sent[bytes(job_id)] = await self._check.challenge(job_id, product, product.y, finding)
            self._challenged += 1
        except InosError as error:
            self._record_error(job_id, error)

    def _is_open(self, job_id: JobId, y: MatrixRef) -> bool:
        """Return True if this result can still be challenged."""
        job = self._core.ledger.state.get_job(job_id)
        if job is None or job.state not in OPEN:
            return False
        return isinstance(job.work, ProductWork) and job.work.y == y

    def _keep(self, name: tuple[bytes, bytes], finding: WrongTile | None) -> None:
        self._checked += 1
        self._wrong += finding is not None
        self._findings[name] = finding
        while len(self._findings) > MAX_WATCHED:
            self._findings.popitem(last=False)

    def _record_error(self, job_id: JobId, error: InosError) -> None:
        self._last_error = f"job {job_id.hex()[:16]}: [{error.code}] {error.message}"
        log.warning("check of a result failed", job=job_id.hex(), code=error.code, error=error.message)
