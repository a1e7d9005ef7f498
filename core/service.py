"""The single writer: everything that changes the chain, the pool or the matrices goes through here."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar, assert_never

import structlog
from numpy.typing import NDArray

from inos.chain.checked import CheckedBlock
from inos.chain.events import TipChanged, TransactionAdded
from inos.chain.ledger import BlockOutcome, Ledger
from inos.chain.mempool import Mempool, PoolRejected
from inos.chain.snapshot.state_import import StateImport
from inos.chain.template import Template
from inos.chain.votepool import VotePool
from inos.consensus.codes import Code
from inos.consensus.finality.trust import Step
from inos.consensus.optimistic import check_challenge
from inos.consensus.params import Params
from inos.consensus.records import JobState, StateKey
from inos.consensus.stateranges import Place, StateRange
from inos.consensus.statetree import StateProof
from inos.consensus.validity import check_transaction_sanity
from inos.core.deferred import EarlyBlocks, HeldResults, UnclaimedResults
from inos.core.events import Hub, Subscription
from inos.core.matrices.maintenance import Steward
from inos.core.matrices.needs import list_needs
from inos.core.matrices.product_rows import JobRows
from inos.core.matrices.service import Depot
from inos.core.past_states import Pasts
from inos.core.threads import Threads
from inos.core.verification.blocks import BlockVerifier
from inos.core.verification.results import StoredResults
from inos.core.votes import VoteRoom
from inos.core.writer import AddedBlocks, ChainWriter
from inos.genesis import Network
from inos.mesh.runs import Run
from inos.mesh.store import MatrixInfo, MatrixStore
from inos.primitives.blocks import Block, Header
from inos.primitives.bls import BlsBackend
from inos.primitives.clock import Clock
from inos.primitives.errors import ClockAhead, InosError, MatrixMissing, NotYet, RuleViolation, VerdictMissing
from inos.primitives.matrices import MatrixRef, Product, Witness
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    PostJob,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    Transaction,
    Transfer,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
    get_sender,
)
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, TxId

log: Final = structlog.get_logger("node")
T = TypeVar("T")

HELD_TICK_S: Final = 0.25
MAX_HELD_CHALLENGES: Final = 4
"""Of up to 2 MiB each."""
WANT_AGAIN_S: Final = 3.0
"""Matrices still missing are asked for again this often."""


class NodeService:
    """Facade over ledger, mempool and matrices for network, RPC and miner.

    Reads go straight to `ledger`, `mempool` and `matrices`. Writes are async methods: what can be
    checked without state is checked in worker threads, the change itself is made in the one
    writer thread, events are published on the loop.

    Args:
        results: the checker the ledger was opened with.
        bls: checks and sums up votes.
        verifier: checks blocks before they come to the writer; closed with the service.
        threads: where blocking work runs; closed with the service.
        scrub_rate: bytes a second of stored matrices that are read back and checked.
    """

    def __init__(
        self,
        network: Network,
        ledger: Ledger,
        mempool: Mempool,
        matrices: MatrixStore,
        results: StoredResults,
        clock: Clock,
        *,
        bls: BlsBackend,
        verifier: BlockVerifier,
        threads: Threads | None = None,
        scrub_rate: int = 0,
    ) -> None:
        self.network = network
        self.ledger = ledger
        self.mempool = mempool
        self.matrices = matrices
        self.clock = clock
        self.bls = bls
        self.verifier = verifier
        self._results = results
        self._hub = Hub()
        self._early = EarlyBlocks()
        self._held = HeldResults()
        self._unclaimed = UnclaimedResults()
        self._undelivered = UnclaimedResults(MAX_HELD_CHALLENGES)
        self._threads = threads or Threads()
        votes = VotePool(network.params, bls)
        self._chain = ChainWriter(ledger, mempool, votes, clock)
        self.votes = VoteRoom(votes, ledger, self._threads, self._hub)
        self._pasts = Pasts(ledger, clock)
        self.depot = Depot(matrices, self._hub, self._threads, self._on_matrix)
        needs = partial(list_needs, ledger, mempool)
        self._steward = Steward(matrices, self.depot, self._hub, self._threads, needs, scrub_rate)

    @property
    def params(self) -> Params:
        return self.network.params

    @property
    def genesis_id(self) -> BlockId:
        return self.network.genesis_id

    def subscribe(self) -> Subscription:
        """Events from now on; see inos.core.events for the overflow policy."""
        return self._hub.subscribe()

    async def run(self) -> None:
        """Retry what is held and ask again for what is missing, until cancelled.

        A node that was stopped while blocks waited for matrices goes on waiting for them.
        """
        await self._try("held block", self._retry_held)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._steward.run())
            group.create_task(self.votes.run())
            group.create_task(self._repeat_held())
            group.create_task(self._repeat_wants())

    def close(self) -> None:
        """End the threads; what they have begun is finished first."""
        self.verifier.backend.close()
        self._threads.close()
        self.matrices.close()

    async def add_header_batch(self, headers: Sequence[Header]) -> None:
        """Add headers in order.

        Raises:
            RuleViolation, NotYet: of the first header that fails; those before it are added.
        """
        await self._threads.write(partial(self._chain.add_headers, tuple(headers)))

    async def add_block(self, block: Block, witness: Witness) -> BlockOutcome:
        """Check and connect a block with its witness; tells listeners where the tip moved.

        Raises:
            RuleViolation: invalid, for ever.
            ClockAhead: held here until its time comes. VerdictMissing: held until its results are checked.
            ParentMissing: not held.
        """
        try:
            outcome = await self._threads.write(partial(self._chain.add_block, block, witness))
        except ClockAhead as error:
            self._early.hold(error.until, block, witness)
            raise
        except VerdictMissing as error:
            self.depot.want(error.ids)
            raise
        if outcome.missing:
            self.depot.want(outcome.missing)
        self._publish_tip(outcome)
        return outcome

    async def add_checked_blocks(self, blocks: Sequence[CheckedBlock]) -> AddedBlocks:
        """Connect checked blocks in order; see inos.chain.ledger.

        Blocks from ahead of the clock, and those that wait for matrices, are held here as by `add_block`.
        """
        outcome, added = await self._threads.write(partial(self._chain.add_checked_blocks, tuple(blocks)))
        for checked, error in zip(blocks, added.errors, strict=True):
            if isinstance(error, ClockAhead):
                self._early.hold(error.until, checked.block, checked.witness)
            elif isinstance(error, VerdictMissing):
                self.depot.want(error.ids)
        self._publish_tip(outcome)
        return added

    async def get_template(self, beneficiary: Address) -> Template:
        """A block to be mined on the tip."""
        return await self._threads.write(partial(self._chain.make_template, beneficiary))

    async def add_transaction(self, tx: Transaction) -> TxId:
        """Check a transaction and take it into the pool.

        Raises:
            RuleViolation: it can never be valid, or delivers a wrong result.
            PoolRejected: this node does not want it now.
            NotYet: a result that cannot be checked yet, for want of its claim or (MatrixMissing) its matrices, or a
                challenge of a result that is not on chain here yet; held, and taken once they are here.
        """
        await self._threads.check(partial(check_transaction_sanity, self.params, tx, self.ledger.bls))
        match tx.payload:
            case SubmitResult():
                await self._check_result(tx, tx.payload)
            case Challenge():
                await self._check_challenge(tx, tx.payload)
            case (
                Transfer()
                | PostJob()
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
        tx_id = await self._threads.write(partial(self._chain.add_transaction, tx))
        self._hub.publish(TransactionAdded(tx_id))
        return tx_id

    async def add_pool(self, transactions: Sequence[Transaction]) -> int:
        """Take back the pool of a stopped node; how many still fit."""
        sound = await self._threads.check(partial(self._select_sound, transactions))
        return await self._threads.write(partial(self._chain.add_transactions, sound))

    async def add_matrix(self, array: NDArray[Any]) -> MatrixRef:
        """Store a matrix (int8 operand or int32 result) and tell listeners."""
        return await self.depot.add(array)

    async def open_rows(self, job: JobId, rows: int, cols: int) -> JobRows:
        """A job's product on disk, as far as it was made before."""
        return await self.depot.open_rows(job, rows, cols)

    async def add_some(
        self, matrix: MatrixId, shape: tuple[int, int, int], first: int, rows: NDArray[Any] | None
    ) -> int:
        """Store some rows of a matrix, and tell listeners once it is whole; see inos.core.matrices.uploads."""
        return await self.depot.add_some(matrix, shape, first, rows)

    async def add_rows(self, rows: JobRows) -> MatrixRef:
        """Store a product that is complete on disk, and tell listeners."""
        return await self.depot.add_rows(rows)

    async def run_check(self, call: Callable[[], T]) -> T:
        """Run something that changes nothing, off the loop, in turn with the node's own checks."""
        return await self._threads.check(call)

    async def begin_matrix(self, info: MatrixInfo) -> bool:
        """Make room for a matrix that comes in runs; True where it is here, or was whole on disk."""
        return await self.depot.begin(info)

    async def add_run(self, matrix: MatrixId, index: int, data: bytes, path: Sequence[bytes]) -> bool:
        """Add one run of a matrix on its way, verified against its id; True where it is complete."""
        return await self.depot.add_run(matrix, index, data, path)

    async def drop_matrix(self, matrix: MatrixId) -> bool:
        """Delete a matrix; False where something needs it."""
        return await self.depot.drop(matrix)

    async def read_run(self, matrix: MatrixId, index: int) -> Run | None:
        """One run of a stored matrix, for a peer."""
        return await self.depot.read_run(matrix, index)

    async def read_matrix(self, matrix: MatrixId) -> NDArray[Any] | None:
        """A stored matrix, read off the loop, or None."""
        return await self.depot.read(matrix)

    async def fetch_matrix(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        """A matrix from the store or from other nodes; MatrixMissing where nobody had it in time."""
        return await self.depot.fetch(matrix, timeout_s)

    @property
    def state_import(self) -> StateImport | None:
        """The state on its way in from others, where one is."""
        return None if self.ledger.importer is None else self.ledger.importer.state

    async def read_range(self, block: BlockId, place: Place) -> StateRange | None:
        """A part of the state after a recent checkpoint with its proof; None where it is not kept here."""
        return await self._threads.check(partial(self._pasts.read_range, block, place))

    async def prove_past(self, block: BlockId, key: StateKey) -> tuple[bytes | None, StateProof] | None:
        """A record after a recent checkpoint with its proof; None where that state is not kept here."""
        return await self._threads.check(partial(self._pasts.prove, block, key))

    async def add_step(self, step: Step) -> None:
        """Keep a step of finality that a peer has proven, for others who begin with a state."""
        await self._threads.write(partial(self._chain.add_step, step))

    async def begin_import(self, block: BlockId) -> StateImport:
        """Take the state after a block from others; see inos.chain.ledger."""
        return await self._threads.write(partial(self._chain.begin_import, block))

    async def add_range(self, block: BlockId, place: Place, found: StateRange) -> bool:
        """Take a part of it; whether it was missing. RuleViolation where it is no part of it."""
        return await self._threads.write(partial(self._chain.add_range, block, place, found))

    async def finish_import(self) -> None:
        """Stand on the block whose state is whole now, and tell listeners."""
        self._publish_tip(await self._threads.write(self._chain.finish_import))

    async def abandon_import(self) -> None:
        """Begin with genesis after all."""
        await self._threads.write(self._chain.abandon_import)

    def _select_sound(self, transactions: Sequence[Transaction]) -> tuple[Transaction, ...]:
        """Those that pass stage 1: what is in the pool is not checked again when a block brings it."""
        sound: list[Transaction] = []
        for tx in transactions:
            try:
                check_transaction_sanity(self.params, tx, self.ledger.bls)
                sound.append(tx)
            except RuleViolation as error:
                log.warning("pool transaction left out", code=error.code)
        return tuple(sound)

    def _is_claimed(self, tx: Transaction) -> bool:
        """Whether the sender of a SubmitResult holds the job's claim at this tip."""
        job = self.ledger.state.get_job(JobId(tx.payload.job)) if isinstance(tx.payload, SubmitResult) else None
        return job is not None and job.state is JobState.CLAIMED and job.worker == get_sender(tx)

    async def _check_result(self, tx: Transaction, payload: SubmitResult) -> None:
        """Refuse a wrong result; hold one that cannot be checked, so that it is neither relayed nor mined."""
        job = self.ledger.state.get_job(JobId(payload.job))
        if job is not None and job.state in (JobState.SETTLED, JobState.CANCELLED):
            raise PoolRejected("job-closed", f"job {payload.job.hex()} is {job.state.name.lower()} already")
        if job is None or not self._is_claimed(tx):
            self._unclaimed.hold(compute_tx_id(tx), tx, Height(self.ledger.tip.header.height))
            raise NotYet("claim-missing", f"the sender holds no claim on job {payload.job.hex()} at this node's tip")
        if job.mode is JobMode.OPTIMISTIC:
            return  # whoever watches checks it, in its window
        check = partial(self._results.get_verdict, Product(JobId(payload.job), job.x, job.w, payload.y))
        try:
            is_correct = await self._threads.check(check)
        except MatrixMissing as error:
            self._held.hold(compute_tx_id(tx), tx, error.ids)
            self.depot.want(error.ids)
            raise
        if not is_correct:
            raise RuleViolation(Code.WRONG_RESULT, f"the result of job {payload.job.hex()} is not X times W transposed")

    def _is_delivered(self, tx: Transaction) -> bool:
        """Whether the result that a challenge is about can be challenged at this tip."""
        job = self.ledger.state.get_job(JobId(tx.payload.job)) if isinstance(tx.payload, Challenge) else None
        return job is not None and job.state is JobState.DELIVERED

    async def _check_challenge(self, tx: Transaction, payload: Challenge) -> None:
        """Refuse what no block would take: such a transaction is large, and is tried anew for every template."""
        job = self.ledger.state.get_job(JobId(payload.job))
        if job is not None and job.state is JobState.CLAIMED:
            self._undelivered.hold(compute_tx_id(tx), tx, Height(self.ledger.tip.header.height))
            raise NotYet("delivery-missing", f"job {payload.job.hex()} has no result at this node's tip")
        if job is None or job.state is not JobState.DELIVERED:
            state = "not known" if job is None else job.state.name.lower()
            raise PoolRejected("job-not-delivered", f"job {payload.job.hex()} is {state}, no result to be challenged")
        await self._threads.check(partial(check_challenge, JobId(payload.job), job, payload))

    async def _on_matrix(self, matrix: MatrixId) -> None:
        """A matrix came: look again at what waited for it."""
        for tx in self._held.take(matrix):
            await self._try("held result", partial(self.add_transaction, tx))
        await self._try("held block", self._retry_held)

    async def _retry_held(self) -> None:
        await self._move(self._chain.retry_held)

    async def _seek_final(self) -> None:
        if len(self.votes.pool):
            await self._move(self._chain.seek_final)

    async def _move(self, call: Callable[[], tuple[BlockOutcome, tuple[MatrixId, ...]]]) -> None:
        outcome, missing = await self._threads.write(call)
        if missing:
            self.depot.want(missing)
        self._publish_tip(outcome)

    async def _repeat_held(self) -> None:
        while True:
            await asyncio.sleep(HELD_TICK_S)
            for early in self._early.take_due(self.clock.now_ms()):
                await self._try("early block", partial(self.add_block, early.block, early.witness))
            await self._try("what votes show to be final", self._seek_final)
            height = Height(self.ledger.tip.header.height)
            for tx in self._unclaimed.take(height, self._is_claimed):
                await self._try("result that waited for its claim", partial(self.add_transaction, tx))
            for tx in self._undelivered.take(height, self._is_delivered):
                await self._try("challenge that waited for its result", partial(self.add_transaction, tx))

    async def _repeat_wants(self) -> None:
        while True:
            await asyncio.sleep(WANT_AGAIN_S)
            self.depot.want_again()

    async def _try(self, what: str, call: Callable[[], Any]) -> None:
        """Do something held again; a refusal concerns nobody who still waits for an answer."""
        try:
            await call()
        except InosError as error:
            log.info(f"{what} refused", code=error.code, error=error.message)

    def _publish_tip(self, outcome: BlockOutcome) -> None:
        if outcome.disconnected:
            log.info("reorganisation", depth=len(outcome.disconnected), height=self.ledger.tip.header.height)
        if outcome.connected or outcome.disconnected:
            self._hub.publish(TipChanged(self.ledger.tip, outcome.connected, outcome.disconnected))
