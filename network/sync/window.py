"""Which blocks are wanted, who was asked for them, and which can be handed on. No I/O, no clock of its own."""

from collections.abc import Hashable, Iterable
from typing import Final, Generic, TypeVar

from network.peers.bounded import ExpiringSet
from primitives.blocks import Block
from primitives.matrices import Witness
from primitives.units import BlockId

K = TypeVar("K", bound=Hashable)
LACKING_S: Final = 5.0
"""How long a peer is not asked again for what it did not deliver."""


class Slot(Generic[K]):
    """One wanted block."""

    def __init__(self, parent: BlockId, height: int) -> None:
        self.parent = parent
        self.height = height
        self.asked: K | None = None
        self.source: K | None = None
        self.data: tuple[Block, Witness] | None = None
        self.size = 0
        self.is_handed_on = False


class Window(Generic[K]):
    """A moving window over wanted blocks; K names peers.

    A block is handed on once its parent is not in the window any more, so that one chain that is
    withheld holds up no other.
    """

    def __init__(self, max_blocks: int, max_bytes: int) -> None:
        self._max_blocks = max_blocks
        self._max_bytes = max_bytes
        self._slots: dict[BlockId, Slot[K]] = {}
        self._lacking: ExpiringSet[tuple[K, BlockId]] = ExpiringSet(16 * max_blocks)
        self._later: ExpiringSet[BlockId] = ExpiringSet(4 * max_blocks)
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, id: object) -> bool:
        return id in self._slots

    def want(self, blocks: Iterable[tuple[BlockId, BlockId, int]], now: float) -> int:
        """Add (id, parent, height) where there is room; how many were new."""
        added = 0
        for id, parent, height in blocks:
            if len(self._slots) >= self._max_blocks:
                break
            if id not in self._slots and not self._later.has(id, now):
                self._slots[id] = Slot(parent, height)
                added += 1
        return added

    def keep(self, is_wanted: Iterable[BlockId]) -> None:
        """Drop everything that is neither in `is_wanted` nor handed on."""
        wanted = set(is_wanted)
        for id in [id for id, slot in self._slots.items() if id not in wanted and not slot.is_handed_on]:
            self.remove(id)

    def take(self, peer: K, height: int, count: int, now: float) -> list[BlockId]:
        """At most `count` blocks to ask `peer` for, lowest first; it is said to have all up to `height`."""
        taken: list[BlockId] = []
        for id, slot in sorted(self._slots.items(), key=lambda item: item[1].height):
            if len(taken) >= count:
                break
            if slot.data is not None or slot.asked is not None or slot.height > height:
                continue
            if self._bytes > self._max_bytes and slot.parent in self._slots:
                continue
            if self._lacking.has((peer, id), now):
                continue
            slot.asked = peer
            taken.append(id)
        return taken

    def give_back(self, peer: K, ids: Iterable[BlockId], now: float) -> None:
        """`peer` did not deliver these; others may be asked, and it again after a while."""
        for id in ids:
            slot = self._slots.get(id)
            if slot is not None and slot.asked == peer and slot.data is None:
                slot.asked = None
                self._lacking.add((peer, id), now + LACKING_S)

    def put(self, peer: K, id: BlockId, block: Block, witness: Witness, size: int) -> None:
        """A block that was checked as far as it can be without its parent's state."""
        slot = self._slots.get(id)
        if slot is None or slot.data is not None:
            return
        slot.data, slot.size, slot.source = (block, witness), size, peer
        self._bytes += size

    def pop_ready(self) -> tuple[BlockId, Block, Witness, K] | None:
        """The lowest block that can be handed on now; `remove` it when that is done."""
        best: tuple[BlockId, Slot[K]] | None = None
        for id, slot in self._slots.items():
            if slot.data is None or slot.is_handed_on or slot.source is None or slot.parent in self._slots:
                continue
            if best is None or slot.height < best[1].height:
                best = id, slot
        if best is None or best[1].data is None or best[1].source is None:
            return None
        best[1].is_handed_on = True
        return best[0], *best[1].data, best[1].source

    def remove(self, id: BlockId) -> None:
        """Not wanted any more."""
        slot = self._slots.pop(id, None)
        if slot is not None:
            self._bytes -= slot.size

    def postpone(self, id: BlockId, until: float) -> None:
        """Remove, and do not want it again before `until`."""
        self.remove(id)
        self._later.add(id, until)
