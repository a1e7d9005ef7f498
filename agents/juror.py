"""Judges disputed results with the seats of the node's voter (docs/juries.md).

Pipeline: disputed jobs whose jury has a seat of this key -> fetch and check the result (`result_check`, `task_check`)
-> commit the verdict -> open it in the last third of the window. A wrong tile is challenged as well. What was fetched
stays in the store while the job needs it, and is served like any matrix.

Nothing is kept on disk: the salt follows from the key and the dispute, and the verdict from the commitment on chain.
"""

import asyncio
from functools import partial
from pathlib import Path
from typing import Final, assert_never

import structlog
from blake3 import blake3

from inos.agents.result_check import ResultCheck
from inos.agents.signing import make_transaction
from inos.agents.status import JurorStatus
from inos.agents.task_check import TaskCheck
from inos.chain.events import TipChanged
from inos.consensus.jury import compute_reveal_start
from inos.consensus.records import DisputeRecord, Job, JobState, ProductWork, TaskWork
from inos.consensus.records import Juror as Seat
from inos.core.node_core import NodeCore
from inos.primitives.bls import BlsBackend
from inos.primitives.errors import InosError, MatrixMissing
from inos.primitives.jury import compute_commitment, compute_reveal_hash, compute_vote_hash
from inos.primitives.transactions import JuryReveal, JuryVote, Verdict, compute_tx_id
from inos.primitives.units import Height, JobId, TxId

log: Final = structlog.get_logger("jury")

MAX_DISPUTES: Final = 256
"""The juror looks at this many disputed jobs, the oldest first."""
MAX_JUDGING: Final = 4
"""This many results are fetched at one time."""
LOOK_S: Final = 2.0
FETCH_PART: Final = (1, 2)
"""Matrices are requested for this part of the jury's window: three quarters of the time in which verdicts are
committed.
"""
RECENT_SPACINGS: Final = 20
"""If the tip is older than this many block intervals, the node is not up to date and judges nothing."""
SALT_CONTEXT: Final = "inos v1 juror's salt"

Case = tuple[JobId, int]
"""A job and the height at which its jury was drawn."""


