"""Executes a transaction on the tip before it enters the pool, so that its sender learns at once what would fail.

A trial belongs to no thread: it reads one snapshot of the ledger and copies of the pool's queues, and changes nothing,
so the writer does not wait for it. It executes at most `MAX_BEFORE` transactions besides the one in question.
"""

import operator
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from inos.chain.mempool import Mempool
from inos.chain.reading import ChainReader
from inos.chain.view import LedgerView
from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.transactions import process_transaction
from inos.consensus.transfers import move_transfer
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
"""A transaction with more of its account's transactions before it is tried only if those were executed for the ones
before it, and their draft was kept; each takes about 0.02 ms."""
MAX_RECORDS: Final = 32_768
"""Records that all kept drafts hold together, some 10 MB."""
NAMES_A_JOB: Final = (CancelJob, Challenge, ClaimJob, Dispute, JuryReveal, JuryVote, SubmitOutcome, SubmitResult)


class Tried(Struct):
    """What an account's transactions do to the tip's state."""

    effects: Effects
    first: int
    """The account's nonce on the tip."""
    transactions: list[Transaction]
    """Those that were executed, from that nonce on."""


class KeptDrafts:
    """Keeps drafts between the trials on one tip, so that each transaction of an account is executed once.

    Several threads may use it. A draft belongs to the thread that has taken it until it is put back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reader: ChainReader | None = None
        self._drafts: OrderedDict[Address, Tried] = OrderedDict()
        self._records = 0

    def __len__(self) -> int:
        return len(self._drafts)

    def follow(self, reader: ChainReader) -> None:
        """Drop the drafts of other tips, and with them the snapshots that they read."""
        with self._lock:
            if self._reader is not None and self._reader is not reader:
                self._reader, self._records = None, 0
                self._drafts.clear()

    def take(self, reader: ChainReader, sender: Address) -> Tried | None:
        """Remove and return an account's draft on a tip, if it is here."""
        with self._lock:
            found = self._drafts.pop(sender, None) if self._reader is reader else None
            if found is not None:
                self._records -= found.effects.state.count_records()
            return found

    def put(self, reader: ChainReader, drafts: Mapping[Address, Tried]) -> None:
        """Keep drafts on a tip, and drop the oldest ones if they hold too many records together."""
        self.follow(reader)
        with self._lock:
            self._reader = reader
            for sender, tried in drafts.items():
                before = self._drafts.pop(sender, None)
                self._records -= 0 if before is None else before.effects.state.count_records()
                self._drafts[sender] = tried
                self._records += tried.effects.state.count_records()
            while self._records > MAX_RECORDS:
                _, dropped = self._drafts.popitem(last=False)
                self._records -= dropped.effects.state.count_records()


class Trials:
    """Tries transactions one after another, each after those of its account that wait in the pool or were tried.

    Args:
        kept: drafts of trials before this one; `keep` puts those of this one there too.
    """

    def __init__(self, ledger: LedgerView, mempool: Mempool, kept: KeptDrafts) -> None:
        self._ledger = ledger
        self._reader = ledger.reader
        self._mempool = mempool
        self._kept = kept
        self._drafts: dict[Address, Tried] = {}
        """The draft of each account whose last trial succeeded."""

    def keep(self) -> None:
        """Keep the drafts for later trials, once all transactions of this one were tried."""
        self._kept.put(self._reader, self._drafts)
        self._drafts = {}

    def try_on_tip(self, tx: Transaction) -> None:
        """Execute a transaction in the next block on the tip.

        Nothing is refused that cannot be executed yet: a nonce that is not the account's next one, a reveal or a
        withdrawal that is not due, a job whose post waits in the pool.

        Args:
            tx: passed `check_transaction_sanity`. Verdicts on products are not asked for.

        Raises:
            RuleViolation: the next block could not take it.
        """
        if not self._reader.is_whole:
            return
        sender = get_sender(tx)
        tried = self._drafts.pop(sender, None) or self._take_kept(sender)
        if tried is None or tried.first + len(tried.transactions) != tx.nonce:
            tried = self._make_draft(sender, tx.nonce)
        if tried is None:
            return
        try:
            if move_transfer(tried.effects.state, sender, tx) is None:
                process_transaction(tried.effects, tx)
        except RuleViolation as error:
            if not _is_due_later(tried.effects, self._mempool, tx, error.code):
                raise
        else:
            tried.effects.history.clear()
            tried.transactions.append(tx)
            self._drafts[sender] = tried

    def _take_kept(self, sender: Address) -> Tried | None:
        """Return what was kept of an account, if the very transactions that were executed wait in the pool."""
        tried = self._kept.take(self._reader, sender)
        if tried is None:
            return None
        waiting = self._mempool.list_queue(sender, tried.first, tried.first + len(tried.transactions))
        is_same = waiting is not None and all(map(operator.is_, waiting, tried.transactions))
        return tried if is_same else None

    def _make_draft(self, sender: Address, nonce: int) -> Tried | None:
        """Execute what the account has in the pool before this nonce; return None if that is not possible now."""
        effects = self._ledger.draft_next(self._reader)
        first = effects.state.get_account(sender).nonce
        if not first <= nonce <= first + MAX_BEFORE:
            return None
        before = self._mempool.list_queue(sender, first, nonce)
        return Tried(effects, first, before) if before is not None and _can_execute(effects, before) else None


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
