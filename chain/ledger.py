"""The ledger: known blocks, the connected chain, and the state after its tip.

Changes belong to one thread. Reads may come from others: the tip and its state are replaced as
one value after each batch, so a reader sees one block's state.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from chain.blocks import BlockStore
from chain.connection import compute_new_root, make_connect_batch, make_disconnect_batch
from chain.database import Database
from chain.index import BlockIndex, Entry, Tip, find_fork, iterate_back
from chain.opening import load_index, open_database
from chain.reading import ChainReader, HistoryEntry
from consensus.context import HeaderContext
from consensus.execution import BlockFigures, ResultChecker, check_state_root, execute_block
from consensus.genesis_state import GenesisState
from consensus.params import Params
from consensus.records import Job, JobState, StateKey
from consensus.state import StateView
from consensus.statetree import StateProof, compute_state_root
from consensus.target import compute_target
from consensus.validity import (
    check_block_sanity,
    check_clock,
    check_header_context,
    check_header_sanity,
    check_seal,
    is_about_block,
)
from primitives.blocks import Block, Header, compute_block_id
from primitives.errors import MatrixMissing, ParentMissing, RuleViolation
from primitives.matrices import Witness
from primitives.transactions import Transaction
from primitives.units import Address, BlockId, Height, JobId, MatrixId, StateRoot, Target, TimeMs, TxId

__all__ = ["BlockOutcome", "HistoryEntry", "Ledger", "Tip"]

LOCATOR_DENSE: Final = 10
"""A locator names this many blocks one by one, then in doubling steps."""


class BlockOutcome(Struct, frozen=True):
    """How the connected chain moved."""

    connected: tuple[BlockId, ...]
    """In order, the new tip last."""
    disconnected: tuple[BlockId, ...]
    """In the order they were undone."""
    is_new: bool
    missing: tuple[MatrixId, ...] = ()
    """Matrices that a heavier branch waits for."""


class Ledger:
    """See the module. Made by `open`."""

    def __init__(
        self, params: Params, database: Database, index: BlockIndex, active: list[Entry], results: ResultChecker
    ) -> None:
        self._params = params
        self._db = database
        self._index = index
        self._active = active
        self._results = results
        self._blocks = BlockStore(database)
        self._reader = ChainReader(database, active[-1].to_tip())

    @classmethod
    def open(
        cls,
        path: Path,
        params: Params,
        genesis: GenesisState,
        *,
        results: ResultChecker,
        is_durable: bool = True,
    ) -> "Ledger":
        """Open the database in folder `path`, or begin one.

        Args:
            results: checks delivered products in stage 3.
            is_durable: see chain.database.Database.

        Raises:
            ChainError: "database-in-use", "other-genesis", "schema-version", "database-damaged".
        """
        database = open_database(path, genesis, is_durable=is_durable)
        try:
            index, active = load_index(database, params, genesis)
        except BaseException:
            database.close()
            raise
        return cls(params, database, index, active, results)

    def close(self) -> None:
        """Close the database; reading afterwards fails."""
        self._db.close()

    @property
    def params(self) -> Params:
        return self._params

    @property
    def results(self) -> ResultChecker:
        """What checks delivered products here."""
        return self._results

    # The connected chain and its state

    @property
    def tip(self) -> Tip:
        """Best connected block."""
        return self._reader.tip

    @property
    def best_header(self) -> Tip:
        """The heaviest chain of headers not known to be invalid, with or without bodies."""
        return self._index.best_header.to_tip()

    @property
    def state(self) -> StateView:
        """The state after the tip."""
        return self._reader.state

    def get_block_id(self, height: Height) -> BlockId | None:
        """The connected block at a height."""
        return self._active[height].id if 0 <= height < len(self._active) else None

    def get_figures(self, block: BlockId) -> BlockFigures | None:
        """What a connected block did."""
        return self._reader.get_figures(block)

    def get_transaction(self, tx: TxId) -> tuple[BlockId, int, Transaction] | None:
        """Block, place in it, and transaction, where it is on the connected chain."""
        position = self._reader.get_position(tx)
        block_id = None if position is None else self.get_block_id(Height(position.height))
        block = None if block_id is None else self.get_block(block_id)
        if position is None or block_id is None or block is None or position.index >= len(block.transactions):
            return None
        return block_id, position.index, block.transactions[position.index]

    def get_history(
        self, address: Address, *, before: tuple[Height, int] | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """What concerns an account, newest first, before a place: transactions, and rewards of its blocks."""
        return self._reader.get_history(address, before, limit)

    def list_jobs(
        self,
        *,
        state: JobState | None = None,
        poster: Address | None = None,
        worker: Address | None = None,
        after: JobId | None = None,
        limit: int = 100,
    ) -> list[tuple[JobId, Job]]:
        """Jobs at the tip that fit all filters, oldest first, after the job `after`."""
        return self._reader.list_jobs(state, poster, worker, after, limit)

    def prove(self, key: StateKey) -> tuple[bytes | None, StateProof]:
        """A record at the tip, or None, with the proof against the tip's state root."""
        return self._reader.prove(key)

    def iterate_records(self) -> Iterator[tuple[StateKey, bytes]]:
        """Every record of the tip's state."""
        return self._reader.iterate_records()

    # Known blocks

    def get_header(self, block: BlockId) -> Header | None:
        entry = self._index.get(block)
        return None if entry is None else entry.header

    def get_block(self, block: BlockId) -> Block | None:
        """Header and transactions, connected or not."""
        return self._blocks.get_block(block)

    def get_witness(self, block: BlockId) -> Witness | None:
        return self._blocks.get_witness(block)

    def get_status(self, block: BlockId) -> str:
        """ "unknown", "header", "stored", "connected", or "invalid: " with code and reason."""
        entry = self._index.get(block)
        if entry is None:
            return "unknown"
        if entry.invalid is not None:
            return f"invalid: [{entry.invalid[0]}] {entry.invalid[1]}"
        if not entry.has_body:
            return "header"
        return "connected" if self.get_block_id(entry.height) == block else "stored"

    def get_locator(self) -> tuple[BlockId, ...]:
        """Ids back from the best header, dense first, then in doubling steps, genesis last."""
        ids: list[BlockId] = []
        step, next_height = 1, self._index.best_header.height
        for entry in iterate_back(self._index.best_header):
            if entry.height == next_height or entry.parent is None:
                ids.append(entry.id)
                step = step * 2 if len(ids) >= LOCATOR_DENSE else 1
                next_height = Height(entry.height - step)
        return tuple(ids)

    def get_headers_after(self, locator: Sequence[BlockId], limit: int) -> list[Header]:
        """At most `limit` headers of the connected chain after the first of the locator's blocks on it."""
        active = self._active
        start = 0
        for block_id in locator:
            entry = self._index.get(block_id)
            if entry is not None and entry.height < len(active) and active[entry.height] is entry:
                start = entry.height
                break
        return [entry.header for entry in active[start + 1 : start + 1 + limit]]

    def get_missing_blocks(self, limit: int) -> list[BlockId]:
        """Ids on the best header chain whose bodies are not here, lowest first."""
        missing: list[BlockId] = []
        for entry in iterate_back(self._index.best_header):
            if entry.is_linked:
                break
            if not entry.has_body:
                missing.append(entry.id)
        return missing[::-1][:limit]

    # Changes

    def add_header(self, header: Header, now_ms: TimeMs) -> None:
        """Check and index a header without its body; its witness is not needed yet.

        Raises:
            RuleViolation: it is invalid, or descends from a block that is.
            ParentMissing, ClockAhead: nothing is stored.
        """
        self._add_header(compute_block_id(header), header, now_ms)

    def add_block(self, block: Block, witness: Witness, now_ms: TimeMs) -> BlockOutcome:
        """Check a block, store it, and connect the best chain there is with it.

        Raises:
            RuleViolation: it is invalid, which is remembered where it is the block's own fault.
            ParentMissing, ClockAhead: nothing is stored.
            MatrixMissing: stored and held until `retry_held`; the chain did not move.
        """
        block_id = compute_block_id(block.header)
        known = self._index.get(block_id)
        if known is not None and known.has_body:
            _refuse_invalid(known)
            return BlockOutcome((), (), False)
        if known is None:
            self._check_new_header(block.header, now_ms)
        else:
            _refuse_invalid(known)
        self._check_body(block_id, block, witness)
        entry = known or self._store_header(block_id, block.header)
        self._blocks.put(block_id, block, witness)
        self._index.set_body(entry)
        outcome = self._activate()
        _refuse_invalid(entry)
        return outcome

    def retry_held(self) -> BlockOutcome:
        """Try the blocks that waited for matrices.

        Raises:
            MatrixMissing: some still do, and the chain did not move.
        """
        self._index.release_held()
        return self._activate()

    def compute_next(self) -> tuple[HeaderContext, Target]:
        """What the next block on the tip must continue, and its target."""
        context = self._index.make_context(self._active[-1])
        return context, compute_target(self._params, context)

    def compute_state_root(self, changes: dict[StateKey, bytes | None]) -> StateRoot:
        """The root after `changes` on the tip's state, with nothing written."""
        return compute_new_root(self._db.get, changes)

    def check(self) -> None:
        """Recompute the tip's state root from every record.

        Raises:
            RuleViolation: "bad-state-root": the database does not hold the tip's state.
        """
        root = compute_state_root(dict(self.iterate_records()))
        check_state_root(self.tip.header, root)

    # Headers and bodies

    def _add_header(self, block_id: BlockId, header: Header, now_ms: TimeMs) -> Entry:
        known = self._index.get(block_id)
        if known is not None:
            _refuse_invalid(known)
            return known
        self._check_new_header(header, now_ms)
        return self._store_header(block_id, header)

    def _check_new_header(self, header: Header, now_ms: TimeMs) -> None:
        """Stages 1 and 2."""
        check_header_sanity(self._params, header)
        parent = self._get_parent(header)
        _refuse_invalid(parent)
        check_header_context(self._params, header, self._index.make_context(parent))
        check_clock(self._params, header, now_ms)

    def _store_header(self, block_id: BlockId, header: Header) -> Entry:
        entry = self._index.add(block_id, header, self._get_parent(header))
        self._blocks.put_header(block_id, header, entry.arrival)
        return entry

    def _get_parent(self, header: Header) -> Entry:
        parent = self._index.get(BlockId(header.parent))
        if parent is None:
            raise ParentMissing(BlockId(header.parent))
        return parent

    def _check_body(self, block_id: BlockId, block: Block, witness: Witness) -> None:
        """The seal first: only a block that cost work may be remembered as invalid."""
        check_seal(self._params, block.header, witness)
        try:
            check_block_sanity(self._params, block)
        except RuleViolation as error:
            if is_about_block(error):
                entry = self._index.get(block_id) or self._store_header(block_id, block.header)
                self._condemn(entry, error)
            raise

    def _condemn(self, entry: Entry, error: RuleViolation) -> None:
        self._index.set_invalid(entry, error.code, error.message)
        self._blocks.put_invalid(entry.id, error.code, error.message)

    # The connected chain

    def _activate(self) -> BlockOutcome:
        """Go to the best chain; a branch that turns out invalid, or cannot be checked yet, is left again."""
        before = self._active[-1]
        missing: dict[MatrixId, None] = {}
        while (best := self._index.find_best_side()) is not None and best.weight > self._active[-1].weight:
            self._disconnect_to(find_fork(best, self._active[-1]))
            try:
                self._connect_to(best)
            except MatrixMissing as error:
                missing |= dict.fromkeys(error.ids)
        fork = find_fork(before, self._active[-1])
        outcome = BlockOutcome(
            connected=tuple(entry.id for entry in self._active[fork.height + 1 :]),
            disconnected=tuple(entry.id for entry in iterate_back(before) if entry.height > fork.height),
            is_new=True,
            missing=tuple(missing),
        )
        if missing and not outcome.connected and not outcome.disconnected:
            raise MatrixMissing(tuple(missing))
        return outcome

    def _connect_to(self, best: Entry) -> None:
        """Connect the branch up to `best`, as far as it is valid.

        Raises:
            MatrixMissing: the block that needs them and its descendants are held.
        """
        tip = self._active[-1]
        branch = [entry for entry in iterate_back(best) if entry.height > tip.height]
        for entry in reversed(branch):
            try:
                self._connect(entry)
            except RuleViolation as error:
                self._condemn(entry, error)
                return
            except MatrixMissing:
                self._index.set_held(entry)
                raise

    def _connect(self, entry: Entry) -> None:
        block = self._blocks.get_stored_block(entry.id)
        executed = execute_block(self._params, self.state, block, self._results)
        root, batch = make_connect_batch(self._db.get, entry, block, executed)
        check_state_root(entry.header, root)
        self._db.write(batch)
        self._active.append(entry)
        self._index.set_active(entry)
        self._reader = ChainReader(self._db, entry.to_tip())

    def _disconnect_to(self, fork: Entry) -> None:
        while self._active[-1] is not fork:
            entry = self._active[-1]
            block, undo = self._blocks.get_stored_block(entry.id), self._blocks.get_undo(entry.id)
            root, batch = make_disconnect_batch(self._db.get, entry, block, undo)
            parent = self._active[-2]
            check_state_root(parent.header, root)
            self._db.write(batch)
            self._active.pop()
            self._index.set_inactive(entry)
            self._reader = ChainReader(self._db, parent.to_tip())


def _refuse_invalid(entry: Entry) -> None:
    if entry.invalid is not None:
        raise RuleViolation(entry.invalid[0], f"block {entry.id.hex()}: {entry.invalid[1]}")
