"""Waiting for a job: the node is asked after every block, and every way a job can end is told apart."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from inos.client import models
from inos.client.errors import JobFailed, RemoteError
from inos.client.tip import Tip

LOOK_S: Final = 1.0
"""The node is asked at least this often, also while no block comes."""
PENDING: Final = "pending"
LOST_S: Final = 3.0
"""A job counts as lost if neither the state nor the pool has it for so long.

After a reorganisation it takes a moment until transactions are back in the pool.
"""


OnState: TypeAlias = Callable[[str], None]


def ignore_state(state: str) -> None:
    """Do nothing; this is the default if no function is given."""


class JobWatch(Struct, frozen=True):
    """Which job to wait for (its id in hex), how long, and how many blocks deep its settlement must be.

    With `is_delivery_enough`, a result that is delivered or disputed ends the wait too.
    """

    job: str
    timeout_s: float
    confirmations: int
    is_delivery_enough: bool = False
    on_state: OnState = ignore_state
    """The function is called with the job's state whenever it changes; it is "pending" until the job is in a block."""


class JobSource(Protocol):
    """What the watcher needs of a client."""

    async def job(self, job: str) -> models.Job: ...

    async def head(self) -> models.Head: ...

    async def transaction(self, tx: str) -> models.FoundTransaction: ...

    def follow_tip(self) -> AbstractAsyncContextManager[Tip]: ...


class JobWatcher:
    """Waits for jobs of one node."""

    def __init__(self, source: JobSource) -> None:
        self._source = source

    async def wait(self, watch: JobWatch) -> models.Job:
        """Return the job once it is settled.

        Raises:
            JobFailed: "job-cancelled", "job-undecided", "job-expired", "job-lost", "job-timeout".
        """
        state, first, last = PENDING, -1, -1
        watch.on_state(state)
        try:
            async with asyncio.timeout(watch.timeout_s), self._source.follow_tip() as tip:
                seen_at = time.monotonic()
                while True:
                    # The head comes first: a job that is open after a head at its deadline was seen stays open.
                    head = await self._source.head()
                    first, last = head.height if first < 0 else first, head.height
                    job = await self._find(watch.job)
                    if job is not None or await self._is_pending(watch.job):
                        seen_at = time.monotonic()
                    _check_not_lost(watch.job, time.monotonic() - seen_at)
                    if job is not None:
                        if state != job.state:
                            state = str(job.state)
                            watch.on_state(state)
                        if _is_done(job, head, watch):
                            return job
                    await tip.wait(LOOK_S)
        except TimeoutError as error:
            raise JobFailed(
                "job-timeout",
                watch.job,
                f"job {watch.job} was not settled within {round(watch.timeout_s, 1):g} s; {_describe_state(state)}",
                hint=_describe_delay(state, last - first, watch.timeout_s),
            ) from error

    async def _find(self, job: str) -> models.Job | None:
        try:
            return await self._source.job(job)
        except RemoteError as error:
            if error.code == "job-unknown":
                return None
            raise

    async def _is_pending(self, job: str) -> bool:
        """Return whether the posting transaction waits in the pool, or was mined just now."""
        try:
            await self._source.transaction(job)
        except RemoteError as error:
            if error.code == "transaction-unknown":
                return False
            raise
        return True


def _describe_state(state: str) -> str:
    return "no block has it yet" if state == PENDING else f"it is {state}"


def _describe_delay(state: str, blocks: int, seconds: float) -> str:
    """Say why a job was not settled in time, and what to do."""
    if blocks == 0:
        return f"nobody mines here: no block came in these {seconds:g} s; start a miner with inos node --mine auto"
    if state == "open":
        return "a higher reward finds workers sooner; inos job watch follows the job"
    return "inos job watch follows the job"


def _is_done(job: models.Job, head: models.Head, watch: JobWatch) -> bool:
    if job.state == "settled" and job.closed_at is not None:
        return head.height - job.closed_at + 1 >= watch.confirmations
    if job.state in ("delivered", "disputed"):
        return watch.is_delivery_enough
    if job.state == "undecided":
        raise JobFailed(
            "job-undecided",
            job.id,
            f"the jury of job {job.id} came to no decision; at height {job.closed_at} its reward was burned",
            hint="post it again, as a checked job if it is small enough",
        )
    if job.state == "cancelled":
        raise JobFailed("job-cancelled", job.id, f"job {job.id} was cancelled at height {job.closed_at}")
    if job.state == "open" and head.height >= job.deadline:
        raise JobFailed(
            "job-expired",
            job.id,
            f"job {job.id} had its deadline at height {job.deadline}, and the chain is at {head.height}",
            hint="cancel it to get the reward back",
        )
    return False


def _check_not_lost(job: str, missing_s: float) -> None:
    if missing_s >= LOST_S:
        raise JobFailed(
            "job-lost",
            job,
            f"neither the chain nor the node's pool has job {job}",
            hint="its transaction was dropped or replaced; post it again",
        )
