"""The window knows the wanted blocks, which peers were asked for them, and which can be delivered. It does no I/O."""

from collections.abc import Hashable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from msgspec import Struct

from inos.chain.checked import CheckedBlock
from inos.core.bounded import ExpiringSet
from inos.primitives.blocks import Block
from inos.primitives.matrices import Witness
from inos.primitives.units import BlockId

K = TypeVar("K", bound=Hashable)
LACKING_S: Final = 5.0
"""A peer is not asked again for this long for what it did not deliver."""


SLACK: Final = 64


class Body(Struct, frozen=True, eq=False):
    """A block was downloaded."""

    id: BlockId
    block: Block
    witness: Witness
    size: int


class Slot(Generic[K]):
    """Holds the state of one wanted block. Times are monotonic seconds."""

    def __init__(self, parent: BlockId, height: int) -> None:
        self.parent = parent
        self.height = height
        self.asked: K | None = None
        self.asked_at = 0.0
        self.source: K | None = None
        self.body: Body | None = None
        self.is_taken = False
        """The block is being checked, or was checked, if this is True."""
        self.is_checked = False
        self.checked: CheckedBlock | None = None
        """It is None before the check, and for a block with an invalid transaction."""
        self.is_delivered = False
        self.came_at = self.sealed_at = self.checked_at = 0.0


class Ready(Struct, Generic[K], frozen=True, eq=False):
    """A block can be delivered."""

    body: Body
    source: K
    came_at: float
    sealed_at: float
    checked_at: float
    checked: CheckedBlock | None
    """It is None if a transaction is invalid; the node must find that itself and remember it."""


class Stall(Struct, Generic[K], frozen=True):
    """The next block does not arrive, and others wait behind it."""

    height: int
    peer: K


