"""The movement of the connected chain: blocks of the current branch are undone, and those of the best branch connected.

Each step is complete in one atomic batch, alone or with others, so that a process that is killed at any moment leaves
the state of exactly one block.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from inos.chain import schema
from inos.chain.blocks import BlockStore, make_block_batch
from inos.chain.connection import make_disconnect_batch
from inos.chain.database import Database
from inos.chain.entry import Entry, find_fork, iterate_back
from inos.chain.index import BlockIndex
from inos.chain.notes import make_note_batch
from inos.chain.preparation import PreparedBlocks, prepare_block
from inos.chain.staging import StagedState, Staging
from inos.consensus.execution import ResultChecker
from inos.consensus.params import Params
from inos.consensus.records import FINALITY_KEY, MAX_RECORD_BYTES, Finality
from inos.consensus.results import TRUSTED_RESULTS, check_products
from inos.primitives.blocks import Block
from inos.primitives.bls import Bls
from inos.primitives.codec import decode
from inos.primitives.errors import InosError, RuleViolation, VerdictMissing
from inos.primitives.matrices import Product, Witness
from inos.primitives.units import BlockId, MatrixId, TxId


class BlockOutcome(Struct, frozen=True):
    """How the connected chain moved."""

    connected: tuple[BlockId, ...]
    """The connected blocks in order, the new tip last."""
    disconnected: tuple[BlockId, ...]
    """The undone blocks in the order in which they were undone."""
    is_new: bool
    unchecked: tuple[Product, ...] = ()
    """Results that a better branch waits for, and that this node has not checked."""
    missing: tuple[MatrixId, ...] = ()
    """The missing matrices of these results."""


class ConnectedChain:
    """Moves `index.tip` and the database together. Everything that it writes is staged; `flush` writes it to disk."""

    def __init__(self, params: Params, database: Database, index: BlockIndex, results: ResultChecker, bls: Bls) -> None:
        self._params = params
        self.staging = Staging(database)
        self._index = index
        self._blocks = BlockStore(self.staging)
        self._results = results
        self._bls = bls
        self._arrived: dict[BlockId, tuple[Block, Sequence[TxId]]] = {}
        """Blocks staged since the last flush with their transactions' ids, so that connecting them need not decode
        them."""
        self.prepared = PreparedBlocks()

    def arrive(self, entry: Entry, block: Block, witness: Witness, ids: Sequence[TxId]) -> None:
        """Stage a new block, connected or not.

        Args:
            ids: those of its transactions, in order.
        """
        self.staging.write(make_block_batch(entry, block, witness, self._index.recorded_root))
        self._arrived[entry.id] = block, ids
        if self.staging.is_full:
            self.flush()

    def flush(self) -> None:
        """Write everything staged to disk; if the disk refuses, it stays staged for another try."""
        self.staging.flush()
        self._arrived.clear()

    def condemn(self, entry: Entry, error: RuleViolation) -> None:
        """Remember a block as invalid, and with it all its descendants."""
        self._index.set_invalid(entry, error.code, error.message)
        self._blocks.put_invalid(entry.id, error.code, error.message)

    def go_to_best(self) -> VerdictMissing | None:
        """Move to the best chain; return what better branches wait for, which are held from now on, or None."""
        waits = self._go_to_pledged()
        while (best := self._index.find_best_side()) is not None:
            waits.append(self._go_to(best))
        return _merge(waits)

    def _go_to_pledged(self) -> list[VerdictMissing | None]:
        """Move to the chain that votes show to be final if all its bodies are stored now; return what held blocks wait
        for.
        """
        final = self._index.final
        if not self._index.redeem():
            return []
        waits: list[VerdictMissing | None] = []
        while not self._index.is_after_final(self._index.tip):
            best = self._index.find_best_side()
            if best is None:
                self._index.reopen(final)
                return waits
            waits.append(self._go_to(best))
        self.staging.write({schema.META_FINAL: self._index.final.id})
        return waits

    def _go_to(self, best: Entry) -> VerdictMissing | None:
        """Connect the branch up to `best` as far as it is valid; return what its next block waits for if that block is
        held.
        """
        fork = find_fork(best, self._index.tip)
        while self._index.tip is not fork:
            self.disconnect()
        for entry in reversed(tuple(iterate_above(best, fork))):
            try:
                self._connect(entry)
            except RuleViolation as error:
                self.condemn(entry, error)
                break
            except VerdictMissing as error:
                self._index.set_held(entry, lacks_matrices=bool(error.ids))
                return error
        return None

    def _connect(self, entry: Entry) -> None:
        if self.staging.is_full:
            self.flush()
        block, ids = self._arrived.get(entry.id) or (self._blocks.get_stored_block(entry.id), None)
        staging, kept = self.staging, self.prepared.blocks.pop(entry.id, None)
        prepared = kept or prepare_block(
            self._params, StagedState(staging), staging.get, staging.update_tree, entry.id, block, self._bls, ids=ids
        )
        if prepared.violation is not None:
            raise prepared.violation
        try:
            check_products(
                prepared.products, TRUSTED_RESULTS if self._index.vouched.is_vouched(entry) else self._results
            )
        except VerdictMissing:
            batch = prepared.batch if kept else prepared.batch | staging.list_new_nodes()
            self.prepared.keep(entry.id, replace(prepared, batch=batch))
            raise
        if kept:
            staging.forget_tree()  # its changes come with the batch
        else:
            staging.commit_tree()
        staging.write(prepared.batch)
        staging.write(make_note_batch(self._params, staging, entry.id, block))
        self._index.set_active(entry)
        if prepared.moves_finality:
            self._advance_final(prepared.batch[schema.state_key(FINALITY_KEY)])

    def _advance_final(self, record: bytes | None) -> None:
        """Set the last final block from the state's record. It stays final on branches whose state lacks it."""
        finality = None if record is None else decode(Finality, record, limit=MAX_RECORD_BYTES)
        final = None if finality is None else self._index.get(BlockId(finality.finalized.id))
        if final is not None and final.height > self._index.final.height:
            self._index.set_final(final)
            self.staging.write({schema.META_FINAL: final.id})

    def disconnect(self) -> None:
        """Disconnect the tip.

        Raises:
            ChainError: "database-damaged" if the undo record does not lead back to the parent's state.
        """
        if self.staging.is_full:
            self.flush()
        entry = self._index.tip
        if entry.parent is None:
            raise self.staging.explain("genesis cannot be undone")
        block, undo = self._blocks.get_stored_block(entry.id), self._blocks.get_undo(entry.id)
        root, batch = make_disconnect_batch(self.staging.get, self.staging.update_tree, entry, block, undo)
        if root != entry.parent.header.state_root:
            raise self.staging.explain(
                f"the undo record of block {entry.id.hex()} does not lead back to its parent's state"
            )
        if block.aggregate is not None:
            batch[schema.aggregate_key(BlockId(block.aggregate.link.target.id))] = None
        if entry.parent.height < self._index.recorded_root:
            self._index.recorded_root = entry.parent.height
            batch[schema.META_ROOT] = schema.encode_height(entry.parent.height)
        self.staging.commit_tree()
        self.staging.write(batch)
        self._index.set_inactive(entry)


def _merge(waits: list[VerdictMissing | None]) -> VerdictMissing | None:
    """Return what several held blocks wait for, each product and matrix once, or None if no block is held."""
    found = [each for each in waits if each is not None]
    products = dict.fromkeys(product for each in found for product in each.products)
    ids = dict.fromkeys(matrix for each in found for matrix in each.ids)
    return VerdictMissing(tuple(products), tuple(ids)) if found else None


def iterate_above(entry: Entry, fork: Entry) -> Iterator[Entry]:
    """Yield the entries from `entry` down to the block after its ancestor `fork`."""
    return takewhile(lambda each: each is not fork, iterate_back(entry))


def tell_fate(found: Entry | InosError, outcome: BlockOutcome) -> InosError | None:
    """Return the error that `add_block` would have raised for a block of a batch, or None."""
    if isinstance(found, InosError):
        return found
    if found.invalid is not None:
        return RuleViolation(found.invalid[0], f"block {found.id.hex()}: {found.invalid[1]}")
    return VerdictMissing(outcome.unchecked, outcome.missing) if found.is_held and outcome.unchecked else None
