"""Which blocks are wanted, who was asked for them, and which can be handed on. No I/O, no clock of its own."""

from collections.abc import Hashable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

from msgspec import Struct

from inos.chain.checked import CheckedBlock
from inos.network.peers.bounded import ExpiringSet
from inos.primitives.blocks import Block
from inos.primitives.matrices import Witness
from inos.primitives.units import BlockId

K = TypeVar("K", bound=Hashable)
LACKING_S: Final = 5.0
"""How long a peer is not asked again for what it did not deliver."""


SLACK: Final = 64


class Body(Struct, frozen=True, eq=False):
    """A block as it came."""

    id: BlockId
    block: Block
    witness: Witness
    size: int


class Slot(Generic[K]):
    """One wanted block. Times are monotonic seconds."""

    def __init__(self, parent: BlockId, height: int) -> None:
        self.parent = parent
        self.height = height
        self.asked: K | None = None
        self.asked_at = 0.0
        self.source: K | None = None
        self.body: Body | None = None
        self.is_taken = False
        """Somebody checks it, or has."""
        self.is_checked = False
        self.checked: CheckedBlock | None = None
        """None before it is checked, and for a block with an invalid transaction."""
        self.is_delivered = False
        self.came_at = self.sealed_at = self.checked_at = 0.0


class Ready(Struct, Generic[K], frozen=True, eq=False):
    """A block that can be handed on."""

    body: Body
    source: K
    came_at: float
    sealed_at: float
    checked_at: float
    checked: CheckedBlock | None
    """None where a transaction is invalid: the node must find that itself, and remember it."""


class Stall(Struct, Generic[K], frozen=True):
    """The next block does not come, and others wait behind it."""

    height: int
    peer: K


class Window(Generic[K]):
    """A moving window over wanted blocks; K names peers.

    A block goes through: wanted, asked for, come, checked, handed on. It is handed on once its parent is not in the
    window any more, so that one chain that is withheld holds up no other.
    """

    def __init__(self, max_blocks: int, max_bytes: int) -> None:
        self._max_blocks = max_blocks
        self._max_bytes = max_bytes
        self._slots: dict[BlockId, Slot[K]] = {}
        self._order: list[tuple[int, BlockId]] = []
        """By height; what was removed is passed over, and left out when it is sorted anew."""
        self._is_sorted = True
        self._unchecked: list[tuple[int, BlockId]] = []
        """A heap of what came and is not checked."""
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
                self._is_sorted = self._is_sorted and (not self._order or self._order[-1][0] <= height)
                self._order.append((height, id))
                added += 1
        return added

    def keep(self, is_wanted: Iterable[BlockId]) -> None:
        """Drop everything that is neither in `is_wanted` nor handed on."""
        wanted = set(is_wanted)
        for id in [id for id, slot in self._slots.items() if id not in wanted and not slot.is_delivered]:
            self.remove(id)

    def take(self, peer: K, height: int, count: int, now: float) -> list[BlockId]:
        """At most `count` blocks to ask `peer` for, lowest first; it is said to have all up to `height`."""
        taken: list[BlockId] = []
        for id, slot in self._iterate():
            if len(taken) >= count or slot.height > height:
                break
            if slot.body is not None or slot.asked is not None:
                continue
            if self._bytes > self._max_bytes and slot.parent in self._slots:
                continue
            if self._lacking.has((peer, id), now):
                continue
            slot.asked, slot.asked_at = peer, now
            taken.append(id)
        return taken

    def find_stall(self, now: float, limit_s: float) -> Stall[K] | None:
        """Who was asked for the lowest block at least `limit_s` ago, while others behind it are here."""
        has_later = False
        for _, slot in reversed(list(self._iterate())):
            is_next = slot.body is None and slot.parent not in self._slots
            if is_next and has_later and slot.asked is not None and now - slot.asked_at >= limit_s:
                return Stall(slot.height, slot.asked)
            has_later = has_later or slot.body is not None
        return None

    def list_overdue(self, peer: K, now: float, limit_s: float) -> list[BlockId]:
        """What `peer` was asked for at least `limit_s` ago and has not given."""
        return [
            id
            for id, slot in self._iterate()
            if slot.asked == peer and slot.body is None and now - slot.asked_at >= limit_s
        ]

    def give_back(self, peer: K, ids: Iterable[BlockId], now: float) -> None:
        """`peer` did not deliver these in time; others may be asked, and it again after a while. What it gives late is
        taken all the same."""
        for id in ids:
            slot = self._slots.get(id)
            if slot is not None and slot.asked == peer and slot.body is None:
                slot.asked = None
                self._lacking.add((peer, id), now + LACKING_S)

    def put(self, peer: K, body: Body, now: float) -> None:
        """A block came from `peer`; the first one counts."""
        slot = self._slots.get(body.id)
        if slot is None or slot.body is not None:
            return
        slot.body, slot.source, slot.came_at = body, peer, now
        self._bytes += body.size
        heappush(self._unchecked, (slot.height, body.id))

    def take_unchecked(self) -> tuple[Body, K] | None:
        """The lowest block that came and that nobody checks yet."""
        while self._unchecked:
            _, id = heappop(self._unchecked)
            slot = self._slots.get(id)
            if slot is not None and slot.body is not None and slot.source is not None and not slot.is_taken:
                slot.is_taken = True
                return slot.body, slot.source
        return None

    def set_checked(self, id: BlockId, sealed_at: float, now: float, checked: CheckedBlock | None) -> None:
        """The seal of a block holds, and its transactions do unless `checked` is None."""
        slot = self._slots.get(id)
        if slot is not None and slot.body is not None:
            slot.is_checked, slot.checked = True, checked
            slot.sealed_at, slot.checked_at = sealed_at, now

    def reject(self, peer: K, id: BlockId, now: float) -> None:
        """What `peer` gave is not the block; somebody else is asked."""
        slot = self._slots.get(id)
        if slot is None or slot.source != peer or slot.body is None:
            return
        self._bytes -= slot.body.size
        slot.body = slot.source = None
        slot.is_taken = slot.is_checked = False
        slot.checked = None
        slot.asked = None
        self._lacking.add((peer, id), now + LACKING_S)

    def pop_ready(self, count: int = 1) -> list[Ready[K]]:
        """The lowest checked block whose parent is not in the window, with those that follow it, at most `count`.

        `remove` or `postpone` each when that is done. One with an invalid transaction comes alone.
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
        """Not wanted any more."""
        slot = self._slots.pop(id, None)
        if slot is not None and slot.body is not None:
            self._bytes -= slot.body.size

    def postpone(self, id: BlockId, until: float) -> None:
        """Remove, and do not want it again before `until`."""
        self.remove(id)
        self._later.add(id, until)

    def _iterate(self) -> Iterator[tuple[BlockId, Slot[K]]]:
        """By height. Nothing may be added or removed meanwhile."""
        if not self._is_sorted or len(self._order) > 2 * len(self._slots) + SLACK:
            self._order = sorted((slot.height, id) for id, slot in self._slots.items())
            self._is_sorted = True
        for _, id in self._order:
            slot = self._slots.get(id)
            if slot is not None:
                yield id, slot
