"""A block to be mined on the tip: the best-paid transactions that are valid now, and the root they lead to."""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from inos.chain.mempool import Mempool, Refusal
from inos.chain.view import LedgerView
from inos.consensus.codes import Code
from inos.consensus.execution import Execution
from inos.consensus.times import compute_median_time
from inos.primitives.blocks import (
    HEADER_VERSION,
    MAX_HEADER_BYTES,
    Header,
    compute_tx_root,
    encode_target,
)
from inos.primitives.codec import encode
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.multisig import Multisig
from inos.primitives.transactions import ClaimJob, PostJob, PostTask, SubmitResult, Transaction, compute_tx_id
from inos.primitives.units import Address, Height, Target, TimeMs, TxId
from inos.primitives.votes import Aggregate

MAX_FAILURES: Final = 1000
"""A template is finished with what it has after this many accounts whose next transaction is not valid now."""
NO_ROOM: Final = frozenset({Code.BLOCK_TOO_COSTLY, Code.TOO_MANY_MATRIX_BYTES})
"""Codes that say nothing about the transaction, since the next block may have room for it."""


class Template(Struct, frozen=True):
    """A block without seal and nonce. Adding both to the header makes a `Block` with the transactions and the
    aggregate.
    """

    header: Header
    transactions: tuple[Transaction, ...]
    allowed_target: Target
    """The largest digest that wins."""
    aggregate: Aggregate | None = None
    refusals: tuple[Refusal, ...] = ()
    """Transactions that the block could not take, for Mempool.on_refused. The pool is not changed."""


def make_template(
    ledger: LedgerView,
    mempool: Mempool,
    *,
    beneficiary: Address,
    now_ms: TimeMs,
    aggregate: Aggregate | None = None,
    is_ready: Callable[[TxId], bool] = lambda _: True,
) -> Template:
    """Build a block on the ledger's tip. It may run in any thread.

    Args:
        aggregate: the votes that the block carries, or None.
        is_ready: returns True if a block may take a result now; a result that is not ready stays in the pool.
    """
    params, following = ledger.params, ledger.begin_next()
    parent, context, target = following.parent, following.context, following.target
    tip = parent.tip
    execution = Execution(
        params,
        parent.state,
        height=Height(tip.header.height + 1),
        beneficiary=beneficiary,
        target=target,
        results=ledger.results,
        parent=tip.id,
        bls=ledger.bls,
        aggregate=aggregate,
        start=ledger.begin_block(following),
    )
    room = params.max_block_bytes - MAX_HEADER_BYTES
    transactions, refusals = _fill(execution, mempool.select(parent.state), room, is_ready)
    executed = execution.finish()
    header = Header(
        version=HEADER_VERSION,
        chain_id=params.chain_id,
        height=tip.header.height + 1,
        parent=tip.id,
        time_ms=max(now_ms, compute_median_time(context.recent_times_ms) + 1),
        tx_root=compute_tx_root(transactions, aggregate),
        state_root=parent.compute_root(executed.changes),
        target=encode_target(target),
        beneficiary=beneficiary,
        nonce=0,
        seal=None,
    )
    return Template(header, transactions, target, aggregate, refusals)


def _fill(
    execution: Execution, waiting: Iterable[Transaction], room: int, is_ready: Callable[[TxId], bool]
) -> tuple[tuple[Transaction, ...], tuple[Refusal, ...]]:
    """Return the transactions that are valid in turn, and the refused ones; the rest of a refused one's queue is passed
    over.

    A claim may pay more than the transaction that posts its job, so it is tried again after that one.
    """
    chosen: list[Transaction] = []
    refusals: dict[TxId, Refusal] = {}
    early: dict[bytes, list[Transaction]] = {}
    passed_over: set[bytes | Multisig] = set()
    for tx in waiting:
        if tx.sender in passed_over:
            continue
        if isinstance(tx.payload, SubmitResult) and not is_ready(compute_tx_id(tx)):
            passed_over.add(tx.sender)
            continue
        tried = [tx]
        for each in tried:  # The list grows by the claims of a job that was posted.
            size = len(encode(each))
            if size <= room and _add(execution, each, refusals):
                chosen.append(each)
                room -= size
                if isinstance(each.payload, PostJob | PostTask):
                    tried += early.pop(compute_tx_id(each), [])
                continue
            passed_over.add(each.sender)
            if isinstance(each.payload, ClaimJob):
                early.setdefault(each.payload.job, []).append(each)
        if len(passed_over) >= MAX_FAILURES:
            break
    return tuple(chosen), tuple(refusals.values())


def _add(execution: Execution, tx: Transaction, refusals: dict[TxId, Refusal]) -> bool:
    try:
        execution.add(tx)
    except RuleViolation as error:
        if error.code not in NO_ROOM:
            refusals[compute_tx_id(tx)] = Refusal(compute_tx_id(tx), error.code)
        return False
    except NotYet:
        return False
    refusals.pop(compute_tx_id(tx), None)
    return True
