"""`inos.Client`: a node's RPC for programs, and products multiplied by the chain.

async with inos.Client("http://127.0.0.1:8645", wallet=key) as client:
    y = await client.multiply(x, w, reward="1.5")
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from inos.client import models
from inos.client.costs import choose_max_burn, choose_reward, compute_job_mib, raise_max_burn, read_max_cost
from inos.client.disputing import fetch_or_dispute
from inos.client.downloads import get_operands, save_product
from inos.client.errors import ClientError, JobFailed, RemoteError
from inos.client.job_watcher import JobWatch, JobWatcher, OnState, ignore_state
from inos.client.operands import (
    BadOperand,
    Credits,
    check_shapes,
    is_product,
    keep_operand,
    make_ref,
    read_credits,
)
from inos.client.sender import FETCH_WAIT_S
from inos.client.tasks import TaskSender
from inos.client.uploads import Progress, ignore_progress
from inos.client.wallets import find_signer
from inos.primitives.errors import InosError
from inos.primitives.matrices import compute_tickets
from inos.primitives.transactions import JobMode, PostJob, Transaction, compute_tx_id
from inos.primitives.units import Height, JobId, Nano
from inos.wallet import build
from inos.wallet.keys import Key
from inos.wallet.signers import Signer

__all__ = ["BadOperand", "Client", "ClientError", "JobFailed", "RemoteError"]

DEFAULT_URL: Final = "http://127.0.0.1:8645"
DEFAULT_TIMEOUT_S: Final = 30.0
DEFAULT_JOB_TIMEOUT_S: Final = 600.0
Mode: TypeAlias = Literal["checked", "optimistic"]
MODES: Final[dict[str, JobMode]] = {"checked": JobMode.CHECKED, "optimistic": JobMode.OPTIMISTIC}


class Client(TaskSender):
    """One node's RPC with typed results, and the key of one account if it has one.

    `inos.BlockingClient` has the same methods for programs without asyncio.

    Args:
        url: the node's RPC address.
        wallet: what pays and posts jobs: a key, such as `inos.wallet.keys.derive_key` makes, a signer
            (`inos.wallet.signers`), the name of a wallet on this machine (`inos wallet list`), or the path of its
            keystore.
        password: the wallet's; asked for at the terminal or in the notebook if it is not given.
        secret: the account's 32-byte secret, in place of `wallet`.
        token: the node's bearer token; only protected methods need it.
        timeout_s: longest time one call may take.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        wallet: Key | Signer | str | Path | None = None,
        password: str | None = None,
        secret: bytes | None = None,
        token: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        super().__init__(url, token, timeout_s, find_signer(wallet, secret, password))
        self._given = (url, token, timeout_s)
        self._watcher = JobWatcher(self)

    def copy(self) -> "Client":
        """Return a client of the same node and key with connections of its own, for use in another event loop."""
        url, token, timeout_s = self._given
        return Client(url, wallet=self._signer, token=token, timeout_s=timeout_s)

    async def post_job(
        self,
        x: NDArray[Any],
        w: NDArray[Any],
        *,
        reward: Credits | None = None,
        reward_nano: int | None = None,
        max_burn: int | None = None,
        max_cost: Credits | None = None,
        lifetime: int | None = None,
        bond: int | None = None,
        claim_window: int | None = None,
        mode: Mode | None = None,
        fee_nano: int | None = None,
        on_progress: Progress = ignore_progress,
    ) -> str:
        """Post the product x times w transposed as a job; return its id in hex.

        Args:
            x: m x k integers in -64 .. 63; w: n x k. int8 ones may be mapped from files larger than memory, and these
                must stay as they are until the job is posted; other arrays are copied.
            reward: credits, as "1.5", 1.5 or Decimal("1.5"); `reward_nano` in its place: nano. By default what the last
                settled jobs paid per ticket.
            max_burn: most nano to burn, all parts together; by default 1.5 times the present price.
            max_cost: most credits for reward, burn and fee together. If the price has moved past three halves of
                what it was when it was asked, the job is signed once more, within this limit.
            claim_window: blocks that a worker has the job for itself; by default what a small worker needs for it.
            lifetime: blocks from now in which the job can be claimed and delivered; by default the most allowed.
            mode: "checked" by every node before it is paid, or "optimistic": paid after a window in which anybody may
                show it wrong or ask a jury. By default the mode that burns less, of those that are possible.
            fee_nano: the transaction's fee; by default what the node advises, if that is not too high.
            on_progress: called with the operand that is sent, rows sent and rows in all.

        Raises:
            BadOperand, WalletError, ClientError: before anything is sent; ClientError "price-moved" or "too-expensive"
                also after the operands were sent, if the price rose meanwhile. RemoteError: the node refused.
        """
        x8, w8 = keep_operand(x, "X"), keep_operand(w, "W")
        check_shapes(x8, w8)
        asked = None if reward is None and reward_nano is None else read_credits("reward", reward, reward_nano)
        most = read_max_cost(max_cost)
        params = (await self.get_network()).params
        m, n, k = x8.shape[0], w8.shape[0], x8.shape[1]
        quote = await self.quote(m, n, k, reward_nano=asked, poster=await self.get_address(), mode=mode)
        fee, head = await self._get_fee(fee_nano), await self.head()
        nano = choose_reward(quote, asked, compute_tickets(m, n, k))
        burn_limit = choose_max_burn(quote, nano, fee, max_burn, most)
        x_ref, w_ref = await asyncio.to_thread(make_ref, x8), await asyncio.to_thread(make_ref, w8)
        payload = build.make_post_job(
            params,
            Height(head.height),
            x_ref,
            w_ref,
            reward=nano,
            max_burn=burn_limit,
            lifetime=params.max_job_lifetime if lifetime is None else lifetime,
            bond=bond,
            claim_window=build.choose_claim_window(params, compute_tickets(m, n, k), head.difficulty)
            if claim_window is None
            else claim_window,
            mode=MODES[quote.mode],
        )
        await self._check_affordable(payload, fee)
        await self._put(x8, x_ref, "X", on_progress)
        await self._put(w8, w_ref, "W", on_progress)
        return compute_tx_id(await self._send_job(payload, fee, most)).hex()

    async def _send_job(self, payload: PostJob, fee: Nano, most: int | None) -> Transaction:
        """Send a job; if its price has moved past `max_burn`, sign it once more, so that it costs at most `most`."""
        try:
            return await self.send_payload(payload, fee_nano=fee)
        except RemoteError as error:
            if error.code != "burn-above-maximum":
                raise
        m, n, k = payload.x.rows, payload.w.rows, payload.x.cols
        mode: Mode = "optimistic" if payload.mode is JobMode.OPTIMISTIC else "checked"
        reward, poster = Nano(payload.reward), await self.get_address()
        now = await self.quote(m, n, k, reward_nano=reward, poster=poster, mode=mode)
        burn_limit = raise_max_burn(now, reward, fee, payload.max_burn, most)
        return await self.send_payload(replace(payload, max_burn=burn_limit), fee_nano=fee)

    async def cancel_job(self, job: str) -> str:
        """Take back the reward of a job of one's own that is unclaimed or past its deadline; return the transaction's
        id.
        """
        return compute_tx_id(await self.send_payload(build.make_cancel(_read_job_id(job)))).hex()

    async def dispute(self, job: str) -> str:
        """Ask a jury about a delivered result that is wrong or that nobody serves; return the transaction's id.

        The job's bond and its jury fee are staked; they come back if the jury does not find the result right.
        """
        found = await self.job(job)
        params = (await self.get_network()).params
        stake = build.compute_stake(params, found.bond, compute_job_mib(found))
        tx = await self.send_payload(build.make_dispute(_read_job_id(job)), locked=stake)
        return compute_tx_id(tx).hex()

    async def wait_job(
        self,
        job: str,
        timeout_s: float = DEFAULT_JOB_TIMEOUT_S,
        *,
        confirmations: int = 1,
        on_state: OnState = ignore_state,
    ) -> models.Job:
        """Return a job once it is settled, with that many blocks from its settlement to the tip (1: just settled).

        Args:
            on_state: is told the job's state whenever it changes: pending, open, claimed, delivered, ...

        Raises:
            JobFailed: "job-cancelled", "job-undecided" (its jury came to no decision), "job-expired" (its deadline
                passed), "job-lost", "job-timeout".
        """
        return await self._watcher.wait(JobWatch(job, timeout_s, confirmations, on_state=on_state))

    async def wait_result(
        self, job: str, timeout_s: float = DEFAULT_JOB_TIMEOUT_S, *, on_state: OnState = ignore_state
    ) -> models.Job:
        """Return a job once it is delivered or settled: its result can be fetched then. `on_state` and errors are
        those of `wait_job`.
        """
        return await self._watcher.wait(JobWatch(job, timeout_s, 1, is_delivery_enough=True, on_state=on_state))

    async def result(self, job: str, *, wait_s: float = FETCH_WAIT_S) -> NDArray[np.int32]:
        """Return a settled job's product, int32 m x n, fetched by its id and checked here by Freivalds.

        Raises:
            JobFailed: "job-open" if it is not settled, "wrong-result" if the check fails.
        """
        settled = await self.job(job)
        operands = get_operands(settled)
        if settled.y is None:
            raise _make_open(settled)
        x, w = [await self.get_matrix(ref.id, wait_s=wait_s) for ref in operands]
        return await self._fetch_result(settled, x, w, wait_s)

    async def save_result(
        self,
        job: str,
        path: Path,
        *,
        wait_s: float = FETCH_WAIT_S,
        auto_dispute: bool = False,
        on_progress: Progress = ignore_progress,
    ) -> NDArray[np.int32]:
        """Fetch a job's product of any size, check it by Freivalds, and write it to a .npy file.

        An optimistic one can be fetched as soon as it is delivered. The file appears only once it is whole.

        Args:
            auto_dispute: stake bond and jury fee for a dispute if a delivered result is wrong, or cannot be fetched
                in half of the challenge window.

        Returns:
            int32 m x n, mapped from the file.

        Raises:
            JobFailed: for the same reasons as `result`. OSError: the file cannot be written.
        """
        found = await self.job(job)
        get_operands(found)
        y = found.y
        if y is None:
            raise _make_open(found)

        async def save() -> NDArray[np.int32]:
            try:
                await save_product(self.call, found, y, path, wait_s, on_progress)
            except RemoteError as error:
                if error.code != "matrix-unknown":
                    raise
                raise _make_missing(found) from error
            return np.lib.format.open_memmap(path, "r")

        return await (self._fetch_or_dispute(found, save) if auto_dispute else save())

    async def multiply(
        self,
        x: NDArray[Any],
        w: NDArray[Any],
        *,
        reward: Credits | None = None,
        reward_nano: int | None = None,
        timeout_s: float = DEFAULT_JOB_TIMEOUT_S,
        confirmations: int = 1,
        auto_cancel: bool = True,
        auto_dispute: bool = True,
        **job_options: Any,
    ) -> NDArray[np.int32]:
        """Have x (m x k) times w (n x k) transposed multiplied by the chain; return it, checked here: int32 m x n.

        An optimistic result is returned as soon as it is delivered and found right here. One that is wrong, or that
        cannot be fetched in half of the challenge window, is disputed (see `dispute`).

        Args:
            reward, reward_nano, job_options: those of `post_job`.
            timeout_s: longest time to wait for the result.
            confirmations: above 1, wait until the job was settled this many blocks ago.
            auto_cancel: take the reward back if the job expires, or the time is over before it was claimed.
            auto_dispute: stake bond and jury fee for a dispute if the result is wrong or missing.

        Raises:
            JobFailed: no result came, or a wrong one; see `wait_job` and `result`.
            BadOperand, WalletError, RemoteError, ClientError: for the same reasons as `post_job`.
        """
        x8, w8 = keep_operand(x, "X"), keep_operand(w, "W")
        job = await self.post_job(x8, w8, reward=reward, reward_nano=reward_nano, **job_options)
        watch = JobWatch(job, timeout_s, confirmations, is_delivery_enough=True)
        try:
            found = await self._watcher.wait(watch)
        except JobFailed as error:
            if auto_cancel and error.code in ("job-expired", "job-timeout"):
                raise await self._cancel_after(error) from error
            raise

        async def fetch() -> NDArray[np.int32]:
            return await self._fetch_result(found, x8, w8, FETCH_WAIT_S)

        y = await (self._fetch_or_dispute(found, fetch) if auto_dispute else fetch())
        if confirmations > 1 and found.state != "settled":
            await self.wait_job(job, timeout_s, confirmations=confirmations)
        return y

    async def _fetch_or_dispute(
        self, job: models.Job, fetch: Callable[[], Awaitable[NDArray[np.int32]]]
    ) -> NDArray[np.int32]:
        window = (await self.get_network()).params.challenge_window
        return await fetch_or_dispute(self, job, window, fetch)

    async def _fetch_result(
        self, settled: models.Job, x: NDArray[np.int8], w: NDArray[np.int8], wait_s: float
    ) -> NDArray[np.int32]:
        if settled.y is None:
            raise _make_open(settled)
        try:
            y: NDArray[np.int32] = await self.get_matrix(settled.y.id, wait_s=wait_s)
        except RemoteError as error:
            if error.code != "matrix-unknown":
                raise
            raise _make_missing(settled) from error
        if not await asyncio.to_thread(is_product, JobId(bytes.fromhex(settled.id)), x, w, y):
            for name, array, ref in zip("XW", (x, w), get_operands(settled), strict=True):
                await asyncio.to_thread(_check_unchanged, name, array, ref.id)
            raise _make_wrong(settled)
        return y

    async def _cancel_after(self, error: JobFailed) -> JobFailed:
        """Cancel the job, and return the same failure with a hint at what became of the reward."""
        try:
            if error.code == "job-timeout" and await self._is_claimed(error.job):
                hint = "a worker holds it and may still deliver; once the claim has lapsed it can be cancelled"
                return JobFailed(error.code, error.job, error.message, hint=hint)
            tx = await self.cancel_job(error.job)
        except InosError as refused:
            hint = f"it could not be cancelled: {refused.message}"
            return JobFailed(error.code, error.job, error.message, hint=_join(error.hint, hint))
        hint = f"cancelled by {tx}; the reward comes back"
        return JobFailed(error.code, error.job, error.message, hint=_join(error.hint, hint))

    async def _is_claimed(self, job: str) -> bool:
        try:
            return (await self.job(job)).state == "claimed"
        except RemoteError as error:
            if error.code == "job-unknown":  # not mined yet
                return False
            raise


