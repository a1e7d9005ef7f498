"""`inos.Client`: a node's RPC for programs, and products multiplied by the chain.

async with inos.Client("http://127.0.0.1:8645", wallet=key) as client:
    y = await client.multiply(x, w, reward="1.5")
"""

import asyncio
import re
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inos.client import models
from inos.client.downloads import fetch_array, save_product
from inos.client.errors import ClientError, JobFailed, RemoteError
from inos.client.job_watcher import JobWatch, JobWatcher
from inos.client.models import convert
from inos.client.node_reader import NodeReader
from inos.client.operands import (
    BadOperand,
    Credits,
    check_shapes,
    decode_fetched,
    encode_put,
    is_product,
    make_ref,
    read_credits,
    to_operand,
)
from inos.client.uploads import WHOLE_BYTES, Progress, be_silent, upload_rows
from inos.consensus.params import Params
from inos.consensus.prices import compute_job_price
from inos.primitives.errors import InosError
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import JobMode, Payload, Transaction, compute_tx_id
from inos.primitives.units import Height, JobId, Nano, Tickets, TxId
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key, make_key

__all__ = ["BadOperand", "Client", "ClientError", "JobFailed", "RemoteError"]

DEFAULT_URL: Final = "http://127.0.0.1:8645"
DEFAULT_TIMEOUT_S: Final = 30.0
DEFAULT_JOB_TIMEOUT_S: Final = 600.0
PUT_TIMEOUT_S: Final = 150.0
FETCH_WAIT_S: Final = 20.0
NONCE_TRIES: Final = 4
Mode: TypeAlias = Literal["checked", "optimistic"]
NONCE_RACES: Final = frozenset({"nonce-too-old", "replacement-fee-too-low", "bad-nonce", "already-known"})
"""Refusals that mean another program used the account's nonce meanwhile."""


