"""What a poster's client does about a delivered result that it cannot fetch, or that is wrong: it asks for a jury."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from inos.client import models
from inos.client.errors import JobFailed
from inos.primitives.errors import InosError

PAUSE_S: Final = 1.0
T = TypeVar("T")


class Disputer(Protocol):
    """What `fetch_or_dispute` needs of a client."""

    async def job(self, job: str) -> models.Job: ...

    async def head(self) -> models.Head: ...

    async def dispute(self, job: str) -> str: ...


async def fetch_or_dispute(client: Disputer, job: models.Job, window: int, fetch: Callable[[], Awaitable[T]]) -> T:
    """Fetch a job's result again and again; dispute it if half of the challenge window passes without it.

    A result that is wrong is disputed at once. One that is paid already, or disputed by another account, is fetched
    once.

    Args:
        window: the network's challenge window, in blocks.
        fetch: fetches and checks the result; it raises JobFailed "result-missing" or "wrong-result".

    Raises:
        JobFailed: what `fetch` raised, with a hint at what became of the dispute.
    """
    while True:
        try:
            return await fetch()
        except JobFailed as error:
            if job.state != "delivered" or error.code not in ("result-missing", "wrong-result"):
                raise
            if error.code == "wrong-result" or await _is_half_over(client, job, window):
                raise await _dispute_after(client, error) from error
        await asyncio.sleep(PAUSE_S)


async def _is_half_over(client: Disputer, job: models.Job, window: int) -> bool:
    """Return whether half of the blocks between the delivery and the payment are over."""
    if job.claim is None:
        return True
    return (await client.head()).height >= job.claim.expires_at - window // 2


async def _dispute_after(client: Disputer, error: JobFailed) -> JobFailed:
    """Dispute the job, and return the same failure with a hint at the jury."""
    try:
        tx = await client.dispute(error.job)
    except InosError as refused:
        hint = f"it could not be disputed: {refused.message}"
    else:
        hint = f"disputed by {tx}; a jury decides: inos job watch {error.job}"
    return JobFailed(error.code, error.job, error.message, hint=hint)
