"""Stage 3: the execution of a block on its parent's state.

The order is this. The queues are processed, in rounds. Juries are drawn and counted. Votes that the block carries take
effect. The first block above a checkpoint records it. The transactions are executed in turn. A part of the subsidy goes
into the epoch's pot, the beneficiary gets the rest and the fees, and the subsidy counts as mined by the beneficiary.
"""

from collections.abc import Mapping

from msgspec import Struct

from inos.consensus import amounts
from inos.consensus.codes import Code
from inos.consensus.costs import compute_aggregate_cost, compute_transaction_cost
from inos.consensus.disputes import process_juries
from inos.consensus.effects import Effects
from inos.consensus.finality.aggregates import process_aggregate
from inos.consensus.finality.checkpoints import process_epoch_start
from inos.consensus.finality.mined import add_mined
from inos.consensus.finality.pots import add_to_pot, compute_pot_part
from inos.consensus.jobevents import JobEvent
from inos.consensus.movements import PLACE_END, PLACE_START, AccountEntry, Movement, Reason
from inos.consensus.params import Params, compute_subsidy
from inos.consensus.queues import process_queues
from inos.consensus.records import Market, StateKey, StateReader
from inos.consensus.results import ResultChecker, check_products, iterate_matrices
from inos.consensus.state import Draft, compute_supply
from inos.consensus.transactions import process_transaction
from inos.consensus.transfers import move_transfer
from inos.primitives.blocks import Block, Header, compute_difficulty, get_target
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Product
from inos.primitives.transactions import Transaction, Transfer, compute_tx_id, get_sender
from inos.primitives.units import U64_MAX, Address, BlockId, Height, JobId, Nano, StateRoot
from inos.primitives.votes import Aggregate

__all__ = ["BlockStats", "Executed", "Execution", "ResultChecker", "begin_block", "check_state_root", "execute_block"]