class Client(NodeReader):
    """One node's RPC, with typed answers, and one account's key where it has one.

    Args:
        url: the node's RPC address.
        wallet: the account's key, e.g. from `inos.wallet.keys.derive_key`; needed to send and to post.
        secret: the account's 32-byte secret, in place of `wallet`.
        token: bearer token of the node, for what only its owner may ask.
        timeout_s: longest one call may take.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        wallet: Key | None = None,
        secret: bytes | None = None,
        token: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        if wallet is not None and secret is not None:
            raise ClientError("bad-key", "give either wallet or secret, not both")
        self._key = make_key(secret) if secret is not None else wallet
        super().__init__(url, token, timeout_s)
        self._given = (url, token, timeout_s)
        self._sending = asyncio.Lock()
        self._watcher = JobWatcher(self)

    def copy(self) -> "Client":
        """The same node and key with connections of its own, for use in another event loop."""
        url, token, timeout_s = self._given
        return Client(url, wallet=self._key, token=token, timeout_s=timeout_s)

    async def get_address(self) -> str:
        """The address of this client's key."""
        return encode_address((await self.get_network()).hrp, self._get_key().address)

    async def account(self, address: str | None = None, *, prove: bool = False) -> models.AccountInfo:
        """An account at the tip; this client's own without an address."""
        return await self.get_account(address or await self.get_address(), prove=prove)

    async def send_transaction(self, tx: Transaction) -> str:
        """Hand in a signed transaction; its id in hex."""
        answer = await self.call("tx_send", {"hex": build.encode_transaction(tx)})
        expected = compute_tx_id(tx).hex()
        if not isinstance(answer, dict) or answer.get("id") != expected:
            raise ClientError(
                "bad-response", f"the node took transaction {expected} but named another: {answer!r:.200}"
            )
        return expected

    async def transfer(self, to: str, amount: Credits | None = None, *, amount_nano: int | None = None) -> str:
        """Send credits (text or Decimal) or nano to an address; the transaction's id.

        Raises:
            WalletError: before anything is signed. RemoteError: the node refused.
        """
        nano = read_credits("amount", amount, amount_nano)
        hrp = (await self.get_network()).hrp
        return (await self._send(build.make_transfer(hrp, to, nano))).hex()

    async def put_matrix(self, array: NDArray[Any]) -> MatrixRef:
        """Store a matrix (int8 operand or int32 result) on the node; its reference as computed here.

        Raises:
            ClientError: "wrong-matrix" where the node calls it by another id.
        """
        ref = await asyncio.to_thread(make_ref, array)
        await self._put(array, ref, "matrix", be_silent)
        return ref

    async def _put(self, array: NDArray[Any], ref: MatrixRef, name: str, tell: Progress) -> None:
        if array.nbytes > WHOLE_BYTES:
            await upload_rows(self.call, array, ref, name, tell)
            return
        params = await asyncio.to_thread(encode_put, array)
        stored = convert(models.StoredMatrix, await self.call("mesh_put", params, timeout_s=PUT_TIMEOUT_S), "mesh_put")
        if stored.id != ref.id.hex():
            raise ClientError("wrong-matrix", f"the node stored matrix {ref.id.hex()} as {stored.id}")

    async def get_matrix(self, matrix: str, *, wait_s: float = FETCH_WAIT_S) -> NDArray[Any]:
        """A matrix by id in hex, checked against it; the node asks its peers for up to `wait_s` seconds."""
        try:
            answer = await self.call("mesh_get", {"id": matrix, "wait_s": wait_s}, timeout_s=wait_s + PUT_TIMEOUT_S)
        except RemoteError as error:
            if error.code != "answer-too-large":
                raise
            return await fetch_array(self.call, matrix, wait_s)
        fetched = convert(models.FetchedMatrix, answer, "mesh_get")
        if fetched.id != matrix:
            raise ClientError("wrong-matrix", f"the node answered with matrix {fetched.id}, asked was {matrix}")
        return await asyncio.to_thread(decode_fetched, fetched)

    async def post_job(
        self,
        x: NDArray[Any],
        w: NDArray[Any],
        *,
        reward: Credits | None = None,
        reward_nano: int | None = None,
        max_burn: int | None = None,
        lifetime: int | None = None,
        bond: int | None = None,
        claim_window: int | None = None,
        mode: Mode | None = None,
        tell: Progress = be_silent,
    ) -> str:
        """Post the product x times w transposed as a job; its id in hex.

        Args:
            x: m x k integers in -64 .. 63; w: n x k. int8 ones may be mapped from files larger than memory.
            reward: credits, as "1.5", 1.5 or Decimal("1.5"); `reward_nano` in its place: nano.
            max_burn: most nano to burn, all parts together; without it half as much again as today's price.
            claim_window: blocks a worker has the job alone; by default what a small worker needs for its size.
            lifetime: blocks from now in which it can be claimed and delivered; as many as allowed without.
            mode: "checked" by every node before it is paid, or "optimistic": paid after a window in which anybody may
                show it wrong. By default checked, where it is small enough for that.
            tell: called with the operand on its way, rows sent and rows in all.

        Raises:
            BadOperand, WalletError, ClientError: before anything is sent. RemoteError: the node refused.
        """
        x8, w8 = to_operand(x, "X"), to_operand(w, "W")
        check_shapes(x8, w8)
        nano = read_credits("reward", reward, reward_nano)
        params = (await self.get_network()).params
        job_mode = _choose_mode(params, x8, w8, mode)
        fee, head = await self.estimate_fee(), await self.head()
        x_ref, w_ref = await asyncio.to_thread(make_ref, x8), await asyncio.to_thread(make_ref, w8)
        payload = build.make_post_job(
            params,
            Height(head.height),
            x_ref,
            w_ref,
            reward=nano,
            max_burn=_choose_max_burn(params, head, x_ref, w_ref, job_mode) if max_burn is None else max_burn,
            lifetime=params.max_job_lifetime if lifetime is None else lifetime,
            bond=bond,
            claim_window=_choose_window(params, head, x_ref, w_ref) if claim_window is None else claim_window,
            mode=job_mode,
        )
        await self._check_affordable(payload, fee.fee)
        await self._put(x8, x_ref, "X", tell)
        await self._put(w8, w_ref, "W", tell)
        return (await self._send(payload)).hex()

    async def cancel_job(self, job: str) -> str:
        """Take back the reward of one's own job that is unclaimed or past its deadline; the transaction's id."""
        return (await self._send(build.make_cancel(_read_job_id(job)))).hex()

    async def wait_job(
        self, job: str, timeout_s: float = DEFAULT_JOB_TIMEOUT_S, *, confirmations: int = 1
    ) -> models.Job:
        """Wait until the job is settled, with as many blocks on top as `confirmations` says (1: just settled).

        Raises:
            JobFailed: "job-cancelled", "job-expired" (its deadline passed), "job-lost", "job-timeout".
        """
        return await self._watcher.wait(JobWatch(job, timeout_s, confirmations))

    async def result(self, job: str, *, wait_s: float = FETCH_WAIT_S) -> NDArray[np.int32]:
        """The settled job's product, int32 m x n, fetched by its id and checked here by Freivalds.

        Raises:
            JobFailed: "job-open" where it is not settled, "wrong-result" where the check fails.
        """
        settled = await self.job(job)
        if settled.y is None:
            raise JobFailed("job-open", job, f"job {job} is {settled.state}, it has no result yet")
        x = await self.get_matrix(settled.x.id, wait_s=wait_s)
        w = await self.get_matrix(settled.w.id, wait_s=wait_s)
        return await self._fetch_result(settled, x, w, wait_s)

    async def save_result(
        self, job: str, path: Path, *, wait_s: float = FETCH_WAIT_S, tell: Progress = be_silent
    ) -> NDArray[np.int32]:
        """A job's product in a .npy file, whatever its size: fetched, checked by Freivalds and written by rows.

        An optimistic one may be had as soon as it is delivered. The file is written whole or not at all.

        Returns:
            int32 m x n, mapped from the file.

        Raises:
            JobFailed: as `result`. OSError: the disk refuses.
        """
        found = await self.job(job)
        if found.y is None:
            raise JobFailed("job-open", job, f"job {job} is {found.state}, it has no result yet")
        try:
            await save_product(self.call, found, found.y, path, wait_s, tell)
        except RemoteError as error:
            if error.code != "matrix-unknown":
                raise
            raise _make_missing(found) from error
        return np.lib.format.open_memmap(path, "r")

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
        **job_options: Any,
    ) -> NDArray[np.int32]:
        """x (m x k) times w (n x k) transposed, multiplied by the chain, checked here: int32 m x n.

        Args:
            reward, reward_nano, job_options: as `post_job` has them.
            timeout_s: longest to wait for the settlement.
            auto_cancel: take the reward back where the job expires or the wait ends before anybody claimed it.

        Raises:
            JobFailed: no result came, or a wrong one; see `wait_job` and `result`.
            BadOperand, WalletError, RemoteError, ClientError: as `post_job`.
        """
        job = await self.post_job(x, w, reward=reward, reward_nano=reward_nano, **job_options)
        try:
            settled = await self.wait_job(job, timeout_s, confirmations=confirmations)
        except JobFailed as error:
            if auto_cancel and error.code in ("job-expired", "job-timeout"):
                raise await self._cancel_after(error) from error
            raise
        return await self._fetch_result(settled, to_operand(x, "X"), to_operand(w, "W"), FETCH_WAIT_S)

    async def _fetch_result(
        self, settled: models.Job, x: NDArray[np.int8], w: NDArray[np.int8], wait_s: float
    ) -> NDArray[np.int32]:
        if settled.y is None:
            raise JobFailed("job-open", settled.id, f"job {settled.id} is {settled.state}, it has no result")
        try:
            y: NDArray[np.int32] = await self.get_matrix(settled.y.id, wait_s=wait_s)
        except RemoteError as error:
            if error.code != "matrix-unknown":
                raise
            raise _make_missing(settled) from error
        await self._check_result(settled, x, w, y)
        return y

    async def _check_result(
        self, settled: models.Job, x: NDArray[np.int8], w: NDArray[np.int8], y: NDArray[np.int32]
    ) -> None:
        if not await asyncio.to_thread(is_product, JobId(bytes.fromhex(settled.id)), x, w, y):
            raise JobFailed(
                "wrong-result",
                settled.id,
                f"the result of job {settled.id} is not X times W transposed",
                hint="an optimistic job nobody watched, or a node that lies: ask another node with --watch"
                if settled.mode == "optimistic"
                else "the chain should never settle such a job: do not trust this node",
            )

    async def _cancel_after(self, error: JobFailed) -> JobFailed:
        """The same failure, saying what became of the reward."""
        try:
            if error.code == "job-timeout" and await self._is_claimed(error.job):
                hint = "a worker holds it and may still deliver; once the claim has lapsed it can be cancelled"
                return JobFailed(error.code, error.job, error.message, hint=hint)
            tx = await self.cancel_job(error.job)
        except InosError as refused:
            return JobFailed(error.code, error.job, error.message, hint=f"it could not be cancelled: {refused.message}")
        return JobFailed(error.code, error.job, error.message, hint=f"cancelled by {tx}; the reward comes back")

    async def _is_claimed(self, job: str) -> bool:
        try:
            return (await self.job(job)).state == "claimed"
        except RemoteError as error:
            if error.code == "job-unknown":  # not mined yet
                return False
            raise

    async def _send(self, payload: Payload) -> TxId:
        """Sign with the next nonce and hand in, one at a time: two at once would take one nonce."""
        key, network = self._get_key(), await self.get_network()
        async with self._sending:
            for tries_left in reversed(range(NONCE_TRIES)):
                account, fee = await self._get_view(), (await self.estimate_fee()).fee
                tx = build.build_transaction(key, network.params.chain_id, account, payload, fee)
                try:
                    return TxId(bytes.fromhex(await self.send_transaction(tx)))
                except RemoteError as error:
                    if not tries_left or error.code not in NONCE_RACES:
                        raise
        raise ClientError("nonce-race", "other programs keep taking this account's nonces")

    async def _check_affordable(self, payload: Payload, fee: int) -> None:
        build.check_affordable(payload, fee, await self._get_view())

    async def _get_view(self) -> build.AccountView:
        account = await self.account()
        return build.AccountView(nonce=account.pending_nonce, balance=Nano(account.balance))

    def _get_key(self) -> Key:
        if self._key is None:
            raise ClientError("no-key", "this needs an account's key", hint="make the Client with wallet= or secret=")
        return self._key


