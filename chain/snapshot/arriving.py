"""The part of the ledger that begins with a state from others instead of with genesis's."""

from msgspec import Struct

from inos.chain.database import Database
from inos.chain.index import BlockIndex
from inos.chain.movement import ConnectedChain
from inos.chain.notes import make_step_batch
from inos.chain.reading import ChainReader, GenesisReader
from inos.chain.snapshot.importer import Importer, abandon
from inos.chain.snapshot.state_import import StateImport
from inos.chain.view import LedgerView
from inos.consensus.execution import ResultChecker
from inos.consensus.finality.trust import Step
from inos.consensus.params import Params
from inos.consensus.stateranges import Place, StateRange
from inos.primitives.bls import Bls
from inos.primitives.errors import NotYet
from inos.primitives.matrices import Product
from inos.primitives.units import BlockId, MatrixId


class BlockOutcome(Struct, frozen=True):
    """How the connected chain moved."""

    connected: tuple[BlockId, ...]
    """In order, the new tip last."""
    disconnected: tuple[BlockId, ...]
    """In the order they were undone."""
    is_new: bool
    unchecked: tuple[Product, ...] = ()
    """Results that a better branch waits for, which this node has not checked."""
    missing: tuple[MatrixId, ...] = ()
    """Matrices of theirs that are not here."""


class ArrivingLedger(LedgerView):
    """See the module; `inos.chain.ledger.Ledger` is one."""

    def __init__(self, params: Params, database: Database, index: BlockIndex, results: ResultChecker, bls: Bls) -> None:
        super().__init__(params, database, index, results, bls)
        self._chain = ConnectedChain(params, database, index, results, bls)
        self.importer: Importer | None = None
        """While the state comes from others; until it is whole, no block is connected."""

    @property
    def is_awaiting_state(self) -> bool:
        return self.importer is not None

    def await_state(self, importer: Importer) -> None:
        """Connect no blocks from now on: a state is to come from others."""
        self.importer = importer
        self._reader = GenesisReader(self._db, self._index.tip.to_tip(), importer.genesis.records)

    def add_step(self, step: Step) -> None:
        """Keep a step that a peer has proven, for others who begin as this ledger does."""
        if self.importer is not None:
            self._db.write(make_step_batch(step), is_synced=False)

    def begin_import(self, block: BlockId) -> StateImport:
        """Take the state after `block` from others from now on; what was taken for another block stays if it fits.

        Raises:
            NotYet: "header-unknown"; "no-import": the ledger does not wait for a state.
        """
        importer = self._get_importer()
        importer.begin(block)
        if importer.state is None:
            raise NotYet("no-import", "no state is on its way in")
        return importer.state

    def add_range(self, place: Place, found: StateRange) -> bool:
        """Take a part of the state; whether it was missing.

        Raises:
            RuleViolation: "bad-range-proof", "range-out-of-place": it is no part of the state.
        """
        return self._get_importer().add(place, found)

    def finish_import(self) -> BlockOutcome:
        """Stand on the block whose state is here, and from there on connect blocks.

        Raises:
            ChainError: "database-damaged": the state is not whole.
        """
        base = self._get_importer().finish()
        self.importer = None
        self._chain.forget()
        self._reader = ChainReader(self._db, base.to_tip())
        return BlockOutcome((base.id,), (), True)

    def abandon_import(self) -> None:
        """Be at genesis again, and connect blocks from there on."""
        abandon(self._db, self._get_importer().genesis)
        self.importer = None
        self._reader = ChainReader(self._db, self._index.tip.to_tip())

    def _get_importer(self) -> Importer:
        if self.importer is None:
            raise NotYet("no-import", "this ledger does not wait for a state")
        return self.importer

    def _refuse_blocks(self) -> None:
        if self.importer is not None:
            raise NotYet("awaiting-state", "the state is on its way in; blocks are connected once it is whole")
