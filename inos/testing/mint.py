"""The parts that replace a network of miners in a test chain: instant blocks, and a worker for paid jobs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, assert_never

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.chain.template import Template
from inos.consensus.finality import compute_span, get_voting_committee
from inos.consensus.records import Job, JobState, ProductWork, TaskWork
from inos.core.computation import InvalidTask, Loaded, TaskRefused, compute_outputs, load_task
from inos.core.node_core import NodeCore
from inos.functions import Role
from inos.primitives.blocks import Block, compute_anchor
from inos.primitives.bls import compute_secret as compute_bls_secret
from inos.primitives.bls import get_bls
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.matrices import Witness
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    Payload,
    RegisterVoter,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    sign_transaction,
)
from inos.primitives.units import JobId, MatrixId, Nano, TxId
from inos.primitives.votes import make_possession_message
from inos.testing.clock import MovableClock
from inos.wallet.keys import Key
from inos.work.limbs import multiply_int7

OPERAND_ROWS: Final = 64
"""Rows of the operand that is multiplied: 16 tickets, of which one wins on average at a test chain's target."""
MAX_JOBS: Final = 200


class Mint:
    """Makes blocks of the transactions that wait, a block spacing apart by the chain's clock."""

    def __init__(self, core: NodeCore, clock: MovableClock, miner: Key) -> None:
        self._core = core
        self._clock = clock
        self.miner = miner
        """The account that finds the blocks."""
        self._operand = work.Operand.commit(np.ones((OPERAND_ROWS, OPERAND_ROWS), np.int8))
        self.turn = asyncio.Lock()
        """The lock is held while blocks are made."""
        self.blocks: list[tuple[Block, Witness]] = []
        """All blocks that were made, from the first on."""

    async def mine(self, count: int, seconds: float | None = None) -> int:
        """Make blocks, each this many seconds after the one before (by default a block spacing); return the height."""
        step = self._core.params.spacing_ms if seconds is None else round(seconds * 1000)
        async with self.turn:
            for _ in range(count):
                self._clock.advance(step)
                template = await self._core.templates.make(self.miner.address)
                block, witness = await asyncio.to_thread(self._seal, template)
                await self._core.blocks.add(block, witness)
                self.blocks.append((block, witness))
        return int(self._core.ledger.tip.header.height)

    def _seal(self, template: Template) -> tuple[Block, Witness]:
        nonce = 0
        while True:
            header = replace(template.header, nonce=nonce)
            anchor = compute_anchor(header)
            mined = work.mine(self._operand, self._operand, anchor, template.allowed_target, threads=1)
            if mined.wins:
                header = replace(header, seal=mined.wins[0].seal)
                return Block(header, template.transactions, template.aggregate), mined.wins[0].witness
            nonce += 1


class Worker:
    """Does every paid job honestly.

    Args:
        send: sends its transactions.
    """

    def __init__(self, core: NodeCore, mint: Mint, key: Key, send: Callable[[Transaction], Awaitable[TxId]]) -> None:
        self._core = core
        self._send_signed = send
        self._mint = mint
        self._key = key

    async def do_jobs(self) -> list[JobId]:
        """Claim, compute and deliver the open jobs, mine until they are paid, and return them.

        A job whose matrices or files this node does not have, that no jury could check, or that has no time left, stays
        as it is.
        """
        ledger = self._core.ledger
        done: list[JobId] = []
        for id, job in ledger.reader.list_jobs(state=JobState.OPEN, limit=MAX_JOBS):
            if job.deadline <= ledger.tip.header.height + 1:
                continue
            try:
                result = await self._compute(id, job)
            except (MatrixMissing, InvalidTask, TaskRefused):
                continue
            if job.mode is JobMode.OPTIMISTIC:
                await self._seat_jury()
            done.append(await self._do(id, result))
        return done

    async def _compute(self, id: JobId, job: Job) -> SubmitResult | SubmitOutcome:
        """Compute a result, put it into the store, and return what delivers it.

        Raises:
            MatrixMissing: a matrix or file is not here. InvalidTask: no outcome is right.
        """
        match job.work:
            case ProductWork(x, w):
                left, right = [await self._read(ref.matrix_id) for ref in (x, w)]
                return await self._multiply(id, left, right)
            case TaskWork():
                return await self._run_task(id, await load_task(job.work, self._read))
            case _:
                assert_never(job.work)

    async def _read(self, id: MatrixId, most: int = 0) -> NDArray[Any]:
        found = await self._core.matrices.read(id)
        if found is None:
            raise MatrixMissing((id,))
        return found

    async def _multiply(self, id: JobId, x: NDArray[np.int8], w: NDArray[np.int8]) -> SubmitResult:
        y = await asyncio.to_thread(partial(multiply_int7, x, w))
        return SubmitResult(id, await self._core.matrices.put(y))

    async def _run_task(self, id: JobId, loaded: Loaded) -> SubmitOutcome:
        compute = partial(compute_outputs, id, loaded, role=Role.WORKER, stop=threading.Event())
        outputs = await asyncio.to_thread(compute)
        return SubmitOutcome(id, tuple([(await self._core.matrices.put_bytes(data)).id for data in outputs]))

    async def _do(self, id: JobId, result: SubmitResult | SubmitOutcome) -> JobId:
        await self._send(self._key, ClaimJob(id))
        await self._mint.mine(1)
        await self._send(self._key, result)
        await self._mint.mine(1)
        while (found := self._core.ledger.state.get_job(id)) is not None and found.state is JobState.DELIVERED:
            await self._mint.mine(1)
        if found is None or found.state is not JobState.SETTLED:
            raise InosError(
                "job-not-settled", f"job {id.hex()} is not settled, although the test chain's worker did it"
            )
        return id

    async def _seat_jury(self) -> None:
        """Register the chain's miner as a voter, and mine until it is in a committee, since an optimistic job needs a
        jury.
        """
        ledger, params, miner = self._core.ledger, self._core.params, self._mint.miner
        if get_voting_committee(ledger.state).members:
            return
        secret, bls = compute_bls_secret(miner.secret), get_bls()
        key = bls.compute_public_key(secret)
        if ledger.state.get_voter(miner.address) is None:
            message = make_possession_message(key, miner.address, params.chain_id)
            proof = bls.prove_possession(secret, message)
            bond = Nano(max(params.min_voter_bond, ledger.state.get_account(miner.address).balance // 2))
            await self._send(miner, RegisterVoter(key, proof, bond))
        for _ in range(compute_span(params, 3)):
            await self._mint.mine(1)
            if get_voting_committee(ledger.state).members:
                return
        raise InosError("no-jury", "the test chain's miner registered as a voter, and no committee was chosen")

    async def _send(self, key: Key, payload: Payload) -> None:
        core = self._core
        nonce = core.mempool.next_nonce(key.address, core.ledger.state)
        tx = sign_transaction(key.secret, core.params.chain_id, nonce, core.mempool.estimate_fee(), payload)
        await self._send_signed(tx)