def _choose_max_burn(params: Params, head: models.Head, x: MatrixRef, w: MatrixRef, mode: JobMode) -> int:
    """Half as much again as posting burns in the next block at the tip's difficulty, since both may move."""
    price = compute_job_price(
        params,
        Height(head.height + 1),
        Tickets(head.difficulty),
        rows_x=x.rows,
        rows_w=w.rows,
        depth=x.cols,
        mode=mode,
    )
    return -(-price.total * 3 // 2)


def _choose_window(params: Params, head: models.Head, x: MatrixRef, w: MatrixRef) -> int:
    """Time for the job's tickets at an eighth of the network's speed, and four times the least to deliver."""
    blocks = 4 * params.min_claim_window + 8 * build.compute_tickets(x, w) // max(1, head.difficulty)
    return min(blocks, params.max_claim_window)


def _read_job_id(text: str) -> JobId:
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise ClientError("bad-job-id", f"{text!r:.100} is not a job's id", hint="an id is 64 hex digits")
    return JobId(bytes.fromhex(text))


def _make_missing(job: models.Job) -> JobFailed:
    paid = " and paid" if job.state == "settled" else ""
    return JobFailed(
        "result-missing",
        job.id,
        f"job {job.id} is {job.state}{paid}, but neither the node nor its peers have all its matrices here",
        hint=f"ask again later, or another node: inos job result {job.id}",
    )


def _choose_mode(params: Params, x: NDArray[np.int8], w: NDArray[np.int8], mode: Mode | None) -> JobMode:
    size = x.nbytes + w.nbytes + 4 * x.shape[0] * w.shape[0]
    if mode == "optimistic" or (mode is None and size > params.max_checked_bytes):
        return JobMode.OPTIMISTIC
    if size > params.max_checked_bytes:
        raise BadOperand(
            "job-too-large",
            f"operands and result take {size} bytes, a checked job at most {params.max_checked_bytes}",
            hint="post it as an optimistic job, or split X into blocks of rows",
        )
    return JobMode.CHECKED
