"""Stage 3: a block against its parent's state.

Order: claims that expired lapse; results that fall due are paid; the first block above a checkpoint notes it; votes
that a block carries take effect; a block that uses merit pays D of it; the transactions in turn; the beneficiary gets
subsidy and fees and the block's weight as reputation; the base fee moves.
"""

import msgspec
from msgspec import Struct

from inos.consensus import amounts
from inos.consensus.basefee import compute_next_base_fee
from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.finality.aggregates import process_aggregate
from inos.consensus.finality.epochs import process_epoch_start
from inos.consensus.jobevents import JobEvent
from inos.consensus.jobs import ResultChecker, make_wrong_result, process_lapses
from inos.consensus.merit import spend_merit
from inos.consensus.movements import PLACE_END, PLACE_START, AccountEntry, Reason
from inos.consensus.optimistic import process_due
from inos.consensus.params import Params, compute_subsidy
from inos.consensus.records import Market, StateKey, StateReader
from inos.consensus.reputation import add_reputation
from inos.consensus.state import Draft, compute_supply
from inos.consensus.transactions import process_transaction
from inos.primitives.blocks import Block, Header, compute_allowed_target, compute_difficulty, get_target
from inos.primitives.bls import Bls
from inos.primitives.errors import MatrixMissing, RuleViolation
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import Transaction, compute_tx_id
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, Nano, StateRoot, Tickets
from inos.primitives.votes import Aggregate

__all__ = ["BlockStats", "Executed", "Execution", "ResultChecker", "check_state_root", "execute_block"]