class BlockStats(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a block did, in nano and tickets."""

    subsidy: int
    fees: int
    burned: int
    """Nano burned in this block for any reason: jobs posted, accounts made, bonds lost."""
    tickets_posted: int
    posted_burn: int
    """Nano burned by the jobs posted in this block."""
    tickets_settled: int
    settled_burn: int
    """Nano that the jobs settled in this block had burned when they were posted."""
    settled: tuple[bytes, ...]
    """Ids of the settled jobs, in order."""
    weight: int
    """Tickets that the block stands for: D."""
    cost_us: int
    """Cost in microseconds of the reference core, by the cost table."""
    supply: int
    """The supply after the block."""


class Executed(Struct, frozen=True):
    """The outcome of a valid block."""

    changes: dict[StateKey, bytes | None]
    """Records that differ from the parent's state, sorted by key; None for a removed one."""
    stats: BlockStats
    history: tuple[AccountEntry, ...]
    """Entries by place in the block; for a transaction, the sender first, then the other accounts concerned."""
    job_events: tuple[JobEvent, ...]
    """The events of jobs, in order."""
    products: tuple[Product, ...]
    """The products that checked results delivered."""


class Execution:
    """A block that is being executed or built: transactions are added one by one, and a failed one changes nothing.

    Transactions must have passed `validity.check_transaction_sanity`, which is not repeated here.

    Args:
        reader: the parent's state.
        height: the block's height, at least 1.
        target: the block's target.
        results: the verdicts on delivered products, looked up one by one as transactions are added; None if the caller
            runs `check_products` for all of them at the end.
        parent: the parent's id, which the first block above a checkpoint records.
        aggregate: the votes that the block carries.
        bls: checks their signature.
        start: what `begin_block` returned for this parent, height and target; None to compute it.

    Raises:
        RuleViolation: for the same reasons as `finality.process_aggregate`.
    """

    def __init__(
        self,
        params: Params,
        reader: StateReader,
        *,
        height: Height,
        beneficiary: Address,
        target: int,
        results: ResultChecker | None,
        parent: BlockId,
        bls: Bls,
        aggregate: Aggregate | None = None,
        start: Effects | None = None,
    ) -> None:
        self._params = params
        self._height = height
        self._beneficiary = beneficiary
        self._difficulty = compute_difficulty(target)
        self._results = results
        self._products: list[Product] = []
        self._matrices: set[bytes] = set()
        """Ids of the matrices that these products name."""
        self._matrix_bytes = 0
        self._reader = reader
        self._state = Draft(reader)
        self._parent_market = self._state.get_market()
        self._fees = 0
        self._cost_us = 0
        self._posted_tickets = 0
        self._posted_burn = 0
        self._settled_tickets = 0
        self._settled_burn = 0
        self._settled: list[JobId] = []
        self._added = 0
        self._history: list[AccountEntry] = []
        self._job_events: list[JobEvent] = []
        self._process_start(start or begin_block(params, reader, height, target, parent), parent, aggregate, bls)

    def add(self, tx: Transaction) -> None:
        """Execute one more transaction.

        Raises:
            RuleViolation: the transaction breaks a rule here, or has no room in this block any more
                ("block-too-costly", "too-many-matrix-bytes"); the state is as before.
            VerdictMissing: its product is not checked yet; the state is as before.
        """
        if isinstance(tx.payload, Transfer) and self._add_transfer(tx):
            return
        effects = self._begin()
        effects.charge(compute_transaction_cost(self._params, self._state, tx))
        self._check_cost(effects)
        process_transaction(effects, tx)
        matrices = self._count_matrices(effects)
        if self._results is not None:
            check_products(effects.products, self._results)
        fees = amounts.add(self._fees, effects.fees, "the block's fees")
        self._take(effects)
        self._fees = fees
        self._matrices |= matrices.keys()
        self._matrix_bytes += sum(matrices.values())
        self._products += effects.products
        self._added += 1
        self._history += _list_entries(effects.history, self._added)

    def _add_transfer(self, tx: Transaction) -> bool:
        """Execute a usual transfer; return False, with nothing changed, if it is none or has no room."""
        cost_us = compute_transaction_cost(self._params, self._state, tx)
        if self._cost_us + cost_us > self._params.max_block_cost_us or self._fees + tx.fee > U64_MAX:
            return False
        sender = get_sender(tx)
        moved = move_transfer(self._state, sender, tx)
        if moved is None:
            return False
        self._cost_us += cost_us
        self._fees += tx.fee
        self._added += 1
        self._history.append(AccountEntry(self._added, sender, moved.sent))
        self._history.append(AccountEntry(self._added, moved.receiver, moved.received))
        return True

    def finish(self) -> Executed:
        """Pay the beneficiary, fill the pot, count the block as mined, and return what changed.

        The caller may add more transactions afterwards, and finish the block again.
        """
        end = self._begin()
        subsidy = compute_subsidy(self._params, self._height)
        end.mint(subsidy)
        pot_part = compute_pot_part(subsidy)
        add_to_pot(end, pot_part)
        end.move(self._beneficiary, Reason.SUBSIDY, subsidy - pot_part)
        end.move(self._beneficiary, Reason.FEES_COLLECTED, self._fees)
        add_mined(end, self._beneficiary, subsidy)
        whole = Draft(self._reader)
        whole.merge(self._state)
        whole.merge(end.state)
        stats = self._make_stats(whole.get_market(), subsidy)
        history = (*self._history, *_list_entries(end.history, PLACE_END))
        return Executed(whole.compute_changes(), stats, history, tuple(self._job_events), tuple(self._products))

    def _process_start(self, start: Effects, parent: BlockId, aggregate: Aggregate | None, bls: Bls) -> None:
        self._take(start)
        votes = self._begin()
        if aggregate is not None:
            votes.charge(compute_aggregate_cost(aggregate))
            self._check_cost(votes)
            process_aggregate(votes, aggregate, bls, self._beneficiary)
        process_epoch_start(votes, parent)
        self._take(votes)
        history = {address: list(movements) for address, movements in start.history.items()}
        for address, movements in votes.history.items():
            history.setdefault(address, []).extend(movements)
        self._history += _list_entries(history, PLACE_START)

    def _check_cost(self, effects: Effects) -> None:
        total = self._cost_us + effects.cost_us
        if total > self._params.max_block_cost_us:
            raise RuleViolation(
                Code.BLOCK_TOO_COSTLY,
                f"microseconds of the reference core that block {self._height} takes",
                expected=f"at most {self._params.max_block_cost_us}",
                got=total,
            )

    def _count_matrices(self, effects: Effects) -> dict[bytes, int]:
        """Return the matrices that this transaction's checked result names first in the block, with their bytes."""
        if not effects.products:
            return {}
        found = {ref.id: size for product in effects.products for ref, size in iterate_matrices(product)}
        new = {matrix: size for matrix, size in found.items() if matrix not in self._matrices}
        total = self._matrix_bytes + sum(new.values())
        if total > self._params.max_checked_block_bytes:
            raise RuleViolation(
                Code.TOO_MANY_MATRIX_BYTES,
                f"bytes of the matrices that the checked results of block {self._height} name",
                expected=f"at most {self._params.max_checked_block_bytes}",
                got=total,
            )
        return new

    def _begin(self) -> Effects:
        return Effects(self._params, self._height, self._difficulty, self._state)

    def _take(self, effects: Effects) -> None:
        """Merge the changes of a transaction, or of the start of the block."""
        self._state.merge(effects.state)
        self._cost_us += effects.cost_us
        self._posted_tickets += effects.tickets_posted
        self._posted_burn += effects.posted_burn
        self._settled_tickets += effects.tickets_settled
        self._settled_burn += effects.settled_burn
        self._settled += effects.settled
        self._job_events += effects.job_events

    def _make_stats(self, market: Market, subsidy: Nano) -> BlockStats:
        return BlockStats(
            subsidy=subsidy,
            fees=self._fees,
            burned=market.burned - self._parent_market.burned,
            tickets_posted=self._posted_tickets,
            posted_burn=self._posted_burn,
            tickets_settled=self._settled_tickets,
            settled_burn=self._settled_burn,
            settled=tuple(self._settled),
            weight=self._difficulty,
            cost_us=self._cost_us,
            supply=compute_supply(market),
        )


def _list_entries(history: Mapping[Address, list[Movement]], place: int) -> list[AccountEntry]:
    return [AccountEntry(place, address, tuple(movements)) for address, movements in history.items()]


def begin_block(params: Params, reader: StateReader, height: Height, target: int, parent: BlockId) -> Effects:
    """Return what the start of a block does before its votes: queues, and juries that are drawn and counted.

    It is the same for all blocks on one parent, so it may be computed once for all of them. Nothing changes it later.
    """
    start = Effects(params, height, compute_difficulty(target), reader)
    process_queues(start)
    process_juries(start, parent)
    return start


def execute_block(
    params: Params, reader: StateReader, block: Block, results: ResultChecker, bls: Bls, start: Effects | None = None
) -> Executed:
    """Execute a block that passed the first two stages (stage 3). Verdicts on products are looked up after all else.

    Args:
        results: the verdicts; `TRUSTED_RESULTS` for a block so deep that its results count as checked.
        start: see `Execution`.

    Raises:
        RuleViolation: a rule is broken, "wrong-result" included, even if other verdicts are missing.
        VerdictMissing: nothing is known to be wrong, but this node has not checked these products yet.
    """
    header = block.header
    execution = Execution(
        params,
        reader,
        height=Height(header.height),
        beneficiary=Address(header.beneficiary),
        target=get_target(header),
        results=None,
        parent=BlockId(header.parent),
        aggregate=block.aggregate,
        bls=bls,
        start=start,
    )
    for index, tx in enumerate(block.transactions):
        try:
            execution.add(tx)
        except RuleViolation as error:
            place = f"transaction {index} ({compute_tx_id(tx).hex()})"
            raise RuleViolation(error.code, f"{place}: {error.message}") from error
    executed = execution.finish()
    check_products(executed.products, results)
    return executed


def check_state_root(header: Header, root: StateRoot) -> None:
    """Check that the header names the state after its block.

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
