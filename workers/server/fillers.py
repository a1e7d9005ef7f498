"""Filler operands: one pair for each kind of worker, which all workers of that kind multiply for a day."""

import asyncio
from typing import Final

import numpy as np
from msgspec import Struct

from inos.work import Operand
from inos.workers.filler import make_operands
from inos.workers.limits import FILLER_S
from inos.workers.messages import Filler, WorkerKind

SIDES: Final = {WorkerKind.PAGE: 1024, WorkerKind.CARD: 4096, WorkerKind.MACHINE: 2048}
"""Rows and depth of both operands: 2 MiB a pair for a page, 8 for a machine and 32 for a card. Both are slow with small
ones."""


class FillerPair(Struct, frozen=True, eq=False):
    """A filler and its operands."""

    filler: Filler
    x: Operand
    w: Operand
    made_at: float


class Fillers:
    """Makes pairs when they are first needed, and again after a day."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._pairs: dict[int, FillerPair] = {}
        self._making = asyncio.Lock()

    async def get(self, kind: WorkerKind, now: float) -> FillerPair:
        """Return the pair for a kind of worker at monotonic `now`."""
        side = SIDES[kind]
        async with self._making:
            pair = self._pairs.get(side)
            if pair is None or now - pair.made_at >= FILLER_S:
                filler = Filler(self._random.bytes(32), side, side, side)
                x, w = await asyncio.to_thread(make_operands, filler)
                pair = self._pairs[side] = FillerPair(filler, x, w, now)
            return pair
