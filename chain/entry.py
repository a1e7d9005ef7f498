"""One known block in the tree of headers, and functions that walk along that tree."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from msgspec import Struct

from inos.consensus.context import AsertAnchor, HeaderContext
from inos.consensus.forkchoice import NEVER, Preference, compute_preference
from inos.consensus.params import Params
from inos.primitives.blocks import Header, get_target
from inos.primitives.units import BlockId, Height, TimeMs, Weight


class Tip(Struct, frozen=True):
    """A block and the weight of the chain up to it."""

    id: BlockId
    header: Header
    weight: Weight


class Below(Protocol):
    """Finds ancestors that are not held in memory: see inos.chain.loader.EntryLoader."""

    def find_parent(self, entry: "Entry") -> "Entry | None": ...

    def find_ancestor(self, entry: "Entry", height: int) -> "Entry | None": ...


@dataclass(eq=False, slots=True, weakref_slot=True)
class Entry:
    """One known block. `invalid` is the code and reason of the rule that the block or an ancestor breaks."""

    id: BlockId
    header: Header
    link: "Entry | None"
    """The parent, if this entry keeps it in memory; `parent` returns it in any case."""
    weight: Weight
    arrival: int
    below: Below | None = None
    """Finds the parent if `link` does not name it; None for genesis and for entries with a `link`."""
    first: "Entry | None" = None
    """Block 1 of this branch, None for genesis."""
    skip: "Entry | None" = None
    """An ancestor in memory further down, so that any of them is reached in a few dozen steps."""
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
        if self.link is not None:
            self.first = self if self.link.header.height == 0 else self.link.first
            self.skip = _get_near(self.link, compute_skip_height(self.header.height))

    @property
    def parent(self) -> "Entry | None":
        """The parent, None for genesis. It is read from disk if it is not in memory."""
        link, below = self.link, self.below
        return below.find_parent(self) if link is None and below is not None else link

    @property
    def height(self) -> Height:
        return Height(self.header.height)

    @property
    def preference(self) -> Preference:
        """Rank of the chain up to this block; of two chains, the one with the higher rank is better."""
        return compute_preference(self.weight, self.late, self.connected, self.arrival)

    def to_tip(self) -> Tip:
        return Tip(self.id, self.header, self.weight)


def make_context(params: Params, parent: Entry) -> HeaderContext:
    """Return what the rules need to know about the ancestors of a new header on `parent`."""
    times = [TimeMs(each.header.time_ms) for each in islice(iterate_back(parent), params.median_time_blocks)]
    first = parent.first
    anchor = None
    if first is not None:
        anchor = AsertAnchor(first.height, TimeMs(first.header.time_ms), get_target(first.header))
    return HeaderContext(parent.header, parent.id, tuple(reversed(times)), anchor)


def compute_skip_height(height: int) -> int:
    """Return the height to which the skip of a block at `height` leads, as in Bitcoin's skip list."""
    if height < 2:
        return 0
    return _clear_lowest(_clear_lowest(height - 1)) + 1 if height & 1 else _clear_lowest(height)


def get_ancestor(entry: Entry, height: int) -> Entry:
    """Return the ancestor at `height`, or the entry itself at its own height; 0 <= height <= its own."""
    current = entry
    while current.header.height > height:
        skip, link, below = current.skip, current.link, current.below
        if skip is not None and skip.header.height >= height:
            current = skip
        elif link is not None:
            current = link
        else:
            found = None if below is None else below.find_ancestor(current, height)
            if found is None:
                break
            current = found
    return current


def _get_near(entry: Entry, height: int) -> Entry | None:
    """Return the ancestor at `height` if it is in memory."""
    current: Entry | None = entry
    while current is not None and current.header.height > height:
        skip = current.skip
        current = skip if skip is not None and skip.header.height >= height else current.link
    return current


def find_fork(a: Entry, b: Entry) -> Entry:
    """Return the last common ancestor of two entries."""
    low = min(a.height, b.height)
    a, b = get_ancestor(a, low), get_ancestor(b, low)
    while a is not b:
        above, beside = a.parent, b.parent
        if above is None or beside is None:
            break
        a, b = above, beside
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


def _clear_lowest(number: int) -> int:
    return number & (number - 1)
