"""One known block in the tree of headers, and the ways along that tree."""

from collections.abc import Iterator
from dataclasses import dataclass, field

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
    """One known block. `invalid` is (code, reason) of the rule it or an ancestor breaks."""

    id: BlockId
    header: Header
    parent: "Entry | None"
    weight: Weight
    arrival: int
    first: "Entry | None" = None
    """Block 1 of this branch, None for genesis."""
    skip: "Entry | None" = None
    """An ancestor further down, so that any one is reached in a few dozen steps."""
    has_body: bool = False
    is_linked: bool = False
    """The bodies of this block and of all its ancestors are here."""
    is_held: bool = False
    """It waits for matrices, or descends from a block that does."""
    lacks_matrices: bool = False
    """It is held because matrices it names are not here; not so where only checks are outstanding."""
    body_ms: TimeMs | None = None
    """When its body came; None for one that was here at the start."""
    is_late: bool = False
    """Its matrices came too long after its body: see inos.consensus.forkchoice."""
    late: int = 0
    """Late blocks on the chain up to this one."""
    connected: int = NEVER
    """The order in which it was first connected."""
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
        """The higher, the better the chain up to this block."""
        return compute_preference(self.weight, self.late, self.connected, self.arrival)

    def to_tip(self) -> Tip:
        return Tip(self.id, self.header, self.weight)


def compute_skip_height(height: int) -> int:
    """Where the skip of a block at `height` leads: its height without the lowest bits that are set."""
    if height < 2:
        return 0
    return _clear_lowest(_clear_lowest(height - 1)) + 1 if height & 1 else _clear_lowest(height)


def get_ancestor(entry: Entry, height: int) -> Entry:
    """The ancestor at `height`, the entry itself included; 0 <= height <= its own."""
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
    """The last common ancestor."""
    low = min(a.height, b.height)
    a, b = get_ancestor(a, low), get_ancestor(b, low)
    while a is not b and a.parent is not None and b.parent is not None:
        a, b = a.parent, b.parent
    return a


def iterate_back(entry: Entry) -> Iterator[Entry]:
    """The entry, its parent, and so on to genesis."""
    current: Entry | None = entry
    while current is not None:
        yield current
        current = current.parent


def iterate_subtree(entry: Entry) -> Iterator[Entry]:
    """The entry and all its descendants, parents first."""
    waiting = [entry]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += current.children


def _clear_lowest(number: int) -> int:
    return number & (number - 1)
