"""States after recent checkpoints, held for those who take one from here or have something proven in it."""

import threading
from typing import Final

from inos.chain.ledger import Ledger
from inos.chain.past import PastState
from inos.consensus.finality import is_checkpoint
from inos.consensus.records import StateKey
from inos.consensus.stateranges import Place, StateRange
from inos.consensus.statetree import StateProof
from inos.primitives.clock import Clock
from inos.primitives.units import BlockId

MAX_PASTS: Final = 4
"""Each holds what has changed since, and keeps the database from letting go of what was replaced."""
KEPT_S: Final = 60.0
"""One that was used so lately does not give way to another."""


class Pasts:
    """Called from any thread; one state is made at a time."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[BlockId, float] = {}
        self._pasts: dict[BlockId, PastState] = {}

    def read_range(self, block: BlockId, place: Place) -> StateRange | None:
        """A part of the state after `block`; None where that is no recent checkpoint, or has nothing there."""
        past = self._get(block)
        return None if past is None else past.read_range(place)

    def prove(self, block: BlockId, key: StateKey) -> tuple[bytes | None, StateProof] | None:
        """A record in it, or None, with its proof; None as above."""
        past = self._get(block)
        return None if past is None else past.prove(key)

    def _get(self, block: BlockId) -> PastState | None:
        with self._lock:
            found = self._pasts.get(block) or self._make(block)
            if found is not None:
                self._used[block] = self._clock.monotonic()
            return found

    def _make(self, block: BlockId) -> PastState | None:
        header = self._ledger.get_header(block)
        if header is None or not is_checkpoint(self._ledger.params, header.height) or not self._make_room():
            return None
        past = self._ledger.get_past(header.height)
        if past is None or past.block != block:
            return None
        self._pasts[block] = past
        return past

    def _make_room(self) -> bool:
        if len(self._pasts) < MAX_PASTS:
            return True
        oldest = min(self._pasts, key=lambda block: self._used[block])
        if self._clock.monotonic() - self._used[oldest] < KEPT_S:
            return False
        del self._pasts[oldest], self._used[oldest]
        return True
