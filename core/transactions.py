"""The transaction service takes transactions into the pool. Those that cannot be checked yet are deferred, and neither
relayed nor mined."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, assert_never

import structlog

from inos.chain.events import TransactionAdded
from inos.chain.mempool import Mempool, PoolRejected
from inos.chain.view import LedgerView
from inos.consensus.codes import Code
from inos.consensus.optimistic import check_challenge
from inos.consensus.records import CLOSED_STATES, Job, JobState
from inos.consensus.settlement import get_product
from inos.consensus.validity import check_transaction_sanity, check_transactions_sanity
from inos.core.deferred import DeferredResults, DeferredTransactions, retry_deferred
from inos.core.events import EventBus
from inos.core.intake import Intake
from inos.core.matrices.service import MatrixService
from inos.core.result_holders import ResultHolders
from inos.core.threads import Threads
from inos.core.verification.results import StoredResults
from inos.core.verification.trial import KeptDrafts, Trials
from inos.core.writer import ChainWriter
from inos.primitives.errors import InosError, MatrixMissing, NotYet, RuleViolation
from inos.primitives.matrices import Product
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import Height, JobId, MatrixId, TxId

log: Final = structlog.get_logger("node")

RETRY_S: Final = 0.25
"""The service looks at deferred transactions this often."""
CHALLENGEABLE: Final = (JobState.DELIVERED, JobState.DISPUTED)
"""In these states a job's result can be shown wrong."""
MAX_SENDING: Final = 8
"""So many results and challenges of this node's own users are checked at one time; the others wait outside the threads.
"""
SLOWLY_CHECKED: Final = (SubmitResult, SubmitOutcome, Challenge)
"""Payloads whose check reads matrices or many strips."""
MAX_CHALLENGES: Final = 4
"""This many challenges are deferred, of up to 2 MiB each."""


