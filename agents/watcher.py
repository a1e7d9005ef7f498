"""The watcher checks every optimistic result in its challenge window, and challenges the wrong ones from its own
account.

Pipeline: delivered jobs at the tip -> operands and result fetched by id -> Freivalds' check, a slice of rows at a time,
in the checking threads -> if rows fail, these rows alone are multiplied again -> the first wrong tile is opened ->
challenge.

A result whose matrices cannot be fetched proves nothing: the watcher counts and logs it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog
from msgspec import Struct
from numpy.typing import NDArray

from inos import work
from inos.agents.signing import make_transaction
from inos.agents.status import WatchStatus
from inos.chain.events import TipChanged
from inos.consensus.records import Job, JobState
from inos.core.node_core import NodeCore
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.matrices import STRIP_ROWS, MatrixRef, StripRow
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Challenge, compute_tx_id
from inos.primitives.units import JobId, TxId
from inos.work.fraud import open_tile
from inos.work.freivalds import RowCheck
from inos.work.limbs import multiply_int7

log: Final = structlog.get_logger("watch")

MAX_WATCHED: Final = 4096
"""The watcher looks at this many delivered jobs, the oldest first."""
MAX_FETCHING: Final = 16
"""This many results are fetched at one time, so that one that no node serves does not delay the others."""
LOOK_S: Final = 2.0
"""The watcher looks at the tip at least this often, whatever the events say."""
FETCH_S: Final = 20.0
"""One attempt to fetch a matrix takes this long; it is repeated while the challenge window is open."""
SLICE_ENTRIES: Final = 1 << 23
"""This many entries of W, or of X and Y together, are checked in one call of a checking thread."""


class Finding(Struct, frozen=True):
    """This tile of a result is wrong."""

    i: int
    j: int


class Watcher:
    """Runs until cancelled.

    Args:
        key: the secret (32 bytes) of the account that sends challenges and receives their rewards.
    """

    def __init__(self, core: NodeCore, key: bytes) -> None:
        self._core = core
        self._key = key
        self._address = compute_address(compute_public_key(key))
        self._findings: OrderedDict[tuple[bytes, bytes], Finding | None] = OrderedDict()
        """The verdicts by job and result; None means that the result is right."""
        self._in_progress: set[tuple[bytes, bytes]] = set()
        self._sent: dict[bytes, TxId] = {}
        self._checking = asyncio.Semaphore(1)
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
                try:
                    async with asyncio.timeout(LOOK_S):
                        while not isinstance(await anext(events), TipChanged):
                            pass
                except TimeoutError:
                    continue

    async def _check_new(self, group: asyncio.TaskGroup) -> None:
        """Start to check new results, and challenge the wrong ones."""
        delivered = self._core.ledger.list_jobs(state=JobState.DELIVERED, limit=MAX_WATCHED)
        for job_id, job in delivered:
            if job.y is None:
                continue
            name = (bytes(job_id), bytes(job.y.id))
            if name in self._findings:
                await self._challenge_if_wrong(job_id, job, self._findings[name])
            elif name not in self._in_progress and len(self._in_progress) < MAX_FETCHING:
                self._in_progress.add(name)
                group.create_task(self._check_result(job_id, job, job.y))
        live = {bytes(job_id) for job_id, _ in delivered}
        self._sent = {job: tx for job, tx in self._sent.items() if job in live}

    async def _check_result(self, job_id: JobId, job: Job, y: MatrixRef) -> None:
        name = (bytes(job_id), bytes(y.id))
        try:
            arrays = await self._fetch(job_id, (job.x, job.w, y))
            if arrays is None:
                return
            async with self._checking:
                finding = await self._check(job_id, job, y, arrays)
            self._keep(name, finding)
            log.info("result checked", job=job_id.hex(), is_right=finding is None)
            if self._is_open(job_id, y):
                await self._challenge_if_wrong(job_id, job, finding)
        except InosError as error:
            self._record_error(job_id, error)
        finally:
            self._in_progress.discard(name)

    async def _fetch(self, job_id: JobId, refs: Sequence[MatrixRef]) -> list[NDArray[Any]] | None:
        """Fetch operands and result, again and again until the result is paid; return None if they could not be
        fetched."""
        y, arrays = refs[-1], []
        for ref in refs:
            while True:
                try:
                    arrays.append(await self._core.matrices.fetch(ref.matrix_id, FETCH_S))
                    break
                except MatrixMissing as error:
                    if not self._is_open(job_id, y):
                        self._unavailable += 1
                        self._record_error(job_id, error)
                        return None
        return arrays

    async def _check(self, job_id: JobId, job: Job, y: MatrixRef, arrays: Sequence[NDArray[Any]]) -> Finding | None:
        """Return the first wrong tile, or None."""
        left, right, claimed = arrays
        run = self._core.threads.check
        check = await run(
            partial(RowCheck, work.compute_freivalds_seed(job_id, job.x.id, job.w.id, y.id), len(right), right.shape[1])
        )
        step = max(1, SLICE_ENTRIES // right.shape[1])
        for top in range(0, len(right), step):
            await run(partial(check.absorb, top, right[top : top + step]))
        step = max(1, SLICE_ENTRIES // (left.shape[1] + claimed.shape[1]))
        for top in range(0, len(left), step):
            wrong = await run(partial(check.find_wrong_rows, left[top : top + step], claimed[top : top + step]))
            if wrong:
                row = top + wrong[0]
                return Finding(row // STRIP_ROWS, await self._find_column(left[row], right, claimed[row]) // STRIP_ROWS)
        return None

    async def _find_column(self, x: NDArray[Any], w: NDArray[Any], y: NDArray[Any]) -> int:
        """Return the first column in which a row of Y differs from the product. Freivalds' check has found that there
        is one."""
        step = max(1, SLICE_ENTRIES // w.shape[1])
        for left in range(0, len(w), step):
            product = await self._core.threads.check(partial(multiply_int7, x[None, :], w[left : left + step]))
            wrong = (product[0] != y[left : left + step]).nonzero()[0]
            if len(wrong):
                return left + int(wrong[0])
        raise LookupError("a row that fails Freivalds' check is right in every column, which cannot be")

    async def _challenge_if_wrong(self, job_id: JobId, job: Job, finding: Finding | None) -> None:
        """Challenge a wrong result, unless this node's challenge waits in the pool."""
        sent = self._sent.get(job_id)
        if finding is None or job.y is None or (sent is not None and self._core.mempool.has(sent)):
            return
        try:
            await self._challenge(job_id, job, job.y, finding)
        except InosError as error:
            self._record_error(job_id, error)

    async def _challenge(self, job_id: JobId, job: Job, y: MatrixRef, finding: Finding) -> None:
        open_one = partial(open_tile, job.x, job.w, y, finding.i, finding.j, self._open_row)
        tile = await self._core.threads.check(open_one)
        payload = Challenge(job_id, tile.i, tile.j, tile.x, tile.w, tile.y)
        tx = make_transaction(self._core, self._key, payload)
        self._sent[bytes(job_id)] = compute_tx_id(tx)
        await self._core.transactions.add(tx)
        self._challenged += 1
        log.info("result challenged", job=job_id.hex(), i=tile.i, j=tile.j, tx=compute_tx_id(tx).hex())

    def _open_row(self, ref: MatrixRef, first: int, count: int) -> StripRow:
        row = self._core.matrices.store.open_row(ref.matrix_id, first, count)
        if row is None:
            raise MatrixMissing((ref.matrix_id,))
        return row

    def _is_open(self, job_id: JobId, y: MatrixRef) -> bool:
        """Return True if this result can still be challenged."""
        job = self._core.ledger.state.get_job(job_id)
        return job is not None and job.state is JobState.DELIVERED and job.y == y

    def _keep(self, name: tuple[bytes, bytes], finding: Finding | None) -> None:
        self._checked += 1
        self._wrong += finding is not None
        self._findings[name] = finding
        while len(self._findings) > MAX_WATCHED:
            self._findings.popitem(last=False)

    def _record_error(self, job_id: JobId, error: InosError) -> None:
        self._last_error = f"job {job_id.hex()[:16]}: [{error.code}] {error.message}"
        log.warning("check of a result failed", job=job_id.hex(), code=error.code, error=error.message)