class Window(Generic[K]):
    """Moves over the wanted blocks; K is the type that names peers.

    A block is wanted, requested, downloaded, checked and delivered, in this order. It is delivered once its parent is
    no longer in the window, so that a withheld chain does not stall any other.
    """

    def __init__(self, max_blocks: int, max_bytes: int) -> None:
        self._max_blocks = max_blocks
        self._max_bytes = max_bytes
        self._slots: dict[BlockId, Slot[K]] = {}
        self._order: list[tuple[int, BlockId]] = []
        """The blocks stand in order of height; removed ones are skipped, and left out when the list is sorted again."""
        self._is_sorted = True
        self._first_open = 0
        """Before this place of the order there is no block to request. A long window is not gone through each time."""
        self._unchecked: list[tuple[int, BlockId]] = []
        """This heap holds the downloaded blocks that are not checked."""
        self._lacking: ExpiringSet[tuple[K, BlockId]] = ExpiringSet(16 * max_blocks)
        self._later: ExpiringSet[BlockId] = ExpiringSet(4 * max_blocks)
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, id: object) -> bool:
        return id in self._slots

    def want(self, blocks: Iterable[tuple[BlockId, BlockId, int]], now: float) -> int:
        """Add (id, parent, height) while there is room; return how many are new."""
        added = 0
        for id, parent, height in blocks:
            if len(self._slots) >= self._max_blocks:
                break
            if id not in self._slots and not self._later.has(id, now):
                self._slots[id] = Slot(parent, height)
                self._is_sorted = self._is_sorted and (not self._order or self._order[-1][0] <= height)
                self._order.append((height, id))
                added += 1
        return added

    def keep(self, is_wanted: Iterable[BlockId]) -> None:
        """Remove all blocks that are neither in `is_wanted` nor delivered."""
        wanted = set(is_wanted)
        for id in [id for id, slot in self._slots.items() if id not in wanted and not slot.is_delivered]:
            self.remove(id)

    def take(self, peer: K, height: int, count: int, now: float, first: int = 0) -> list[BlockId]:
        """Return at most `count` blocks to request from `peer`, lowest first; the peer is said to have all from height
        `first` up to `height`."""
        taken: list[BlockId] = []
        for id, slot in self._iterate_open():
            if len(taken) >= count or slot.height > height:
                break
            if slot.height < first:
                continue
            if self._bytes > self._max_bytes and slot.parent in self._slots:
                continue
            if self._lacking.has((peer, id), now):
                continue
            slot.asked, slot.asked_at = peer, now
            taken.append(id)
        return taken

    def find_lowest(self) -> int | None:
        """Return the height of the lowest block that is neither here nor requested, or None."""
        return next((slot.height for _, slot in self._iterate_open()), None)

    def find_stall(self, now: float, limit_s: float) -> Stall[K] | None:
        """Return the peer that was asked for the lowest block at least `limit_s` ago, if blocks behind it are here."""
        has_later = False
        for _, slot in reversed(list(self._iterate())):
            is_next = slot.body is None and slot.parent not in self._slots
            if is_next and has_later and slot.asked is not None and now - slot.asked_at >= limit_s:
                return Stall(slot.height, slot.asked)
            has_later = has_later or slot.body is not None
        return None

    def list_overdue(self, peer: K, now: float, limit_s: float) -> list[BlockId]:
        """Return the blocks that were requested from `peer` at least `limit_s` ago and have not arrived."""
        return [
            id
            for id, slot in self._iterate()
            if slot.asked == peer and slot.body is None and now - slot.asked_at >= limit_s
        ]

    def give_back(self, peer: K, ids: Iterable[BlockId], now: float) -> None:
        """Note that `peer` did not deliver these in time: other peers may be asked, and this one again after a while. A
        late delivery still counts."""
        for id in ids:
            slot = self._slots.get(id)
            if slot is not None and slot.asked == peer and slot.body is None:
                slot.asked = None
                self._first_open = 0
                self._lacking.add((peer, id), now + LACKING_S)

    def put(self, peer: K, body: Body, now: float) -> None:
        """Store a block that arrived from `peer`; the first one counts."""
        slot = self._slots.get(body.id)
        if slot is None or slot.body is not None:
            return
        slot.body, slot.source, slot.came_at = body, peer, now
        self._bytes += body.size
        heappush(self._unchecked, (slot.height, body.id))

    def take_unchecked(self) -> tuple[Body, K] | None:
        """Return the lowest downloaded block that is not being checked yet."""
        while self._unchecked:
            _, id = heappop(self._unchecked)
            slot = self._slots.get(id)
            if slot is not None and slot.body is not None and slot.source is not None and not slot.is_taken:
                slot.is_taken = True
                return slot.body, slot.source
        return None

    def set_checked(self, id: BlockId, sealed_at: float, now: float, checked: CheckedBlock | None) -> None:
        """Note that the seal of a block is valid, and its transactions too unless `checked` is None."""
        slot = self._slots.get(id)
        if slot is not None and slot.body is not None:
            slot.is_checked, slot.checked = True, checked
            slot.sealed_at, slot.checked_at = sealed_at, now

    def reject(self, peer: K, id: BlockId, now: float) -> None:
        """Drop what `peer` sent, because it is not the block; another peer is asked."""
        slot = self._slots.get(id)
        if slot is None or slot.source != peer or slot.body is None:
            return
        self._bytes -= slot.body.size
        slot.body = slot.source = None
        slot.is_taken = slot.is_checked = False
        slot.checked = None
        slot.asked = None
        self._first_open = 0
        self._lacking.add((peer, id), now + LACKING_S)

    def pop_ready(self, count: int = 1) -> list[Ready[K]]:
        """Return the lowest checked block whose parent is not in the window, and those that follow it, at most `count`.

        The caller removes or postpones each when it is done. A block with an invalid transaction comes alone.
        """
        run: list[Ready[K]] = []
        tip: BlockId | None = None
        for id, slot in self._iterate():
            if not slot.is_checked or slot.is_delivered or slot.body is None or slot.source is None:
                continue
            if (slot.parent in self._slots) if tip is None else (slot.parent != tip):
                continue
            if run and slot.checked is None:
                break
            slot.is_delivered = True
            run.append(Ready(slot.body, slot.source, slot.came_at, slot.sealed_at, slot.checked_at, slot.checked))
            tip = id
            if len(run) >= count or slot.checked is None:
                break
        return run

    def remove(self, id: BlockId) -> None:
        """Remove a block that is no longer wanted."""
        slot = self._slots.pop(id, None)
        if slot is not None and slot.body is not None:
            self._bytes -= slot.body.size

    def postpone(self, id: BlockId, until: float) -> None:
        """Remove a block, and do not want it again before `until`."""
        self.remove(id)
        self._later.add(id, until)

    def _iterate(self, start: int = 0) -> Iterator[tuple[BlockId, Slot[K]]]:
        """Iterate over the blocks by height. Nothing may be added or removed in the meantime."""
        self._sort()
        order = self._order
        for at in range(start, len(order)):
            id = order[at][1]
            slot = self._slots.get(id)
            if slot is not None:
                yield id, slot

    def _iterate_open(self) -> Iterator[tuple[BlockId, Slot[K]]]:
        """Iterate in the same way over the blocks that are neither here nor requested."""
        self._sort()
        while self._first_open < len(self._order) and not self._is_open(self._order[self._first_open][1]):
            self._first_open += 1
        return (item for item in self._iterate(self._first_open) if self._is_open(item[0]))

    def _is_open(self, id: BlockId) -> bool:
        slot = self._slots.get(id)
        return slot is not None and slot.body is None and slot.asked is None

    def _sort(self) -> None:
        if not self._is_sorted or len(self._order) > 2 * len(self._slots) + SLACK:
            self._order = sorted((slot.height, id) for id, slot in self._slots.items())
            self._is_sorted = True
            self._first_open = 0
