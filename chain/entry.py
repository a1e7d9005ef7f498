"""One known block in the tree of headers, and functions that walk along that tree."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from msgspec import Struct

from inos.consensus.forkchoice import NEVER, Preference, compute_preference
from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height, TimeMs, Weight


class Tip(Struct, frozen=True):
    """A block and the weight of the chain up to it."""

    id: BlockId
    header: Header
    weight: Weight


@dataclass(eq=False, slots=True)
class Entry:
    """One known block. `invalid` is the code and reason of the rule that the block or an ancestor breaks."""

    id: BlockId
    header: Header
    parent: "Entry | None"
    weight: Weight
    arrival: int
    first: "Entry | None" = None
    """Block 1 of this branch, None for genesis."""
    skip: "Entry | None" = None
    """An ancestor further down, so that any ancestor is reached in a few dozen steps."""
    has_body: bool = False
    is_linked: bool = False
    """The bodies of this block and of all its ancestors are here."""
    is_held: bool = False
    """It waits for matrices, or descends from a block that does."""
    lacks_matrices: bool = False
    """The block is held because matrices that it names are missing. This is False if only checks are outstanding."""
    body_ms: TimeMs | None = None
    """The time at which the body arrived; None if it was stored before the node started."""
    is_late: bool = False
    """The block's matrices arrived too long after its body: see inos.consensus.forkchoice."""
    late: int = 0
    """The number of late blocks on the chain up to this one."""
    connected: int = NEVER
    """The number of its first connection in the order of all first connections."""
    is_stalled: bool = False
    """Its body, or that of an ancestor, has been waited for too long."""
    invalid: tuple[str, str] | None = None
    children: list["Entry"] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.parent is not None:
            self.first = self if self.parent.parent is None else self.parent.first
            self.skip = get_ancestor(self.parent, compute_skip_height(self.header.height))

    @property
    def height(self) -> Height:
        return Height(self.header.height)

    @property
    def preference(self) -> Preference:
        """Rank of the chain up to this block; of two chains, the one with the higher rank is better."""
        return compute_preference(self.weight, self.late, self.connected, self.arrival)

    def to_tip(self) -> Tip:
        return Tip(self.id, self.header, self.weight)


def compute_skip_height(height: int) -> int:
    """Return the height to which the skip of a block at `height` leads, as in Bitcoin's skip list."""
    if height < 2:
        return 0
    return _clear_lowest(_clear_lowest(height - 1)) + 1 if height & 1 else _clear_lowest(height)


def get_ancestor(entry: Entry, height: int) -> Entry:
    """Return the ancestor at `height`, or the entry itself at its own height; 0 <= height <= its own."""
    current = entry
    while current.header.height > height:
        skip, parent = current.skip, current.parent
        if skip is not None and skip.header.height >= height:
            current = skip
        elif parent is not None:
            current = parent
        else:
            break
    return current


def find_fork(a: Entry, b: Entry) -> Entry:
    """Return the last common ancestor of two entries."""
    low = min(a.height, b.height)
    a, b = get_ancestor(a, low), get_ancestor(b, low)
    while a is not b and a.parent is not None and b.parent is not None:
        a, b = a.parent, b.parent
    return a


def iterate_back(entry: Entry) -> Iterator[Entry]:
    """Yield the entry, its parent, and so on to genesis."""
    current: Entry | None = entry
    while current is not None:
        yield current
        current = current.parent


def iterate_subtree(entry: Entry) -> Iterator[Entry]:
    """Yield the entry and all its descendants, parents first."""
    waiting = [entry]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += current.children


def list_missing(best: Entry, limit: int) -> list[BlockId]:
    """Return at most `limit` ids without bodies on the chain up to `best`, lowest first. The work grows with `limit`
    and hardly with the chain's length.
    """
    missing: list[BlockId] = []
    height = _find_gap(best)
    while len(missing) < limit and height <= best.height:
        top = get_ancestor(best, min(best.height, height + limit - 1))
        part = list(islice(iterate_back(top), top.height - height + 1))
        missing += [entry.id for entry in reversed(part) if not entry.has_body]
        height = top.height + 1
    return missing[:limit]


def _find_gap(best: Entry) -> int:
    """Return the lowest height on the chain up to `best` that is not linked, by binary search, since all blocks below
    it are linked.
    """
    low, high = 0, best.height + 1
    while low + 1 < high:
        middle = (low + high) // 2
        if get_ancestor(best, middle).is_linked:
            low = middle
        else:
            high = middle
    return low + 1


def make_locator(best: Entry, dense: int) -> tuple[BlockId, ...]:
    """Return ids back from `best`: the first `dense` one by one, then in doubling steps, genesis last."""
    return tuple(get_ancestor(best, height).id for height in _iterate_locator_heights(best.height, dense))


def _iterate_locator_heights(height: int, dense: int) -> Iterable[int]:
    step, count = 1, 0
    while height > 0:
        yield height
        count += 1
        step = step * 2 if count >= dense else 1
        height -= step
    yield 0


def check_entries(entries: Mapping[BlockId, Entry], genesis: Entry) -> None:
    """Check the invariants between each entry and its parent.

    Raises:
        AssertionError: names the invariant that does not hold.
    """
    for block, entry in entries.items():
        parent = entry.parent
        assert entry.id == block, "an entry is indexed under another id"
        assert all(entries.get(child.id) is child for child in entry.children), "a child is not indexed"
        if parent is None:
            assert entry is genesis, "there is a second root"
            continue
        assert entries.get(parent.id) is parent, "a parent is not indexed"
        assert entry in parent.children, "a parent does not list its child"
        assert entry.weight > parent.weight, "a block has no weight"
        assert entry.is_linked == (entry.has_body and parent.is_linked), "is_linked does not follow from the bodies"
        assert entry.invalid is not None or parent.invalid is None, "a child of an invalid block is valid"
        assert entry.is_held or not (entry.is_linked and parent.is_held), "a child of a held block is not held"


def _clear_lowest(number: int) -> int:
    return number & (number - 1)
