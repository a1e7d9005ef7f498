"""From genesis to a state that came from others: begin, take ranges, end, or give up and be at genesis again.

The meta record META_IMPORT says at every instant what the database is: without it a block's state is there; with
`CLEARING` something is being removed; with a block's id that block's state is on its way in.
"""

from typing import Final

from inos.chain import schema
from inos.chain.connection import make_genesis_batch
from inos.chain.database import Database
from inos.chain.entry import Entry, iterate_back
from inos.chain.errors import ChainError
from inos.chain.index import BlockIndex
from inos.chain.snapshot.state_import import Batch, StateImport, make_clearing
from inos.consensus.genesis_state import GenesisState
from inos.consensus.stateranges import Place, StateRange
from inos.primitives.errors import NotYet
from inos.primitives.units import BlockId, StateRoot

CLEARING: Final = b"clearing"


class Importer:
    """Belongs to the writer's thread; `state` may be read from others."""

    def __init__(self, database: Database, index: BlockIndex, genesis: GenesisState, expected: int) -> None:
        self._db = database
        self.expected = expected
        """About the height of the block: so many headers may come before any is proven."""
        self._index = index
        self.genesis = genesis
        self.state: StateImport | None = None
        """What is here of the state and what is not; None before `begin`."""

    def begin(self, block: BlockId) -> None:
        """Go from the state that is here, genesis's or part of another, to the one after `block`.

        Raises:
            NotYet: "header-unknown". ChainError.
        """
        header = self._get_entry(block).header
        if self._db.get(schema.META_IMPORT) == CLEARING:
            clear(self._db)  # what is there is no state; else it is one, and what fits of it stays
        self._db.write({schema.META_IMPORT: block})
        self.state = StateImport(self._db, block, StateRoot(header.state_root))

    def add(self, place: Place, found: StateRange) -> bool:
        """See StateImport.add."""
        return self.state is not None and self.state.add(place, found)

    def finish(self) -> Entry:
        """Stand on the block whose state is whole now.

        Raises:
            ChainError: "database-damaged": it is not.
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

    def _get_entry(self, block: BlockId) -> Entry:
        entry = self._index.get(block)
        if entry is None or entry.invalid is not None:
            raise NotYet("header-unknown", f"the header of block {block.hex()} is not here")
        return entry


def clear(database: Database) -> None:
    """Remove the state there is; a process killed on the way leaves `CLEARING`."""
    database.write({schema.META_IMPORT: CLEARING})
    for batch in make_clearing(database):
        database.write(batch, is_synced=False)


def abandon(database: Database, genesis: GenesisState) -> None:
    """Back to genesis's state, from which every block can be executed."""
    clear(database)
    _, batch = make_genesis_batch(genesis.records)
    database.write({**batch, schema.META_IMPORT: None})
