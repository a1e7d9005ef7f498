"""The import of a state: begin, store ranges, end, or give up and return to genesis.

The meta record META_IMPORT always says what the database contains. Without it, this is the state of a block. `CLEARING`
means that a state is being removed, and a block's id means that the state of this block is being imported.
"""

from typing import Final

from inos.chain import schema
from inos.chain.connection import make_genesis_batch
from inos.chain.database import Database
from inos.chain.entry import Entry, iterate_back
from inos.chain.errors import ChainError
from inos.chain.index import BlockIndex
from inos.chain.notes import make_step_batch
from inos.chain.snapshot.state_import import Batch, StateImport, make_clearing
from inos.consensus.finality.trust import Step
from inos.consensus.genesis_state import GenesisState
from inos.primitives.errors import NotYet
from inos.primitives.units import BlockId, StateRoot

CLEARING: Final = b"clearing"


class Importer:
    """The importer of a ledger that waits for a state. It belongs to the writer's thread; other threads may read
    `state`.
    """

    def __init__(self, database: Database, index: BlockIndex, genesis: GenesisState, expected: int) -> None:
        self._db = database
        self.expected = expected
        """The approximate height of the block: this many headers may arrive before any of them is proven."""
        self._index = index
        self.genesis = genesis
        self.state: StateImport | None = None
        """What is present of the state and what is missing; None before `begin`."""

    def begin(self, block: BlockId) -> StateImport:
        """Leave the present state, genesis's or a part of another one, and import the state after `block`.

        Raises:
            NotYet: "header-unknown".
            ChainError: the database failed.
        """
        header = self._get_entry(block).header
        if self._db.get(schema.META_IMPORT) == CLEARING:
            clear(self._db)  # a partial state is replaced; matching nodes of a complete one are kept
        self._db.write({schema.META_IMPORT: block})
        self.state = StateImport(self._db, block, StateRoot(header.state_root))
        return self.state

    def add_step(self, step: Step) -> None:
        """Store a step that a peer has proven, for peers that import a state later."""
        self._db.write(make_step_batch(step), is_synced=False)

    def finish(self) -> Entry:
        """Make the block whose state is complete the tip.

        Raises:
            NotYet: "state-incomplete". ChainError: "nothing-imported", "database-damaged" if the state is not the one
                asked for.
        """
        if self.state is None:
            raise ChainError("nothing-imported", "no state was asked for")
        base = self._get_entry(self.state.block)
        batch: Batch = {schema.active_key(entry.height): entry.id for entry in iterate_back(base)}
        batch |= self.state.make_last_batch()
        batch |= {schema.META_TIP: base.id, schema.META_BASE: base.id, schema.META_FINAL: base.id}
        self._db.write(batch)
        self._index.adopt(base)
        self._index.restore_tip(base)
        self._index.set_final(base)
        return base

    def abandon(self) -> None:
        """Go back to genesis's state."""
        abandon(self._db, self.genesis)

    def _get_entry(self, block: BlockId) -> Entry:
        entry = self._index.get(block)
        if entry is None or entry.invalid is not None:
            raise NotYet("header-unknown", f"the header of block {block.hex()} is not here")
        return entry


def clear(database: Database) -> None:
    """Remove the present state; if the process is killed meanwhile, `CLEARING` remains."""
    database.write({schema.META_IMPORT: CLEARING})
    for batch in make_clearing(database):
        database.write(batch, is_synced=False)


def abandon(database: Database, genesis: GenesisState) -> None:
    """Return to genesis's state, from which every block can be executed."""
    clear(database)
    _, batch = make_genesis_batch(genesis.records)
    database.write({**batch, schema.META_IMPORT: None})