def _check_unchanged(name: str, array: NDArray[np.int8], posted: str) -> None:
    """Check that an operand is still the one that the job names.

    Raises:
        ClientError: "operand-changed".
    """
    if make_ref(array).id.hex() != posted:
        raise ClientError(
            "operand-changed",
            f"{name} was mapped from a file that changed after the job was posted, so the result cannot be checked",
            hint="leave the file as it is until the result is there; the node still has the operand that was posted",
        )


def _join(*hints: str) -> str:
    return "; ".join(hint for hint in hints if hint)


def _read_job_id(text: str) -> JobId:
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise ClientError("bad-job-id", f"{text!r:.100} is not a job's id", hint="an id is 64 hex digits")
    return JobId(bytes.fromhex(text))


def _make_open(job: models.Job) -> JobFailed:
    return JobFailed("job-open", job.id, f"job {job.id} is {job.state}, and has no result yet")


def _make_missing(job: models.Job) -> JobFailed:
    paid = " and paid" if job.state == "settled" else ""
    return JobFailed(
        "result-missing",
        job.id,
        f"job {job.id} is {job.state}{paid}, but neither the node nor its peers have all its matrices",
        hint=f"ask again later, or ask another node: inos job result {job.id}",
    )


def _make_wrong(job: models.Job) -> JobFailed:
    return JobFailed(
        "wrong-result",
        job.id,
        f"the result of job {job.id} is not X times W transposed",
        hint="either nobody watched this optimistic job, or the node lies: ask another node that runs with --watch"
        if job.mode == "optimistic"
        else "the chain should never settle such a job: do not trust this node",
    )