class Juror:
    """Runs until cancelled.

    Args:
        secret: the secret of the voter's BLS key.
        account: the secret of the account that pays the votes' fees.
        modules: the folder in which compiled modules of functions are kept.
    """

    def __init__(
        self, core: NodeCore, bls: BlsBackend, secret: bytes, account: bytes, modules: Path | None = None
    ) -> None:
        self._core = core
        self._bls = bls
        self._secret = secret
        self._account = account
        self.key = bls.compute_public_key(secret)
        self._check = ResultCheck(core, account)
        self._tasks = TaskCheck(core, modules)
        self._verdicts: dict[Case, Verdict] = {}
        self._judging: set[Case] = set()
        self._sent: dict[tuple[Case, type], TxId] = {}
        self._judged = self._committed = self._opened = self._unavailable = 0
        self._last_error = ""

    def get_status(self) -> JurorStatus:
        return JurorStatus(
            judged=self._judged,
            committed=self._committed,
            opened=self._opened,
            unavailable=self._unavailable,
            last_error=self._last_error,
        )

    async def run(self) -> None:
        """Judge until cancelled."""
        log.info("judging disputed results", key=self.key.hex())
        async with asyncio.TaskGroup() as group, self._core.events.subscribe() as events:
            while True:
                await self._look(group)
                await events.wait_for(TipChanged, limit_s=LOOK_S)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        """Begin to judge new cases, and send the transactions that are due."""
        cases: set[Case] = set()
        for job_id, job in self._core.ledger.reader.list_jobs(state=JobState.DISPUTED, limit=MAX_DISPUTES):
            dispute = self._core.ledger.state.get_dispute(job_id)
            seat = None if dispute is None else self._find_seat(dispute)
            if dispute is None or seat is None or not dispute.drawn_at:
                continue
            case = (job_id, dispute.drawn_at)
            cases.add(case)
            if case not in self._verdicts and case not in self._judging and self._can_begin(case, seat):
                self._judging.add(case)
                group.create_task(self._judge(case, job))
            await self._send_due(case, seat)
        self._verdicts = {case: verdict for case, verdict in self._verdicts.items() if case in cases}
        self._sent = {name: tx for name, tx in self._sent.items() if name[0] in cases}

    def _find_seat(self, dispute: DisputeRecord) -> Seat | None:
        return next((seat for seat in dispute.jurors if seat.key == self.key), None)

    def _can_begin(self, case: Case, seat: Seat) -> bool:
        age_ms = self._core.clock.now_ms() - self._core.ledger.tip.header.time_ms
        is_recent = age_ms < RECENT_SPACINGS * self._core.params.spacing_ms
        return is_recent and seat.commitment is None and self._may_fetch(case) and len(self._judging) < MAX_JUDGING

    def _may_fetch(self, case: Case) -> bool:
        """Return True while there is time left to fetch before the verdict must be committed."""
        part, whole = FETCH_PART
        last = case[1] + self._core.params.jury_window * part // whole
        dispute = self._core.ledger.state.get_dispute(case[0])
        is_open = dispute is not None and dispute.drawn_at == case[1]
        return is_open and self._core.ledger.tip.header.height < last

    async def _judge(self, case: Case, job: Job) -> None:
        job_id = case[0]
        try:
            match job.work:
                case ProductWork():
                    await self._judge_product(case, job.work)
                case TaskWork():
                    await self._judge_task(case, job.work)
                case _:
                    assert_never(job.work)
        except MatrixMissing:
            self._unavailable += 1
            self._verdicts[case] = Verdict.UNAVAILABLE
        except InosError as error:
            self._note(job_id, error)
        finally:
            self._judging.discard(case)
        if case in self._verdicts:
            self._judged += 1
            log.info("disputed result judged", job=job_id.hex(), verdict=self._verdicts[case].name.lower())

    async def _judge_product(self, case: Case, product: ProductWork) -> None:
        if product.y is None:
            raise LookupError(f"job {case[0].hex()} is disputed, but has no result")
        arrays = await self._check.fetch((product.x, product.w, product.y), partial(self._may_fetch, case))
        tile = await self._check.find_wrong_tile(case[0], product, product.y, arrays)
        self._verdicts[case] = Verdict.RIGHT if tile is None else Verdict.WRONG
        if tile is not None:
            await self._check.challenge(case[0], product, product.y, tile)

    async def _judge_task(self, case: Case, task: TaskWork) -> None:
        self._verdicts[case] = await self._tasks.judge(case[0], task, partial(self._may_fetch, case))

    async def _send_due(self, case: Case, seat: Seat) -> None:
        """Commit a verdict that is known, or open one that was committed, unless its transaction is in the pool."""
        reveal_start = compute_reveal_start(self._core.params, case[1])
        upcoming = self._core.ledger.tip.header.height + 1
        try:
            if seat.commitment is None and case in self._verdicts and upcoming < reveal_start:
                self._committed += await self._send(case, self._make_vote(case, self._verdicts[case]))
            elif seat.commitment is not None and seat.verdict is None and upcoming >= reveal_start:
                verdict = self._recall(case, seat.commitment)
                if verdict is not None:
                    self._opened += await self._send(case, self._make_reveal(case, verdict))
        except InosError as error:
            self._note(case[0], error)

    def _recall(self, case: Case, commitment: bytes) -> Verdict | None:
        """Return the verdict that was committed, or None if the commitment was not made by this node's rule."""
        salt = self._make_salt(case)
        return next((each for each in Verdict if compute_commitment(each, salt, self.key) == commitment), None)

    def _make_salt(self, case: Case) -> bytes:
        """Derive 32 bytes that nobody without the key can guess, the same after a restart."""
        material = self._secret + case[0] + case[1].to_bytes(8, "big")
        return blake3(material, derive_key_context=SALT_CONTEXT).digest()

    def _make_vote(self, case: Case, verdict: Verdict) -> JuryVote:
        job_id, drawn_at = case
        commitment = compute_commitment(verdict, self._make_salt(case), self.key)
        digest = compute_vote_hash(self._core.params.chain_id, job_id, Height(drawn_at), commitment)
        return JuryVote(job_id, drawn_at, self.key, commitment, self._bls.sign(self._secret, digest))

    def _make_reveal(self, case: Case, verdict: Verdict) -> JuryReveal:
        job_id, drawn_at = case
        salt = self._make_salt(case)
        digest = compute_reveal_hash(self._core.params.chain_id, job_id, Height(drawn_at), verdict, salt)
        return JuryReveal(job_id, drawn_at, self.key, verdict, salt, self._bls.sign(self._secret, digest))

    async def _send(self, case: Case, payload: JuryVote | JuryReveal) -> bool:
        """Send a vote or a reveal; return False if it is in the pool already."""
        name = (case, type(payload))
        sent = self._sent.get(name)
        if sent is not None and self._core.mempool.has(sent):
            return False
        tx = make_transaction(self._core, self._account, payload)
        await self._core.transactions.add(tx)
        self._sent[name] = compute_tx_id(tx)
        log.info("jury transaction sent", payload=type(payload).__name__, job=case[0].hex())
        return sent is None

    def _note(self, job_id: JobId, error: InosError) -> None:
        self._last_error = f"job {job_id.hex()[:16]}: [{error.code}] {error.message}"
        log.warning("disputed result not judged", job=job_id.hex(), code=error.code, error=error.message)
