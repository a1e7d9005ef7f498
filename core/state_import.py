"""A node that does not replay history takes the state after a block from peers, range by range."""

from functools import partial

from inos.chain.ledger import Ledger
from inos.chain.snapshot.state_import import StateImport
from inos.consensus.finality.trust import Step
from inos.consensus.stateranges import Place, StateRange
from inos.core.blocks import BlockService
from inos.core.threads import Threads
from inos.primitives.units import BlockId


class StateImportService:
    """Runs each step of an import in the writer thread. See inos.chain.snapshot."""

    def __init__(self, ledger: Ledger, blocks: BlockService, threads: Threads) -> None:
        self._ledger = ledger
        self._blocks = blocks
        self._threads = threads

    @property
    def state(self) -> StateImport | None:
        """Return the state that is being imported, or None if there is none."""
        return None if self._ledger.importer is None else self._ledger.importer.state

    async def begin(self, block: BlockId) -> StateImport:
        """Import the state after a block from now on. Raises NotYet if the block's header is unknown."""
        return await self._threads.write(partial(self._begin, block))

    async def add_step(self, step: Step) -> None:
        """Store a step of finality that a peer has proven, for other nodes that import a state."""
        await self._threads.write(partial(self._add_step, step))

    async def add_range(self, block: BlockId, place: Place, found: StateRange) -> bool:
        """Take a part of the state after `block`, and return True if it was missing. Raises RuleViolation if it is not
        a part of the state."""
        return await self._threads.write(partial(self._add_range, block, place, found))

    async def finish(self) -> None:
        """Make the block whose state is complete the tip, and tell subscribers."""
        self._blocks.publish(await self._threads.write(self._ledger.finish_import))

    async def abandon(self) -> None:
        """Return to genesis, and connect blocks from there on."""
        await self._threads.write(self._ledger.abandon_import)

    def _begin(self, block: BlockId) -> StateImport:
        return self._ledger.get_importer().begin(block)

    def _add_step(self, step: Step) -> None:
        if self._ledger.importer is not None:
            self._ledger.importer.add_step(step)

    def _add_range(self, block: BlockId, place: Place, found: StateRange) -> bool:
        """Return False if the state of another block is imported by now."""
        state = self.state
        return state is not None and state.block == block and state.add(place, found)