class TransactionService:
    """Checks transactions in threads, adds them in the writer thread, and publishes each on the event loop.

    Args:
        results: checks products.
    """

    def __init__(
        self,
        ledger: LedgerView,
        writer: ChainWriter,
        matrices: MatrixService,
        results: StoredResults,
        mempool: Mempool,
        holders: ResultHolders,
        events: EventBus,
        threads: Threads,
    ) -> None:
        self._ledger = ledger
        self._writer = writer
        self._mempool = mempool
        self._holders = holders
        self._matrices = matrices
        self._results = results
        self._events = events
        self._threads = threads
        self._sending = asyncio.Semaphore(MAX_SENDING)
        self._kept = KeptDrafts()
        self._intake = Intake(self._send_group)
        self._without_matrices = DeferredResults()
        self._without_claim = DeferredTransactions()
        self._without_result = DeferredTransactions(MAX_CHALLENGES)

    async def send(self, tx: Transaction) -> TxId:
        """Take a transaction of one of this node's users, after executing it on the tip if that is possible.

        Peers may have another tip, so what they relay goes through `add`: it only has to be possible.

        Raises:
            RuleViolation: for the same reasons as `add`, or because the next block could not take it.
            PoolRejected, NotYet: for the same reasons as `add`.
        """
        if not isinstance(tx.payload, SLOWLY_CHECKED):
            return await self._intake.take(tx)
        async with self._sending:
            await self._check(tx)
            await self._threads.check(partial(Trials(self._ledger, self._mempool, self._kept).try_on_tip, tx))
            return await self._threads.complete(self._store(tx))

    async def send_many(self, transactions: Sequence[Transaction]) -> list[TxId | InosError | None]:
        """Take several transactions as by `send`; return the id of each, or what refused it.

        They are one group, whose order is kept. None stands for one that was not taken, since its check takes long.
        """
        quick = [tx for tx in transactions if not isinstance(tx.payload, SLOWLY_CHECKED)]
        taken = iter(await self._intake.take_all(quick) if quick else ())
        return [None if isinstance(tx.payload, SLOWLY_CHECKED) else next(taken) for tx in transactions]

    async def add(self, tx: Transaction) -> TxId:
        """Check a transaction and take it into the pool.

        Raises:
            RuleViolation: it can never be valid, or delivers a wrong result.
            PoolRejected: this node does not want it now.
            NotYet: it is deferred, and taken later: a result without its claim or (MatrixMissing) its matrices, or a
                challenge of a result that is not on chain here yet.
        """
        await self._check(tx)
        return await self._threads.complete(self._store(tx))

    async def _send_group(self, transactions: Sequence[Transaction]) -> list[TxId | InosError]:
        """Take transactions that need no matrices; return the id of each, or what refused it."""
        errors = await self._threads.check(partial(self._check_group, transactions))
        passed = [tx for tx, error in zip(transactions, errors, strict=True) if error is None]
        taken = iter(await self._threads.write(partial(self._writer.add_each, passed)))
        outcomes = [next(taken) if error is None else error for error in errors]
        for outcome in outcomes:
            if not isinstance(outcome, InosError):
                self._events.publish(TransactionAdded(outcome))
        return outcomes

    def _check_group(self, transactions: Sequence[Transaction]) -> list[InosError | None]:
        """Check what needs no place in the chain, all signatures in one call; then try each on the tip."""
        params, bls = self._ledger.params, self._ledger.bls
        trials = Trials(self._ledger, self._mempool, self._kept)
        try:
            check_transactions_sanity(params, transactions, bls)
            checks = [trials.try_on_tip]
        except RuleViolation:  # Which of them is wrong is found out one by one.
            checks = [partial(check_transaction_sanity, params, bls=bls), trials.try_on_tip]
        errors = [_find_error(tx, checks) for tx in transactions]
        trials.keep()
        return errors

    async def _check(self, tx: Transaction) -> None:
        """Check what needs no place in the chain. It raises the errors of `add`."""
        await self._threads.check(partial(check_transaction_sanity, self._ledger.params, tx, self._ledger.bls))
        match tx.payload:
            case SubmitResult():
                await self._check_result(tx, tx.payload)
            case SubmitOutcome():
                self._get_claimed(tx, JobId(tx.payload.job))  # Jurors run the task again if it is disputed.
            case Challenge():
                await self._check_challenge(tx, tx.payload)
            case (
                Transfer()
                | TransferMany()
                | PostJob()
                | PostTask()
                | ClaimJob()
                | CancelJob()
                | RegisterVoter()
                | UnbondVoter()
                | WithdrawBond()
                | ReportVoter()
                | Dispute()
                | JuryVote()
                | JuryReveal()
            ):
                pass
            case _:
                assert_never(tx.payload)

    async def _store(self, tx: Transaction) -> TxId:
        """Take a checked transaction into the pool, and tell subscribers."""
        if isinstance(tx.payload, SubmitResult):
            job = self._ledger.state.get_job(JobId(tx.payload.job))
            if job is not None and job.mode is JobMode.CHECKED:
                self._holders.on_added(compute_tx_id(tx))
        tx_id = await self._threads.write(partial(self._writer.add_transaction, tx))
        self._events.publish(TransactionAdded(tx_id))
        return tx_id

    async def restore(self, transactions: Sequence[Transaction]) -> int:
        """Take the pool of a stopped node, and return how many of its transactions still fit."""
        valid = await self._threads.check(partial(self._select_valid, transactions))
        return await self._threads.write(partial(self._writer.add_transactions, valid))

    async def retry_waiting_for(self, matrix: MatrixId) -> None:
        """Try the results again that wait for a matrix, which is here now."""
        for tx in self._without_matrices.take(matrix):
            await retry_deferred("result that waited for a matrix", partial(self.add, tx))

    async def run(self) -> None:
        """Try deferred transactions again, until cancelled."""
        while True:
            await asyncio.sleep(RETRY_S)
            self._kept.follow(self._ledger.reader)
            height = Height(self._ledger.tip.header.height)
            for tx in self._without_claim.take(height, self._is_claimed):
                await retry_deferred("result that waited for its claim", partial(self.add, tx))
            for tx in self._without_result.take(height, self._is_delivered):
                await retry_deferred("challenge that waited for its result", partial(self.add, tx))

    def _select_valid(self, transactions: Sequence[Transaction]) -> tuple[Transaction, ...]:
        """Return those that pass stage 1: what is in the pool is not checked again when a block brings it."""
        valid: list[Transaction] = []
        for tx in transactions:
            try:
                check_transaction_sanity(self._ledger.params, tx, self._ledger.bls)
                valid.append(tx)
            except RuleViolation as error:
                log.warning("pool transaction left out", code=error.code)
        return tuple(valid)

    def _is_claimed(self, tx: Transaction) -> bool:
        """Return True if the sender of a result or an outcome holds the job's claim at this tip."""
        if not isinstance(tx.payload, SubmitResult | SubmitOutcome):
            return False
        job = self._ledger.state.get_job(JobId(tx.payload.job))
        return job is not None and job.state is JobState.CLAIMED and job.worker == get_sender(tx)

    async def _check_result(self, tx: Transaction, payload: SubmitResult) -> None:
        """Refuse a wrong result, and defer one that cannot be checked."""
        job = self._get_claimed(tx, JobId(payload.job))
        product = get_product(JobId(payload.job), job)
        if job.mode is JobMode.OPTIMISTIC:
            return  # Watchers check the result in its challenge window.
        check = partial(self._results.get_verdict, Product(JobId(payload.job), product.x, product.w, payload.y))
        try:
            is_correct = await self._threads.check(check)
        except MatrixMissing as error:
            self._without_matrices.add(compute_tx_id(tx), tx, error.ids)
            self._matrices.want(error.ids)
            raise
        if not is_correct:
            raise RuleViolation(Code.WRONG_RESULT, f"the result of job {payload.job.hex()} is not X times W transposed")

    def _get_claimed(self, tx: Transaction, job_id: JobId) -> Job:
        """Return the job that a transaction delivers; defer the transaction if its sender holds no claim yet."""
        job = self._ledger.state.get_job(job_id)
        if job is not None and job.state in CLOSED_STATES:
            raise PoolRejected("job-closed", f"job {job_id.hex()} is {job.state.name.lower()} already")
        if job is None or not self._is_claimed(tx):
            self._without_claim.add(compute_tx_id(tx), tx, Height(self._ledger.tip.header.height))
            raise NotYet("claim-missing", f"the sender holds no claim on job {job_id.hex()} at this node's tip")
        return job

    def _is_delivered(self, tx: Transaction) -> bool:
        """Return True if the result that a challenge is about can be challenged at this tip."""
        job = self._ledger.state.get_job(JobId(tx.payload.job)) if isinstance(tx.payload, Challenge) else None
        return job is not None and job.state in CHALLENGEABLE

    async def _check_challenge(self, tx: Transaction, payload: Challenge) -> None:
        """Refuse what no block would take: a challenge is large, and would be tried again for every template."""
        job = self._ledger.state.get_job(JobId(payload.job))
        if job is not None and job.state is JobState.CLAIMED:
            self._without_result.add(compute_tx_id(tx), tx, Height(self._ledger.tip.header.height))
            raise NotYet("delivery-missing", f"job {payload.job.hex()} has no result at this node's tip")
        if job is None or job.state not in CHALLENGEABLE:
            state = "not known" if job is None else job.state.name.lower()
            raise PoolRejected(
                "job-not-delivered", f"job {payload.job.hex()} is {state}, so no result can be challenged"
            )
        await self._threads.check(partial(check_challenge, JobId(payload.job), job, payload))


def _find_error(tx: Transaction, checks: Iterable[Callable[[Transaction], None]]) -> InosError | None:
    try:
        for check in checks:
            check(tx)
    except InosError as error:
        return error
    return None
