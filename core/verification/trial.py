"""Executes a transaction on the tip before it enters the pool, so that its sender learns at once what would fail.

A trial belongs to no thread: it reads one snapshot of the ledger and copies of the pool's queues, and changes nothing,
so the writer does not wait for it. It executes at most `MAX_BEFORE` transactions besides the one in question.
"""

from typing import Final

from inos.chain.mempool import Mempool
from inos.chain.view import LedgerView
from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.transactions import process_transaction
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JuryReveal,
    JuryVote,
    SubmitOutcome,
    SubmitResult,
    Transaction,
    get_sender,
)
from inos.primitives.units import Address, TxId

MAX_BEFORE: Final = 64
"""A transaction with more of its account's transactions before it is not tried; each takes about 0.05 ms."""
NAMES_A_JOB: Final = (CancelJob, Challenge, ClaimJob, Dispute, JuryReveal, JuryVote, SubmitOutcome, SubmitResult)


class Trials:
    """Tries transactions one after another, each after those of its account that wait in the pool or were tried."""

    def __init__(self, ledger: LedgerView, mempool: Mempool) -> None:
        self._ledger = ledger
        self._mempool = mempool
        self._drafts: dict[Address, tuple[int, Effects]] = {}
        """The next nonce of each account whose last trial succeeded, and the draft after it."""

    def try_on_tip(self, tx: Transaction) -> None:
        """Execute a transaction in the next block on the tip.

        Nothing is refused that cannot be executed yet: a nonce that is not the account's next one, a reveal or a
        withdrawal that is not due, a job whose post waits in the pool.

        Args:
            tx: passed `check_transaction_sanity`. Verdicts on products are not asked for.

        Raises:
            RuleViolation: the next block could not take it.
        """
        if self._ledger.is_awaiting_state:
            return
        sender = get_sender(tx)
        nonce, effects = self._drafts.pop(sender, (None, None))
        if effects is None or nonce != tx.nonce:
            effects = self._make_draft(sender, tx.nonce)
        if effects is None:
            return
        try:
            process_transaction(effects, tx)
        except RuleViolation as error:
            if not _is_due_later(effects, self._mempool, tx, error.code):
                raise
        else:
            self._drafts[sender] = (tx.nonce + 1, effects)

    def _make_draft(self, sender: Address, nonce: int) -> Effects | None:
        """Execute what the account has in the pool before this nonce; return None if that is not possible now."""
        effects = self._ledger.draft_next()
        first = effects.state.get_account(sender).nonce
        if not first <= nonce <= first + MAX_BEFORE:
            return None
        before = self._mempool.list_queue(sender, first, nonce)
        return effects if before is not None and _can_execute(effects, before) else None


def _can_execute(effects: Effects, transactions: list[Transaction]) -> bool:
    """Execute an account's transactions in turn; return False if one of them fails."""
    for tx in transactions:
        try:
            process_transaction(effects, tx)
        except RuleViolation:
            return False
    return True


def _is_due_later(effects: Effects, mempool: Mempool, tx: Transaction, code: str) -> bool:
    """Return True if the transaction fails only because its time has not come, and the pool keeps it so long."""
    if code == Code.UNKNOWN_JOB:
        return isinstance(tx.payload, NAMES_A_JOB) and mempool.has(TxId(tx.payload.job))
    if code == Code.STILL_BONDED:
        voter = effects.state.get_voter(get_sender(tx))
        last = effects.height + mempool.limits.max_age_blocks
        return voter is not None and 0 < voter.leaves_at <= last
    return code == Code.REVEAL_TOO_EARLY
