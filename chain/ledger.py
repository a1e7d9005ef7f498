"""The ledger: known blocks, the connected chain, and the state after its tip.

A ledger changes the chain and belongs to one thread. Its `view` reads it and belongs to all threads. It consists of
`Admission`, which checks and stores headers, `ConnectedChain`, which moves the connected chain, and `Importer`, which
imports a state from peers.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from inos.chain import schema
from inos.chain.admission import Admission, refuse_invalid
from inos.chain.blocks import BlockStore
from inos.chain.checked import CheckedBlock
from inos.chain.connection import compute_new_root
from inos.chain.database import Database
from inos.chain.entry import Entry, Tip, find_fork
from inos.chain.index import BlockIndex
from inos.chain.movement import BlockOutcome, ConnectedChain, iterate_above, tell_fate
from inos.chain.opening import load_index, open_database
from inos.chain.pruning import make_prune_batch
from inos.chain.reading import ChainReader, GenesisReader, HistoryEntry
from inos.chain.snapshot.importer import Importer, abandon
from inos.chain.trimming import make_trim_batch
from inos.chain.view import LedgerView
from inos.consensus.context import HeaderContext
from inos.consensus.execution import ResultChecker, check_state_root
from inos.consensus.genesis_state import GenesisState
from inos.consensus.params import Params
from inos.consensus.records import StateKey
from inos.consensus.statetree import compute_state_root
from inos.consensus.validity import (
    check_block_sanity,
    check_seal,
    is_about_block,
)
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.bls import Bls
from inos.primitives.errors import InosError, NotYet, RuleViolation, VerdictMissing
from inos.primitives.matrices import Witness
from inos.primitives.units import BlockId, Height, StateRoot, Target, TimeMs, TxId

__all__ = ["BlockOutcome", "HistoryEntry", "Ledger", "LedgerView", "Tip"]

MAX_UNPROVEN: Final = 131_072
"""The largest number of headers without bodies on all branches, about 4 KB each. Sync requests at most half as many
ahead, so more are a flood.
"""


class Ledger:
    """The ledger described above, which `open` makes.

    Args:
        seal_check: raises RuleViolation if a witness does not prove a header's seal; a simulation whose blocks are not
            mined passes its own.
    """

    def __init__(
        self,
        params: Params,
        database: Database,
        index: BlockIndex,
        results: ResultChecker,
        bls: Bls,
        *,
        seal_check: Callable[[Params, Header, Witness], None] = check_seal,
    ) -> None:
        self.view = LedgerView(params, database, index, results, bls)
        self.importer: Importer | None = None
        """The import of a state from peers, or None. No block is connected before the state is complete."""
        self._params = params
        self._db = database
        self._index = index
        self._blocks = BlockStore(database)
        self._admission = Admission(params, database, index)
        self._chain = ConnectedChain(params, database, index, results, bls)
        self.prepared = self._chain.prepared
        """Takes what `LedgerView.prepare` computed."""
        self._seal_check = seal_check

    @classmethod
    def open(
        cls,
        path: Path,
        params: Params,
        genesis: GenesisState,
        *,
        results: ResultChecker,
        bls: Bls,
        is_durable: bool = True,
        awaits_state: int | None = None,
    ) -> "Ledger":
        """Open the database in the folder `path`, or create it; then connect the best chain that is stored.

        Args:
            results: checks delivered products in stage 3.
            bls: checks the signatures of voters.
            is_durable: see inos.chain.database.Database.
            awaits_state: a ledger at genesis connects no blocks and waits for the state of a block at about this
                height: see `get_importer`. A ledger above genesis ignores this.

        Raises:
            ChainError: "database-in-use", "other-genesis", "schema-version", "database-damaged", "database-io".
        """
        database = open_database(path, genesis, is_durable=is_durable)
        try:
            ledger = cls(params, database, load_index(database, params, genesis), results, bls)
            if awaits_state is not None and ledger.view.tip.header.height == 0:
                ledger.await_state(Importer(database, ledger._index, genesis, awaits_state))
            else:
                if database.get(schema.META_IMPORT) is not None:
                    abandon(database, genesis)
                ledger._resume()
        except BaseException:
            database.close()
            raise
        return ledger

    def close(self) -> None:
        """Close the database; reading afterwards fails."""
        self._db.close()

    def add_header(self, header: Header, now_ms: TimeMs) -> None:
        """Check and index a header without its body; its witness is not needed yet.

        Raises:
            RuleViolation: it is invalid, or descends from a block that is.
            ParentMissing, ClockAhead, NotYet "too-many-headers", "conflicts-with-final": nothing is stored.
        """
        self._tick(now_ms)
        expected = 0 if self.importer is None else self.importer.expected
        self._admission.add_header(header, now_ms, MAX_UNPROVEN + expected)

    def add_block(
        self,
        block: Block,
        witness: Witness,
        now_ms: TimeMs,
        *,
        is_verified: Callable[[TxId], bool] | None = None,
    ) -> BlockOutcome:
        """Check a block, store it, and connect the best chain.

        Args:
            is_verified: see inos.consensus.validity.check_block_sanity.

        Raises:
            RuleViolation: it is invalid, which is remembered if the block itself is at fault.
            ParentMissing, ClockAhead, NotYet "conflicts-with-final": nothing is stored.
            VerdictMissing: the block is stored and held until `retry_held`; the chain did not move.
        """
        self._refuse_blocks()
        self._tick(now_ms)
        self._flush()
        entry = self._admission.admit(block, now_ms)
        if entry is not None and entry.has_body:
            return BlockOutcome((), (), False)
        self._seal_check(self._params, block.header, witness)
        ids = self._check_body(block, is_verified)
        entry = self._take(entry, block, witness, ids, now_ms)
        try:
            outcome = self._activate()
        finally:
            self._flush()
        refuse_invalid(entry)
        return outcome

    def add_checked_blocks(
        self, blocks: Sequence[CheckedBlock], now_ms: TimeMs
    ) -> tuple[BlockOutcome, tuple[InosError | None, ...]]:
        """Add blocks in order, and write all that are connected to disk together.

        The checks that made them `CheckedBlock`s are not repeated.

        Returns:
            How the chain moved, and for each block what `add_block` would have raised, or None.
        """
        self._refuse_blocks()
        self._tick(now_ms)
        self._flush()
        found: list[Entry | InosError] = []
        for checked in blocks:
            try:
                found.append(self._take_checked(checked, now_ms))
            except (RuleViolation, NotYet) as error:
                found.append(error)
        try:
            outcome = self._activate()
        except VerdictMissing as error:
            outcome = BlockOutcome((), (), True, error.products, error.ids)
        finally:
            self._flush()
        return outcome, tuple(tell_fate(each, outcome) for each in found)

    def pledge(self, block: BlockId) -> BlockOutcome:
        """Move to the chain of a block that received votes show to be final, or note that its missing bodies are wanted
        first.

        Raises:
            VerdictMissing: for the same reasons as `retry_held`.
        """
        entry = self._index.get(block)
        if entry is None or not self._index.pledge(entry):
            return BlockOutcome((), (), False)
        try:
            return self._activate()
        finally:
            self._flush()

    def vouch(self, block: BlockId) -> None:
        """Take results more than `result_depth` below a valid header as checked."""
        entry = self._index.get(block)
        if entry is not None and entry.invalid is None:
            self._index.vouched.vouch(entry)

    def retry_held(self, now_ms: TimeMs) -> BlockOutcome:
        """Try the blocks that waited for matrices or for the checks of their results.

        Raises:
            VerdictMissing: some of them still wait, and the chain did not move.
        """
        if self.importer is not None:
            return BlockOutcome((), (), False)
        self._index.release_held(now_ms)
        try:
            return self._activate()
        finally:
            self._flush()

    def compute_next(self) -> tuple[HeaderContext, Target]:
        """Return the context that the next block on the tip must continue, and its target."""
        next_block = self.view.begin_next()
        return next_block.context, next_block.target

    def compute_state_root(self, changes: dict[StateKey, bytes | None]) -> StateRoot:
        """Return the state root after `changes` to the tip's state, without writing anything."""
        return compute_new_root(self._db.get, changes)

    def check(self) -> None:
        """Recompute the tip's state root from every record.

        Raises:
            RuleViolation: "bad-state-root": the database does not hold the tip's state.
        """
        header = self._index.tip.header
        check_state_root(header, compute_state_root(dict(self.view.reader.iterate_records())))

    def compact(self, tell: Callable[[str, int, int], None]) -> None:
        """Free the disk space of deleted records, which takes a while.

        Args:
            tell: receives what is rewritten, how many parts are done, and of how many.
        """
        self._db.compact(lambda done, of: tell("database", done, of))

    def prune(self, keep: int, limit: int) -> int:
        """Remove at most `limit` blocks more than `keep` below the last final one; return how many."""
        final, first = self._index.final, self.view.first_block
        last = min(final.height - keep, first + limit) - 1
        if self.importer is not None or last < first or not self._index.is_connected(final):
            return 0
        self._db.write(make_prune_batch(self._db, first, Height(last)), is_synced=False)
        self.view.find_first_block()
        self._show()  # the former snapshot would keep the removed records on disk
        return last - first + 1

    def get_importer(self) -> Importer:
        """Return the importer of the state.

        Raises:
            NotYet: "no-import": the ledger does not wait for a state.
        """
        if self.importer is None:
            raise NotYet("no-import", "this ledger does not wait for a state")
        return self.importer

    def finish_import(self) -> BlockOutcome:
        """Make the block whose state was imported the tip, and connect blocks from there on.

        Raises:
            NotYet: "no-import", "state-incomplete". ChainError: "database-damaged": the state is not the one asked for.
        """
        base = self.get_importer().finish()
        self._end_import()
        return BlockOutcome((base.id,), (), True)

    def abandon_import(self) -> None:
        """Return to genesis, and connect blocks from there on.

        Raises:
            NotYet: "no-import".
        """
        self.get_importer().abandon()
        self._end_import()

    def await_state(self, importer: Importer) -> None:
        """Connect no blocks from now on, because a state is to be imported."""
        self.importer = importer
        self.view.show(GenesisReader(self._db, self._index.tip.to_tip(), importer.genesis.records))

    def _end_import(self) -> None:
        self.importer = None
        self._chain.staging.forget()
        self.view.find_first_block()
        self.view.show(ChainReader(self._db, self._index.tip.to_tip()))
        self._trim()

    def _refuse_blocks(self) -> None:
        if self.importer is not None:
            raise NotYet("awaiting-state", "a state is being imported; blocks are connected once it is complete")

    def _tick(self, now_ms: TimeMs) -> None:
        if self.importer is None:  # during an import no bodies are requested, so none can be late
            self._admission.tick(now_ms)

    def _check_body(self, block: Block, is_verified: Callable[[TxId], bool] | None) -> list[TxId]:
        """Check a body after its seal, because only a block that cost work may be remembered as invalid."""
        try:
            return check_block_sanity(self._params, block, self.view.bls, is_verified=is_verified)
        except RuleViolation as error:
            if is_about_block(error):
                block_id = compute_block_id(block.header)
                entry = self._index.get(block_id)
                entry = entry or self._index.add(block_id, block.header, self._admission.get_parent(block.header))
                self._blocks.put_header(entry, self._index.recorded_root)
                self._chain.condemn(entry, error)
                self._flush()
            raise

    def _take(self, known: Entry | None, block: Block, witness: Witness, ids: Sequence[TxId], now_ms: TimeMs) -> Entry:
        """Index and stage a block that passed its checks."""
        header, entry = block.header, known
        if entry is None:
            entry = self._index.add(compute_block_id(header), header, self._admission.get_parent(header))
        self._index.set_body(entry, now_ms)
        self._chain.arrive(entry, block, witness, ids)
        return entry

    def _take_checked(self, checked: CheckedBlock, now_ms: TimeMs) -> Entry:
        entry = self._admission.admit(checked.block, now_ms)
        if entry is not None and entry.has_body:
            return entry
        return self._take(entry, checked.block, checked.witness, checked.ids, now_ms)

    def _resume(self) -> None:
        """Connect the best chain: a process killed between storing and connecting may have left a better one than the
        tip's.
        """
        try:
            self._activate()
        except VerdictMissing:
            # Nothing stays held, so that the next block tries again and its caller learns what is missing.
            self._index.release_held()
        finally:
            self._flush()

    def _flush(self) -> None:
        """Write the changes to disk, and only then show them to readers."""
        self._chain.flush()
        if self._index.tip.id != self.view.tip.id:
            self._show()
        self._trim()

    def _show(self) -> None:
        staging = self._chain.staging
        recent = self.view.reader.recall(staging.take_written())
        self.view.show(ChainReader(self._db, self._index.tip.to_tip(), staging.get_floors(), recent))

    def _trim(self) -> None:
        """Drop headers from memory. Everything in memory must be on disk."""
        plan = self._index.plan_trim()
        if plan is not None:
            self._db.write(make_trim_batch(plan), is_synced=False)
            self._index.trim(plan)

    def _activate(self) -> BlockOutcome:
        """Move to the best chain, and leave a branch again if it turns out to be invalid or cannot be checked yet.

        The caller calls `_flush` afterwards, so that readers see only the outcome.
        """
        before = self._index.tip
        try:
            waits = self._chain.go_to_best()
        finally:
            if self._index.tip is not before:
                self._index.prune_side()
        after = self._index.tip
        fork = find_fork(before, after)
        if waits is not None and after is before:
            raise waits
        return BlockOutcome(
            connected=tuple(entry.id for entry in iterate_above(after, fork))[::-1],
            disconnected=tuple(entry.id for entry in iterate_above(before, fork)),
            is_new=True,
            unchecked=() if waits is None else waits.products,
            missing=() if waits is None else waits.ids,
        )
