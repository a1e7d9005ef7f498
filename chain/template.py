"""A block to be mined on the tip: the best-paid transactions that are valid now, and the root they lead to."""

from typing import Final

from msgspec import Struct

from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool, Refusal
from inos.consensus.execution import Execution
from inos.consensus.times import compute_median_time
from inos.primitives.blocks import (
    HEADER_VERSION,
    MAX_HEADER_BYTES,
    Header,
    compute_allowed_target,
    compute_difficulty,
    compute_tx_root,
    encode_target,
)
from inos.primitives.codec import encode
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.transactions import Transaction, compute_tx_id
from inos.primitives.units import Address, Height, Target, TimeMs
from inos.primitives.votes import Aggregate

MAX_FAILURES: Final = 1000
"""Accounts whose turn turns out not to be valid now, before a template goes out with what it has."""


class Template(Struct, frozen=True):
    """A block without seal and nonce; a `Block` of header with both, transactions and aggregate finishes it."""

    header: Header
    transactions: tuple[Transaction, ...]
    allowed_target: Target
    """What the winning digest must not exceed, merit counted."""
    aggregate: Aggregate | None = None
    refusals: tuple[Refusal, ...] = ()
    """What the block could not take, for Mempool.on_refused; the pool is as it was."""


def make_template(
    ledger: Ledger,
    mempool: Mempool,
    *,
    beneficiary: Address,
    now_ms: TimeMs,
    allow_merit: bool,
    aggregate: Aggregate | None = None,
) -> Template:
    """Build a block on the ledger's tip.

    Args:
        allow_merit: use merit where the beneficiary has D of it.
        aggregate: votes for the block to carry; left out where the chain has no use for them any more.
    """
    params, state, tip = ledger.view.params, ledger.view.state, ledger.view.tip
    context, target = ledger.compute_next()
    uses_merit = allow_merit and state.get_account(beneficiary).merit >= compute_difficulty(target)
    execution = Execution(
        params,
        state,
        height=Height(tip.header.height + 1),
        beneficiary=beneficiary,
        target=target,
        uses_merit=uses_merit,
        results=ledger.view.results,
        parent=tip.id,
        bls=ledger.view.bls,
        aggregate=aggregate,
    )
    transactions, refusals = _fill(execution, mempool, ledger)
    executed = execution.finish()
    header = Header(
        version=HEADER_VERSION,
        chain_id=params.chain_id,
        height=tip.header.height + 1,
        parent=tip.id,
        time_ms=max(now_ms, compute_median_time(context.recent_times_ms) + 1),
        tx_root=compute_tx_root(transactions, aggregate),
        state_root=ledger.compute_state_root(executed.changes),
        target=encode_target(target),
        beneficiary=beneficiary,
        uses_merit=uses_merit,
        nonce=0,
        seal=None,
    )
    allowed = compute_allowed_target(target, uses_merit, params.merit_premium)
    return Template(header, transactions, allowed, aggregate, refusals)


def _fill(
    execution: Execution, mempool: Mempool, ledger: Ledger
) -> tuple[tuple[Transaction, ...], tuple[Refusal, ...]]:
    """What is valid in turn, and what is not: the rest of its account's queue is passed over."""
    room = ledger.view.params.max_block_bytes - MAX_HEADER_BYTES
    chosen: list[Transaction] = []
    refusals: list[Refusal] = []
    passed_over: set[bytes] = set()
    for tx in mempool.select(ledger.view.state):
        if tx.sender in passed_over:
            continue
        size = len(encode(tx))
        if size <= room and _add(execution, tx, refusals):
            chosen.append(tx)
            room -= size
            continue
        passed_over.add(tx.sender)
        if len(passed_over) >= MAX_FAILURES:
            break
    return tuple(chosen), tuple(refusals)


def _add(execution: Execution, tx: Transaction, refusals: list[Refusal]) -> bool:
    try:
        execution.add(tx)
    except RuleViolation as error:
        refusals.append(Refusal(compute_tx_id(tx), error.code))
        return False
    except NotYet:
        return False
    return True
