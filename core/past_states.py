"""States after recent checkpoints are kept for nodes that import one, and for clients that ask for a proof in one."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from inos.chain.past import PastState
from inos.chain.view import LedgerView
from inos.consensus.finality import is_checkpoint
from inos.consensus.records import StateKey
from inos.consensus.stateranges import Place, StateRange
from inos.consensus.statetree import StateProof
from inos.core.threads import Threads
from inos.primitives.clock import Clock
from inos.primitives.units import BlockId

T = TypeVar("T")

MAX_STATES: Final = 4
"""Each state holds what changed since, and keeps the database from deleting what was replaced."""
KEPT_S: Final = 60.0
"""A state that was used this recently is not dropped for another."""


class PastStates:
    """Reads past states in the checking threads; one is made at a time."""

    def __init__(self, ledger: LedgerView, threads: Threads, clock: Clock) -> None:
        self._ledger = ledger
        self._threads = threads
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[BlockId, float] = {}
        self._states: dict[BlockId, PastState] = {}

    async def read_range(self, block: BlockId, place: Place) -> StateRange | None:
        """Return a part of the state after `block`, or None if that is no recent checkpoint or has nothing there."""
        return await self._threads.check(partial(self._read, block, lambda state: state.read_range(place)))

    async def prove(self, block: BlockId, key: StateKey) -> tuple[bytes | None, StateProof] | None:
        """Return a record (None if there is none) after `block` with its proof; None if that state is unavailable."""
        return await self._threads.check(partial(self._read, block, lambda state: state.prove(key)))

    def _read(self, block: BlockId, read: Callable[[PastState], T]) -> T | None:
        with self._lock:
            found = self._states.get(block) or self._make(block)
            if found is not None:
                self._used[block] = self._clock.monotonic()
        return None if found is None else read(found)

    def _make(self, block: BlockId) -> PastState | None:
        header = self._ledger.get_header(block)
        if header is None or not is_checkpoint(self._ledger.params, header.height) or not self._make_room():
            return None
        state = self._ledger.get_past(header.height)
        if state is None or state.block != block:
            return None
        self._states[block] = state
        return state

    def _make_room(self) -> bool:
        if len(self._states) < MAX_STATES:
            return True
        oldest = min(self._states, key=lambda block: self._used[block])
        if self._clock.monotonic() - self._used[oldest] < KEPT_S:
            return False
        del self._states[oldest], self._used[oldest]
        return True