class BlockStats(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a block did, in nano and tickets."""

    subsidy: int
    fees: int
    burned: int
    """In this block: by jobs posted and bonds lost."""
    tickets_posted: int
    tickets_settled: int
    settled: tuple[bytes, ...]
    """Ids of the jobs settled, in order."""
    base_fee: int
    """In force in this block."""
    weight: int
    """Tickets the block stands for."""
    difficulty: int
    """D, whether merit was used or not."""
    supply: int
    """After the block."""


class Executed(Struct, frozen=True):
    """The outcome of a valid block."""

    changes: dict[StateKey, bytes | None]
    """Records that differ from the parent's state, sorted by key; None for one that is gone."""
    stats: BlockStats
    history: tuple[AccountEntry, ...]
    """By place in the block; of a transaction its sender first, then the other accounts whose history it belongs to."""
    job_events: tuple[JobEvent, ...]
    """In order."""


class Execution:
    """A block being executed, or built: transactions are added one by one, and one that fails leaves no trace.

    Transactions must have passed `validity.check_transaction_sanity`; it is not repeated here.

    Args:
        reader: the parent's state.
        height: of the block, at least 1.
        target: of the block, without the premium.
        results: checks delivered products.
        parent: the parent's id, which the first block above a checkpoint notes.
        aggregate: votes that the block carries.
        bls: checks their signature.

    Raises:
        RuleViolation: "merit-too-low", or as `finality.process_aggregate`.
    """

    def __init__(
        self,
        params: Params,
        reader: StateReader,
        *,
        height: Height,
        beneficiary: Address,
        target: int,
        uses_merit: bool,
        results: ResultChecker,
        parent: BlockId,
        bls: Bls,
        aggregate: Aggregate | None = None,
    ) -> None:
        self._params = params
        self._height = height
        self._beneficiary = beneficiary
        self._difficulty = compute_difficulty(target)
        self._weight = compute_difficulty(compute_allowed_target(target, uses_merit, params.merit_premium))
        self._results = results
        self._reader = reader
        self._state = Draft(reader)
        self._parent_market = self._state.get_market()
        self._fees = 0
        self._posted = 0
        self._settled_tickets = 0
        self._settled: list[JobId] = []
        self._added = 0
        self._history: list[AccountEntry] = []
        self._job_events: list[JobEvent] = []
        self._process_start(uses_merit, parent, aggregate, bls)

    def add(self, tx: Transaction) -> None:
        """Execute one more transaction.

        Raises:
            RuleViolation: the transaction breaks a rule here; the state is as before it.
            MatrixMissing: it cannot be checked yet; the state is as before it.
        """
        effects = self._begin()
        process_transaction(effects, tx, self._results)
        fees = amounts.add(self._fees, effects.fees, "the block's fees")
        self._state.merge(effects.state)
        self._fees = fees
        self._posted += effects.tickets_posted
        self._settled_tickets += effects.tickets_settled
        self._settled += effects.settled
        self._added += 1
        self._history += _list_entries(effects, self._added)
        self._job_events += effects.job_events

    def finish(self) -> Executed:
        """Pay the beneficiary, move the base fee, and say what changed.

        More transactions may be added afterwards, and the block finished again.
        """
        end = self._begin()
        subsidy = compute_subsidy(self._params, self._height)
        end.mint(subsidy)
        end.move(self._beneficiary, Reason.SUBSIDY, subsidy)
        end.move(self._beneficiary, Reason.FEES_COLLECTED, self._fees)
        account = end.state.get_account(self._beneficiary)
        account = add_reputation(self._params, account, self._weight, self._height)
        end.state.set_account(self._beneficiary, account)
        market = end.state.get_market()
        base_fee = compute_next_base_fee(self._params, Nano(market.base_fee), Tickets(self._posted), self._difficulty)
        end.state.set_market(msgspec.structs.replace(market, base_fee=base_fee))
        whole = Draft(self._reader)
        whole.merge(self._state)
        whole.merge(end.state)
        stats = self._make_stats(whole.get_market(), subsidy)
        history = (*self._history, *_list_entries(end, PLACE_END))
        return Executed(whole.compute_changes(), stats, history, tuple(self._job_events))

    def _process_start(self, uses_merit: bool, parent: BlockId, aggregate: Aggregate | None, bls: Bls) -> None:
        start = self._begin()
        process_lapses(start, Height(self._height - 1))
        process_due(start)
        process_epoch_start(start, parent)
        if aggregate is not None:
            process_aggregate(start, aggregate, bls)
        if uses_merit:
            account = start.state.get_account(self._beneficiary)
            start.state.set_account(self._beneficiary, spend_merit(account, self._difficulty))
        self._state.merge(start.state)
        self._history += _list_entries(start, PLACE_START)
        self._settled_tickets += start.tickets_settled
        self._settled += start.settled
        self._job_events += start.job_events

    def _begin(self) -> Effects:
        return Effects(self._params, self._height, self._state)

    def _make_stats(self, market: Market, subsidy: Nano) -> BlockStats:
        return BlockStats(
            subsidy=subsidy,
            fees=self._fees,
            burned=market.burned - self._parent_market.burned,
            tickets_posted=self._posted,
            tickets_settled=self._settled_tickets,
            settled=tuple(self._settled),
            base_fee=self._parent_market.base_fee,
            weight=self._weight,
            difficulty=self._difficulty,
            supply=compute_supply(market),
        )


def _list_entries(effects: Effects, place: int) -> list[AccountEntry]:
    return [AccountEntry(place, address, tuple(movements)) for address, movements in effects.history.items()]


def execute_block(params: Params, reader: StateReader, block: Block, results: ResultChecker, bls: Bls) -> Executed:
    """Stage 3 for a block that passed the first two. The costly checks of products come after all others.

    Raises:
        RuleViolation: a rule is broken, "wrong-result" included, whatever matrices are missing.
        MatrixMissing: nothing is wrong as far as this node can tell, but it lacks these matrices, all of them named.
    """
    header, deferred = block.header, _DeferredResults()
    execution = Execution(
        params,
        reader,
        height=Height(header.height),
        beneficiary=Address(header.beneficiary),
        target=get_target(header),
        uses_merit=header.uses_merit,
        results=deferred,
        parent=BlockId(header.parent),
        aggregate=block.aggregate,
        bls=bls,
    )
    for index, tx in enumerate(block.transactions):
        try:
            execution.add(tx)
        except RuleViolation as error:
            place = f"transaction {index} ({compute_tx_id(tx).hex()})"
            raise RuleViolation(error.code, f"{place}: {error.message}") from error
    executed = execution.finish()
    deferred.check_all(results)
    return executed


def check_state_root(header: Header, root: StateRoot) -> None:
    """The header names the state after its block.

    Raises:
        RuleViolation: "bad-state-root".
    """
    if header.state_root != root:
        raise RuleViolation(
            Code.BAD_STATE_ROOT,
            f"state root of block {header.height}",
            expected=root.hex(),
            got=header.state_root.hex(),
        )


class _DeferredResults:
    """Takes every product for right, remembers it, and checks them all at the end.

    Sound because a block with a wrong product is invalid whatever else is in it.
    """

    def __init__(self) -> None:
        self._products: list[tuple[JobId, MatrixRef, MatrixRef, MatrixRef]] = []

    def is_result_correct(self, job: JobId, x: MatrixRef, w: MatrixRef, y: MatrixRef) -> bool:
        self._products.append((job, x, w, y))
        return True

    def check_all(self, results: ResultChecker) -> None:
        missing: dict[MatrixId, None] = {}
        for job, x, w, y in self._products:
            try:
                is_correct = results.is_result_correct(job, x, w, y)
            except MatrixMissing as error:
                missing |= dict.fromkeys(error.ids)
                continue
            if not is_correct:
                raise make_wrong_result(job, y)
        if missing:
            raise MatrixMissing(tuple(missing))
